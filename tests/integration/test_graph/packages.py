"""Packages made by hand, and a small ecosystem's order, for tests of the graph."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from packaging.version import InvalidVersion
from packaging.version import Version as Parsed

from ssc_ingest.models import Package, PackageRef, Purl, Requirement, Version, VersionName

DAY = timedelta(days=1)
FETCHED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
RELEASED = datetime(2020, 1, 1, tzinfo=UTC)

LABELS = {
    "pypi": "PyPIPackage",
    "npm": "NPMPackage",
    "maven": "MavenPackage",
    "cargo": "CargoPackage",
    "gem": "RubyGemsPackage",
    "nuget": "NuGetPackage",
}
"""Of the graph's nodes, by type of package URL."""

TOO_LONG = "x" * 40_000
"""More than a key of an index may have."""

Requires = Mapping[str, str] | None


def ref(name: str, ecosystem: str = "pypi", **properties: str) -> PackageRef:
    """A package with this name and purl."""
    return PackageRef(
        ecosystem=ecosystem,
        label=LABELS[ecosystem],
        purl=Purl(f"pkg:{ecosystem}/{name}"),
        name=name.lower(),
        registry_name=name,
        properties=properties,
    )


def order(versions: Iterable[tuple[VersionName, str | None]]) -> list[VersionName]:
    """PEP 440, unparsable versions first, like :meth:`Ecosystem.order`."""

    def key(version: tuple[VersionName, str | None]) -> tuple[bool, Parsed, str, str]:
        name, date = version
        try:
            return True, Parsed(name), date or "", name
        except InvalidVersion:
            return False, Parsed("0"), date or "", name

    return [name for name, _ in sorted(versions, key=key)]


def package(
    name: str,
    versions: Mapping[str, Requires] | Sequence[str],
    *,
    ecosystem: str = "pypi",
    fetched_at: datetime = FETCHED,
    yanked: Iterable[str] = (),
    **fields: object,
) -> Package:
    """A package with these versions: ``{"1.0": {"other": ">= 1"}}``; ``None`` = not read."""
    of = ref(name, ecosystem)
    if not isinstance(versions, Mapping):
        versions = {version: {} for version in versions}
    found = tuple(
        Version(
            name=VersionName(version),
            purl=Purl(f"{of.purl}@{version}"),
            release_date=RELEASED + position * DAY,
            requirements=None
            if required is None
            else tuple(Requirement(ref(n, ecosystem), c) for n, c in required.items()),
            yanked=version in yanked,
        )
        for position, (version, required) in enumerate(versions.items())
    )
    values: dict[str, object] = {
        "ref": of,
        "vendor": "somebody",
        "repository_url": f"https://example.org/{name}",
        "versions": found,
        "latest": found[-1].name if found else None,
        "fetched_at": fetched_at,
        "import_names": (name,),
    }
    return Package(**(values | fields))  # type: ignore[arg-type]


def shuffled_readings(count: int) -> list[Package]:
    """Readings of the package ``web``, in an order by chance.

    Each has one version more than the one before, and another vendor and requirement.
    """
    readings = [
        package(
            "web",
            {f"{v}.0": {f"d{n}": "any"} for v in range(n + 1)},
            vendor=f"v{n}",
            fetched_at=FETCHED + timedelta(seconds=n),
        )
        for n in range(count)
    ]
    random.Random(5).shuffle(readings)
    return readings
