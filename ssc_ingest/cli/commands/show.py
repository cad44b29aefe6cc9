"""``show``: one package or version, for people."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli import package_report as report
from ssc_ingest.cli.exit_codes import Failed
from ssc_ingest.cli.package_report import NEWEST, Synced

if TYPE_CHECKING:
    from ssc_ingest.ecosystems.base import Ecosystem
    from ssc_ingest.ecosystems.purls import PackageName
    from ssc_ingest.graph.attributions import AttributedPackage
    from ssc_ingest.graph.views import GraphViews, PackageView, VersionView
    from ssc_ingest.models import Purl
    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings

EVERYTHING = 1_000_000


def show(
    purl: Annotated[
        str, typer.Argument(metavar="PURL", help="Package URL, with or without a version.")
    ],
    *,
    dependents: Annotated[
        bool, typer.Option("--dependents", help="Also list packages that require it.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Show complete lists, not only {NEWEST} entries of each.")
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Show a package or a version from the graph.

    [cyan]ssc-ingest show pkg:pypi/rich[/cyan]

    [cyan]ssc-ingest show pkg:npm/@types/node@22.0.0[/cyan]

    [cyan]ssc-ingest show pkg:cargo/itoa --dependents --json[/cyan]

    The exit code is 1 if it is not in the graph.
    """
    asyncio.run(_show(purl, with_dependents=dependents, everything=everything, as_json=as_json))


async def _show(purl: str, *, with_dependents: bool, everything: bool, as_json: bool) -> None:
    from ssc_ingest.cli.connections import configured, graph_store
    from ssc_ingest.ecosystems.purls import parse_purl
    from ssc_ingest.graph.attributions import AttributionReader
    from ssc_ingest.graph.views import GraphViews

    named = parse_purl(purl)
    most = EVERYTHING if everything else NEWEST
    settings, servers = configured()
    async with graph_store(settings, servers) as driver:
        views = GraphViews(driver, timeout=settings.db_default_query_timeout_ms / 1000)
        package = await views.package(named.ref.label, named.ref.purl, versions=most)
        if package is None:
            raise Failed(
                f"{named.ref.purl} is not in the graph; "
                f"`ssc-ingest extract {named.ref.purl}` adds it"
            )
        version = await _version(views, named, package)
        requirements = await views.requirements(version.purl) if version else []
        tables = await views.tables(version.purl) if version else {}
        dependents = (
            await views.dependents(named.ref.label, package.purl, most=most)
            if with_dependents
            else None
        )
        stored = await AttributionReader(driver).packages(named.ref.label, [named.ref.purl])
    synced = await _synced(settings, servers, named.ecosystem, stored)
    if as_json:
        output.print_json(
            {
                **asdict(package),
                "is_stub": package.is_stub,
                "import_names_guessed": report.guesses(package),
                "vulnerabilities_synced_at": synced.at,
                "version": version
                and {**asdict(version), **tables, "requires": list(requirements)},
                **({"dependents": asdict(dependents)} if dependents else {}),
            }
        )
        return
    if named.version is None or version is None:
        report.print_package(package, synced, everything=everything)
    else:
        report.print_version(version, package, synced)
    if version:
        report.print_facts(version, tables)
        report.print_requirements(version, requirements, most)
    if dependents:
        report.print_dependents(package, dependents)


async def _synced(
    settings: "Settings",
    servers: "Servers",
    cls: "type[Ecosystem]",
    stored: "Sequence[AttributedPackage]",
) -> Synced:
    """Read how current the advisories are; ``stored`` is the package, or empty for a stub."""
    from ssc_ingest.cli.connections import advisory_store
    from ssc_ingest.errors import StoreUnavailable
    from ssc_ingest.vulnerabilities.attributor import outdated
    from ssc_ingest.vulnerabilities.stored_advisories import StoredAdvisories

    try:
        async with advisory_store(settings, servers) as store:
            at = (await store.syncs.get(cls.identity.name)).synced_at
            if at is None:
                return Synced(None)
            waiting: set[Purl] = set()
            for package in stored:
                name = cls.advisory_name(cls.name_of_node(package.names))
                advisories = await StoredAdvisories(store).naming(cls, {name})
                waiting |= outdated(
                    cls, package, advisories.get(name, ()), settings.malware_score
                ).keys()
            return Synced(at, outdated=waiting)
    except StoreUnavailable:
        return Synced(None, "unknown: the vulnerability store does not respond")


async def _version(
    views: "GraphViews", named: "PackageName", package: "PackageView"
) -> "VersionView | None":
    """The version in the purl, else the latest one."""
    if named.version is not None:
        version = await views.version(named.purl)
        if version is None:
            known = ", ".join(v.name for v in package.versions[:5]) or "none"
            raise Failed(
                f"{named.purl} is not in the graph; known versions of {package.purl}: {known}"
                f"{' ...' if package.version_count > 5 else ''}\n"  # noqa: PLR2004
                f"`ssc-ingest extract {package.purl} --refresh` reads the registry again"
            )
        return version
    if package.latest is None:
        return None
    return await views.version(named.ecosystem.version_purl(named.ref, package.latest))
