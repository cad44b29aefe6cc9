"""The contents of a correct graph, computed without reading the simulator's own documents."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Literal
from urllib.parse import quote

from tests.simulator.registries import BY_NAME
from tests.simulator.registry import Registry
from tests.simulator.universe import Package, Release

Following = Literal["all", "latest"]


@dataclass(frozen=True, slots=True)
class VersionTruth:
    """One Version node. ``requirements``: purl of the required package -> ``constraints``.

    ``release_date`` is ``None`` where the registry no longer tells. ``facts`` are the other
    properties, ``edges`` those of requirements that have some, by purl; JSON texts are values.
    Both are ``None`` for ecosystems whose simulator does not tell them. ``unknown``: there may be
    more requirements.
    """

    name: str
    purl: str
    release_date: datetime | None
    yanked: bool
    requirements: dict[str, str]
    facts: dict[str, Any] | None = None
    edges: dict[str, dict[str, Any]] | None = None
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class PackageTruth:
    """One package node with its versions in the order of their serial numbers.

    ``registry_name`` is the registry's spelling, ``name`` the graph's. For crates.io,
    ``repository_url`` and ``vendor`` stand in the crate files only: whoever reads just the
    index knows ``n/a``.
    """

    ecosystem: str
    purl: str
    name: str
    registry_name: str
    vendor: str
    repository_url: str
    latest: str | None
    versions: tuple[VersionTruth, ...]
    dist_tags: dict[str, str] | None = None
    import_names: tuple[str, ...] | None = field(default=None, compare=False)
    """Of the latest version, sorted; ``None`` where nobody can read them. Not compared, because a
    package is fetched without them."""

    @property
    def requirements(self) -> frozenset[str]:
        """Purls that any version requires."""
        return frozenset(chain.from_iterable(v.requirements for v in self.versions))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "PackageTruth":
        """The inverse of :func:`dataclasses.asdict` and a trip through JSON."""
        versions = tuple(
            VersionTruth(
                **{
                    **v,
                    "release_date": v["release_date"] and datetime.fromisoformat(v["release_date"]),
                }
            )
            for v in value["versions"]
        )
        names = value["import_names"]
        return cls(
            **{
                **value,
                "versions": versions,
                "import_names": None if names is None else tuple(names),
            }
        )


def truth_of(package: Package) -> PackageTruth:
    """The correct data of a package in the graph."""
    names = BY_NAME[package.ecosystem].import_names(package) if package.latest else None
    return PackageTruth(
        ecosystem=package.ecosystem,
        purl=package.purl,
        name=package.name_in_graph,
        registry_name=package.name,
        vendor=package.link.vendor,
        repository_url=package.link.repository_url,
        latest=package.latest.version if package.latest else None,
        versions=tuple(_version(package, release) for release in package.releases),
        dist_tags=BY_NAME[package.ecosystem].dist_tags(package),
        import_names=None if names is None else tuple(sorted(names)),
    )


def _version(package: Package, release: Release) -> VersionTruth:
    ecosystem = BY_NAME[package.ecosystem]
    required = [r for r in release.requirements if r.constraint is not None]
    edges = {r.purl: properties for r in required if (properties := ecosystem.edge(release, r))}
    return VersionTruth(
        name=release.version,
        purl=f"{package.purl}@{quote(release.version, safe='')}",
        release_date=None if release.yanked and package.forgets_dates else release.released,
        yanked=release.yanked,
        requirements={r.purl: r.constraint for r in required if r.constraint is not None},
        facts=ecosystem.facts(package, release) if ecosystem.tells_facts else None,
        edges=edges if ecosystem.tells_facts else None,
        unknown=ecosystem.is_unknown(release),
    )


def closure(registry: Registry, name: str, mode: Following) -> frozenset[str]:
    """Purls of the packages that a job for one package must extract, including itself.

    ``all`` follows every version's requirements, ``latest`` those of the latest version. Packages
    that the registry does not have are skipped.

    Raises:
        LookupError: the registry does not have the package.
    """
    root = registry.find(name)
    if root is None:
        raise LookupError(f"{registry.ecosystem.name} has no package {name!r}")
    found, waiting = {root.index: root.purl}, [root]
    while waiting:
        for target in _targets(waiting.pop(), mode):
            if target not in found and (package := registry.package(target)):
                found[target] = package.purl
                waiting.append(package)
    return frozenset(found.values())


def _targets(package: Package, mode: Following) -> Iterable[int]:
    releases = package.releases if mode == "all" else filter(None, (package.latest,))
    # Versions share their requirements as objects: look at each object once.
    distinct = {id(r.requirements): r.requirements for r in releases}
    return {r.target for requirements in distinct.values() for r in requirements}
