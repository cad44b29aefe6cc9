"""``vulnerabilities show PURL``: a package's affected versions and the nearest unaffected ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import Failed

if TYPE_CHECKING:
    from datetime import datetime

    from ssc_ingest.ecosystems.purls import PackageName
    from ssc_ingest.graph.views import PackageView
    from ssc_ingest.models import VersionName
    from ssc_ingest.vulnerabilities.remedies import Remedy

ALL_VERSIONS = 1_000_000

NO_RELEASE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedVersion:
    """A version with an advisory or a warning."""

    version: str
    vulnerabilities: tuple[str, ...]
    mean: float | None
    """``None`` if no advisory has a score."""
    malicious: bool
    notices: tuple[str, ...]
    same_major: str | None
    """The nearest unaffected release of its major line."""
    overall: str | None
    """The nearest unaffected release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedPackage:
    """The affected versions of a package."""

    purl: str
    synced_at: "datetime | None"
    """The last sync of the ecosystem's advisories; ``None``: vulnerabilities are unknown."""
    advisories: int
    """Number of the package's advisories in force."""
    unusable: dict[str, tuple[str, ...]]
    """By advisory id: the parts that could not be evaluated."""
    unattributed: int
    """Versions in the graph that do not match the advisories in MongoDB yet."""
    versions: tuple[AffectedVersion, ...]
    """Newest first."""


async def show_package(purl: str, *, as_json: bool) -> None:
    """Print the affected versions of a package, or of one version of it.

    Raises:
        Failed: the package is not in the graph.
    """
    found = await _find(purl)
    if as_json:
        output.print_json(found)
    else:
        _print(found)


async def _find(purl: str) -> AffectedPackage:
    from ssc_ingest.cli.connections import advisory_store, configured, graph_store
    from ssc_ingest.ecosystems.purls import parse_purl
    from ssc_ingest.graph.attributions import AttributionReader
    from ssc_ingest.graph.views import GraphViews
    from ssc_ingest.models import VersionName
    from ssc_ingest.vulnerabilities.attribution import attribute
    from ssc_ingest.vulnerabilities.attributor import differences
    from ssc_ingest.vulnerabilities.remedies import Release, remedies
    from ssc_ingest.vulnerabilities.stored_advisories import StoredAdvisories

    named = parse_purl(purl)
    cls, ref = named.ecosystem, named.ref
    settings, servers = configured()
    async with (
        graph_store(settings, servers) as driver,
        advisory_store(settings, servers) as store,
    ):
        views = GraphViews(driver, timeout=settings.db_default_query_timeout_ms / 1000)
        package = await views.package(ref.label, ref.purl, versions=ALL_VERSIONS)
        stored = await AttributionReader(driver).packages(ref.label, [ref.purl])
        if package is None or not stored:
            raise Failed(f"{ref.purl} is not in the graph; `ssc-ingest extract {ref.purl}` adds it")
        state = await store.syncs.get(cls.identity.name)
        name = cls.name_of_node(stored[0].names)
        advisories = await StoredAdvisories(store).naming(cls, {cls.advisory_name(name)})
    those = [each for found in advisories.values() for each in found]
    line = tuple(reversed(package.versions))
    found = remedies(
        cls,
        [
            Release(VersionName(each.name), is_affected=each.vulnerable, is_yanked=each.yanked)
            for each in line
        ],
    )
    true = attribute(
        cls,
        name,
        [version.name for version in stored[0].versions],
        those,
        settings.malware_score,
    )
    return AffectedPackage(
        purl=named.purl,
        synced_at=state.synced_at,
        advisories=len(those),
        unusable=true.unusable,
        unattributed=len(differences(stored[0], true)) if state.synced_at else 0,
        versions=_versions(named, package, found),
    )


def _versions(
    named: "PackageName", package: "PackageView", found: "dict[VersionName, Remedy]"
) -> tuple[AffectedVersion, ...]:
    wanted = package.versions
    if named.version is not None:
        name = named.ecosystem.version_name(named.version)
        wanted = tuple(each for each in package.versions if each.name == name)
        if not wanted:
            raise Failed(f"{named.purl} is not in the graph")
    remedy_of = {str(name): remedy for name, remedy in found.items()}
    versions = []
    for each in wanted:
        if each.vulnerable or each.notices:
            remedy = remedy_of.get(each.name)
            versions.append(
                AffectedVersion(
                    version=each.name,
                    vulnerabilities=each.vulnerabilities,
                    mean=each.mean or None,
                    malicious=each.malicious,
                    notices=each.notices,
                    same_major=remedy.same_major if remedy else None,
                    overall=remedy.overall if remedy else None,
                )
            )
    return tuple(versions)


def _print(found: AffectedPackage) -> None:
    if found.synced_at is None:
        output.say(
            "The advisories of this ecosystem are not synced: whether versions are affected is not "
            "known. `ssc-ingest vulnerabilities sync` reads them.",
            style="yellow",
        )
    else:
        output.say(
            f"{output.count(found.advisories, 'advisory')} in force: {found.purl}, "
            f"synced {output.age(found.synced_at)}"
        )
    if found.versions:
        output.console().print(
            output.table(
                ["version", "advisories", "mean", "nearest in its line", "nearest"],
                [_row(each) for each in found.versions],
                right=["mean"],
                whole=["version"],
            )
        )
    elif found.synced_at and not found.unattributed:
        partly = ", as far as the advisories could be evaluated" if found.unusable else ""
        output.say(f"No version in the graph is affected{partly}.")
    if found.unattributed:
        output.say(
            f"{output.count(found.unattributed, 'version')} of the package in the graph do not "
            "match the advisories yet. Workers attribute them when their queue reaches them, or "
            "`ssc-ingest vulnerabilities attribute` does it now.",
            style="red",
        )
    for record, reasons in sorted(found.unusable.items()):
        output.say(f"{record} could not be evaluated fully: {'; '.join(reasons)}", style="yellow")


def _row(each: AffectedVersion) -> tuple[Any, ...]:
    ids = [*each.vulnerabilities, *(f"{notice} (a warning)" for notice in each.notices)]
    remedy = (each.same_major or NO_RELEASE, each.overall or NO_RELEASE)
    return (
        Text(each.version, "red" if each.malicious else ""),
        ", ".join(ids) + (" MALICIOUS" if each.malicious else ""),
        ("no score" if each.mean is None else f"{each.mean:.2f}") if each.vulnerabilities else "",
        *(remedy if each.vulnerabilities else ("", "")),
    )
