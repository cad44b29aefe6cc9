"""The tables of ranges, compared with implementations of each ecosystem's own rules.

A reader of the ecosystem's grammar evaluates the left side of each pair, ``univers`` the right
side, like the graph's readers. Neither is the program's own.
"""

import re
from collections.abc import Callable, Sequence
from operator import eq, ge, gt, le, lt, ne

import pytest
import semantic_version  # type: ignore[import-untyped]
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version
from univers.gem import GemVersion
from univers.version_range import (
    GemVersionRange,
    MavenVersionRange,
    NpmVersionRange,
    NugetVersionRange,
    PypiVersionRange,
)
from univers.versions import (
    MavenVersion,
    NugetVersion,
    PypiVersion,
    RubygemsVersion,
    SemverVersion,
)

from tests.simulator import crates, npm_ranges, rubygems
from tests.simulator.maven import ranges as maven
from tests.simulator.nuget import ranges as nuget
from tests.simulator.pypi import ranges as pypi
from tests.simulator.universe import Bounds, Spelling, written

RELEASES = tuple(f"{a}.{b}.{c}" for a in range(5) for b in (0, 1, 2, 3, 19, 20) for c in range(6))
BOUNDS = Bounds(2, 1, 3)

LINUX: dict[str, str] = {
    **{name: str(value) for name, value in default_environment().items()},
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "sys_platform": "linux",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "extra": "",
}
WINDOWS = {**LINUX, "sys_platform": "win32", "os_name": "nt"}


def spelled(spelling: Spelling) -> tuple[str, str | None]:
    """Both sides of a range, with numbers."""
    wire, graph, _ = written(spelling, BOUNDS, "project")
    return wire, graph


def by_graph_readers(
    constraint: str, native: type, version: type, releases: Sequence[str] = RELEASES
) -> set[str]:
    """The versions that the graph's readers select."""
    if constraint == "any":
        return set(releases)
    versions = native.from_native(constraint)  # type: ignore[attr-defined]
    return {text for text in releases if version(text) in versions}


@pytest.mark.parametrize("spelling", [*pypi.ORDINARY, *pypi.RARE], ids=str)
def test_pypi(spelling: Spelling) -> None:
    """Evaluated like pip on Linux, or on Windows if it has no effect on Linux.

    A clause ``!=1.2.*`` cannot be expressed for the graph's readers, which select some more
    versions.
    """
    wire, constraint = spelled(spelling)
    assert constraint
    lines = [Requirement("project" + tail) for tail in wire.split("\n")]
    held = [
        [r for r in lines if not r.marker or r.marker.evaluate(dict(environment))]
        for environment in (LINUX, WINDOWS)
    ]
    (requirement,) = held[0] or held[1]
    expected = {v for v in RELEASES if requirement.specifier.contains(Version(v), prereleases=True)}
    found = by_graph_readers(constraint, PypiVersionRange, PypiVersion)
    assert found
    if "!=" in wire and ".*" in wire:
        assert found > expected
    else:
        assert found == expected


@pytest.mark.parametrize("spelling", pypi.NOISE.values(), ids=str)
def test_pypi_noise(spelling: Spelling) -> None:
    """Lines without an edge are false on today's CPythons, unless an extra is requested."""
    wire, constraint = spelled(spelling)
    assert constraint is None
    marker = Requirement("project" + wire).marker
    assert marker
    for environment in (LINUX, WINDOWS):
        assert not marker.evaluate(dict(environment))


NPM = dict.fromkeys((*npm_ranges.ORDINARY, *npm_ranges.RARE))


@pytest.mark.parametrize("spelling", NPM, ids=str)
def test_npm(spelling: Spelling) -> None:
    """Evaluated by node-semver; other texts are ``any``."""
    wire, constraint = spelled(spelling)
    assert constraint
    if wire.startswith("npm:"):
        wire = wire.partition("@")[2]
    try:
        spec = semantic_version.NpmSpec(wire)
        expected = {v for v in RELEASES if spec.match(semantic_version.Version(v))}
    except ValueError:
        assert constraint == "any"
        expected = set(RELEASES)
    assert by_graph_readers(constraint, NpmVersionRange, SemverVersion) == expected != set()


@pytest.mark.parametrize("spelling", [*crates.ORDINARY, *crates.RARE], ids=str)
def test_crates(spelling: Spelling) -> None:
    """Evaluated by Cargo's rules: a bare version is a caret range, build metadata is ignored."""
    wire, constraint = spelled(spelling)
    assert constraint
    clauses = [clause.strip().partition("+")[0] for clause in wire.split(",")]
    # With the caret written out and spaces for commas, Cargo's grammar is within npm's.
    spec = semantic_version.NpmSpec(
        " ".join("^" + c if c[0].isdigit() and "*" not in c else c for c in clauses)
    )
    expected = {v for v in RELEASES if spec.match(semantic_version.Version(v))}
    assert by_graph_readers(constraint, NpmVersionRange, SemverVersion) == expected != set()


