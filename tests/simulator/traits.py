"""Traits of packages, for tests that search for special cases."""

from collections.abc import Callable

from tests.simulator.universe import Package

MANY_VERSIONS = 50
HUGE = 1000

TRAITS: dict[str, Callable[[Package], bool]] = {
    "empty": lambda p: not p.releases,
    "many-versions": lambda p: len(p.releases) >= MANY_VERSIONS,
    # Only on demand, see the option.
    "huge": lambda p: len(p.releases) >= HUGE,
    "prerelease": lambda p: any(r.prerelease for r in p.releases),
    "only-prereleases": lambda p: all(r.prerelease for r in p.releases),
    "ends-in-prerelease": lambda p: p.releases[-1:] != () and p.releases[-1].prerelease,
    "unparsable": lambda p: any(not (r.stable or r.prerelease) for r in p.releases),
    "yanked": lambda p: any(r.yanked for r in p.releases),
    # A version that is published after a higher one.
    "backport": lambda p: any(r.released > p.releases[-1].released for r in p.releases),
    # Something in the document that looks like a version.
    "decoy": lambda p: bool(p.decoys),
    "scoped": lambda p: p.name.startswith("@"),
    "capitals": lambda p: p.name != p.name.lower(),
    "repository": lambda p: p.link.repository_url != "n/a",
    "requirements": lambda p: any(r.requirements for r in p.releases),
    "requires-itself": lambda p: p.index in p.targets,
    "requires-missing": lambda p: -1 in p.targets,
    # Together with the rule that requirements point to lower indexes: cycles.
    "requires-upward": lambda p: any(target > p.index for target in p.targets),
}


def traits(package: Package) -> frozenset[str]:
    """The names of all traits of a package; also ``form:...`` of its releases and requirements."""
    names = {name for name, holds in TRAITS.items() if holds(package)}
    for release in package.releases:
        names.add(f"form:{release.form}")
        names.update(f"form:{requirement.form}" for requirement in release.requirements)
    return frozenset(names)