GEM_RELEASES = (*RELEASES, "2.1.0.beta1", "2.1.0.rc1", "2.1.0.rc2", "3.0.a", "3.0.0.rc1", "3")
GEM_OPERATORS: dict[str, Callable[[GemVersion, GemVersion], bool]] = {
    "=": eq, "!=": ne, ">": gt, ">=": ge, "<": lt, "<=": le,
    "~>": lambda version, bound: bound <= version < bound.bump(),  # type: ignore[no-untyped-call]
}  # fmt: skip


@pytest.mark.parametrize("spelling", [*rubygems.ORDINARY, *rubygems.RARE], ids=str)
def test_rubygems(spelling: Spelling) -> None:
    """Every clause must hold; ``~> a.b.c`` is ``>= a.b.c`` and below ``a.(b+1)``."""
    wire, constraint = spelled(spelling)
    assert constraint
    gem: Callable[[str], GemVersion] = GemVersion
    clauses = [clause.split(" ") for clause in wire.split("&")]
    expected = {
        text
        for text in GEM_RELEASES
        if all(GEM_OPERATORS[operator](gem(text), gem(bound)) for operator, bound in clauses)
    }
    found = by_graph_readers(constraint, GemVersionRange, RubygemsVersion, GEM_RELEASES)
    assert found == expected != set()


NUGET_RELEASES = (*RELEASES, "2.1.3-alpha", "2.1.3-beta.1", "2.1.3.7", "2.1.3.8", "3.0.0-rc.1")


def admitted_by_nuget(text: str) -> list[str]:
    """The releases in a range, in ascending order."""
    if text.strip("*") != text:  # "1.2.*"
        prefix = text.removesuffix("*")
        return [v for v in NUGET_RELEASES if f"{v}.".startswith(prefix) and "-" not in v]
    if text[:1].isdigit():
        text = f"[{text}, )"
    low, comma, high = (part.strip() for part in text[1:-1].partition(","))
    low, high = (bound.partition("+")[0] for bound in (low, high if comma else low))
    above, below = (ge if text[0] == "[" else gt), (le if text[-1] == "]" else lt)
    return [
        each
        for each in NUGET_RELEASES
        if (not low or above(NugetVersion(each), NugetVersion(low)))
        and (not high or below(NugetVersion(each), NugetVersion(high)))
    ]


@pytest.mark.parametrize("spelling", dict.fromkeys((*nuget.ORDINARY, *nuget.RARE)), ids=str)
def test_nuget(spelling: Spelling) -> None:
    """Evaluated as an interval; a floating version admits all versions to which it may float.

    For two target frameworks, the bounds are the lowest and highest version of either.
    """
    wire, constraint = spelled(spelling)
    assert constraint
    found = by_graph_readers(constraint, NugetVersionRange, NugetVersion, NUGET_RELEASES)
    expected = {v for line in wire.split("\n") for v in admitted_by_nuget(line or "(, )")}
    if "*" in wire:
        assert {v for v in found if "-" not in v} == expected != set()
    elif "\n" not in wire:
        assert found == expected != set()
    else:
        assert found >= expected
        for extreme in (min, max):
            assert extreme(found, key=NugetVersion) == extreme(expected, key=NugetVersion)


MAVEN_RELEASES = (
    *RELEASES, "2.1", "2.1-jre", "3.1", "2.1.3.Final", "2.1.3.RELEASE", "2.1.3-beta-2",
)  # fmt: skip


def admitted_by_maven(text: str) -> set[str]:
    """The releases in the sets of a requirement; a bare version admits only itself."""
    if text[0] not in "[(":
        text = f"[{text}]"
    admitted = set()
    for opening, inside, closing in re.findall(r"([\[(])([^\])]*)([\])])", text):
        low, comma, high = (part.strip() for part in inside.partition(","))
        above, below = (ge if opening == "[" else gt), (le if closing == "]" else lt)
        admitted |= {
            each
            for each in MAVEN_RELEASES
            if (not low or above(MavenVersion(each), MavenVersion(low)))
            and (not (high or not comma) or below(MavenVersion(each), MavenVersion(high or low)))
        }
    return admitted


@pytest.mark.parametrize("spelling", dict.fromkeys((*maven.ORDINARY, *maven.RARE)), ids=str)
def test_maven(spelling: Spelling) -> None:
    """Sets by Maven's rules; for a package that is declared twice, both."""
    wire, constraint = spelled(spelling)
    assert constraint
    found = by_graph_readers(constraint, MavenVersionRange, MavenVersion, MAVEN_RELEASES)
    if wire in {"LATEST", "RELEASE"}:
        assert constraint == "any"
    else:
        admitted = set().union(*map(admitted_by_maven, wire.split("\n")))
        assert found == admitted != set()


@pytest.mark.parametrize("spelling", maven.UNRESOLVED, ids=str)
def test_maven_unresolved(spelling: Spelling) -> None:
    """An unresolved property admits any version."""
    wire, constraint = spelled(spelling)
    assert constraint == "any"
    assert not wire or "${" in wire
