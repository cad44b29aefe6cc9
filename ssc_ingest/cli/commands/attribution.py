"""``vulnerabilities attribute``, ``audit`` and ``affected``."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode, Failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from neo4j import AsyncDriver

    from ssc_ingest.ecosystems.base import Ecosystem
    from ssc_ingest.graph.attributions import AttributionReader
    from ssc_ingest.models import Purl
    from ssc_ingest.resources import State
    from ssc_ingest.settings import Settings
    from ssc_ingest.vulnerabilities.attributor import Attributed, Attributor
    from ssc_ingest.vulnerabilities.audit import AuditReport
    from ssc_ingest.vulnerabilities.store import VulnerabilityStore

MAX_SHOWN = 10
"""Maximum number of packages to list per level."""


def register(commands: typer.Typer) -> None:
    """Add the commands to the group ``vulnerabilities``."""
    commands.command("attribute")(attribute)
    commands.command("audit")(audit)
    commands.command("affected")(affected)


def attribute(
    ecosystem: Annotated[
        str, typer.Argument(metavar="ECOSYSTEM", help="pypi, npm, maven, cargo, rubygems, nuget.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMES]...", help="Packages of the ecosystem.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All packages of the ecosystem that are in the graph.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="With --all: start again instead of continuing an interrupted command.",
        ),
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Attribute the advisories in MongoDB to the versions in the graph.

    Workers do this automatically when advisories change. Use this command to repair a graph, or
    after a change of MALWARE_SCORE. It works without workers. You may press Ctrl-C at any time: the
    next --all continues.

    [cyan]ssc-ingest vulnerabilities attribute pypi django flask[/cyan]

    [cyan]ssc-ingest vulnerabilities attribute npm --all[/cyan]
    """
    if bool(names) == everything:
        raise typer.BadParameter("give either names or --all")
    done = asyncio.run(_attribute(ecosystem, names or [], restart=restart, quiet=as_json))
    if as_json:
        output.print_json(asdict(done))
        return
    output.say(
        f"{output.count(done.packages, 'package')}, {output.count(done.versions, 'version')}: "
        f"{output.number(done.affected)} affected, {output.number(done.changed)} changed"
    )
    for record, reasons in sorted(done.unusable.items()):
        output.say(f"{record} could not be evaluated fully: {'; '.join(reasons)}", style="yellow")


def audit(
    packages: Annotated[
        int, typer.Argument(metavar="N", min=1, help="Number of random packages to examine.")
    ] = 1000,
    *,
    as_json: output.JSONOption = False,
) -> None:
    """Compare random packages in the graph with their advisories, and count the differences.

    It shows an upper bound of the share of all packages that differ, with 95% confidence: 0.3% if
    none of 1,000 differs. Workers attribute the packages that differ again within a minute. The
    schedule vulnerabilities_audit does the same every day.

    [cyan]ssc-ingest vulnerabilities audit 5000[/cyan]

    The exit code is 1 if a package differs.
    """
    report = asyncio.run(_audit(packages))
    if as_json:
        output.print_json({**asdict(report), "bound": report.bound})
    else:
        print_audit(report)
    if report.differing:
        raise typer.Exit(ExitCode.FAILED)


def affected(
    advisory: Annotated[
        str, typer.Argument(metavar="ID", help="The id of an advisory, such as GHSA-... .")
    ],
    *,
    dependents: Annotated[
        bool,
        typer.Option(
            "--dependents", help="Also show versions of other packages that may pull one."
        ),
    ] = False,
    depth: Annotated[
        int,
        typer.Option(
            "--depth", min=1, max=100, help="With --dependents: number of levels to follow."
        ),
    ] = 1,
    optional: Annotated[
        bool,
        typer.Option("--optional", help="With --dependents: follow optional requirements, too."),
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Show the versions that an advisory affects, and other versions that may pull them.

    A version is on the first level where one of its constraints accepts a version of the level
    before. Optional requirements count only with --optional. Numbers in brackets are serial
    numbers: the position of a version in the order of its package's versions.

    [cyan]ssc-ingest vulnerabilities affected PYSEC-2021-114[/cyan]

    [cyan]ssc-ingest vulnerabilities affected GHSA-jfh8-c2jp-5v3q --dependents --depth 3[/cyan]

    The exit code is 1 if the advisory is not in MongoDB.
    """
    found = asyncio.run(_affected(advisory, depth=depth if dependents else 0, optional=optional))
    if as_json:
        output.print_json({"id": advisory, "optional": optional, "levels": found})
    else:
        _print_levels(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    settings: "Settings"
    state: "State"
    driver: "AsyncDriver"
    reader: "AttributionReader"
    store: "VulnerabilityStore"
    attributor: "Attributor"


@asynccontextmanager
async def _stores() -> "AsyncIterator[_Stores]":
    from ssc_ingest.cli.connections import configured, graph_store, state_store
    from ssc_ingest.graph.attributions import AttributionReader
    from ssc_ingest.graph.writer import GraphWriter
    from ssc_ingest.resources import open_attributor
    from ssc_ingest.vulnerabilities.store import open_store

    settings, servers = configured()
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(state_store(settings, servers))
        driver = await stack.enter_async_context(graph_store(settings, servers))
        writer = await stack.enter_async_context(GraphWriter(driver))
        store = await stack.enter_async_context(open_store(servers.vulnerabilities_uri, settings))
        await store.ping()
        yield _Stores(
            settings=settings,
            state=state,
            driver=driver,
            reader=AttributionReader(driver),
            store=store,
            attributor=open_attributor(settings, state, driver, writer, store),
        )


async def _attribute(
    name: str, names: "Sequence[str]", *, restart: bool, quiet: bool
) -> "Attributed":
    from ssc_ingest.ecosystems import ecosystem
    from ssc_ingest.vulnerabilities.walk import Walk

    cls = ecosystem(name)
    refs = [cls.ref(each) for each in names]
    async with _stores() as stores:
        if refs:
            done = await stores.attributor.attribute(name, [ref.purl for ref in refs])
            if not done.packages:
                raise Failed(f"the graph has none of them; `ssc-ingest extract {refs[0].purl}`")
            return done
        walk = Walk(cls, stores.reader, stores.attributor, stores.state.redis)
        if restart:
            await walk.restart()
        elif behind := await walk.cursor():
            output.say(f"continues after {behind}; --restart starts again", stderr=True)
        return await _walk(walk, quiet=quiet)


async def _walk(walk: Any, *, quiet: bool) -> "Attributed":
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
        console=output.console(stderr=True),
        disable=quiet,
    ) as bar:
        task = bar.add_task("packages", total=await walk.total())

        def on_page(packages: int, done: "Attributed") -> None:
            changed = output.number(done.changed)
            bar.update(task, advance=packages, description=f"packages ({changed} versions changed)")

        done: Attributed = await walk.run(on_page)
        return done


async def _audit(packages: int) -> "AuditReport":
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.vulnerabilities.audit import Auditor

    async with _stores() as stores:
        auditor = Auditor(
            ecosystems(),
            stores.reader,
            stores.attributor,
            stores.state.unattributed,
            stores.state.redis,
        )
        return await auditor.audit(packages)


def print_audit(report: "AuditReport") -> None:
    """Print the report."""
    share = f"{report.bound:.2%}"
    output.say(
        f"{report.differing} of {output.count(report.examined, 'package')} "
        f"({output.count(report.versions, 'version')}) differ from their advisories; "
        + (
            "all packages were examined"
            if report.examined >= report.packages
            else f"at most {share} of all {output.number(report.packages)} do, with 95% confidence"
        ),
        style="red" if report.differing else "",
    )
    for purl in report.examples:
        output.say(f"  {purl}")
    if report.waiting:
        output.say(f"{output.count(report.waiting, 'package')} waited for attribution")


async def _affected(advisory: str, *, depth: int, optional: bool) -> list[dict[str, Any]]:
    from ssc_ingest.graph.dependents import DependentsReader
    from ssc_ingest.vulnerabilities.blast_radius import BlastRadius

    levels: dict[int, list[dict[str, Any]]] = {}
    async with _stores() as stores:
        rows = await stores.store.bookkeeping.rows([advisory])
        if advisory not in rows:
            raise Failed(
                f"MongoDB has no advisory {advisory}; `ssc-ingest vulnerabilities sync` reads new "
                "ones"
            )
        timeout = stores.settings.db_default_query_timeout_ms / 1000
        for cls, purls in _packages(rows[advisory].packages).items():
            reader = DependentsReader(stores.driver, cls.identity.label, timeout=timeout)
            radius = BlastRadius(cls, reader, optional=optional)
            for level in await radius.levels(advisory, purls, depth=depth):
                ends = {
                    each.purl: {serial for span in each.spans for serial in span}
                    for each in level.packages
                }
                names = await reader.names(ends)
                levels.setdefault(level.depth, []).extend(
                    {
                        "purl": each.purl,
                        "versions": each.versions,
                        "spans": [
                            {
                                "first": names.get((each.purl, first)),
                                "last": names.get((each.purl, last)),
                                "serial_numbers": [first, last],
                            }
                            for first, last in each.spans
                        ],
                    }
                    for each in level.packages
                )
    return [
        {
            "depth": depth,
            "versions": sum(each["versions"] for each in packages),
            "packages": packages,
        }
        for depth, packages in sorted(levels.items())
    ]


def _packages(keys: "Sequence[str]") -> "dict[type[Ecosystem], list[Purl]]":
    from ssc_ingest.errors import InvalidName
    from ssc_ingest.vulnerabilities.records import by_osv_name

    found: dict[type[Ecosystem], list[Purl]] = {}
    for key in keys:
        osv_name, _, name = key.partition(":")
        if cls := by_osv_name().get(osv_name):
            try:
                found.setdefault(cls, []).append(cls.ref(name).purl)
            except InvalidName:
                continue  # the graph cannot have it
    return found


def _print_levels(levels: list[dict[str, Any]]) -> None:
    out = output.console()
    for level in levels:
        packages = level["packages"]
        title = "affected" if level["depth"] == 0 else f"depth {level['depth']}"
        output.say(
            f"{title}: {output.count(level['versions'], 'version')} of "
            f"{output.count(len(packages), 'package')} in the graph",
            style="bold",
        )
        if packages:
            out.print(
                output.table(
                    ["package", "versions", "which"],
                    [
                        (each["purl"], output.number(each["versions"]), _spans(each["spans"]))
                        for each in packages[:MAX_SHOWN]
                    ],
                    right=["versions"],
                )
            )
        if len(packages) > MAX_SHOWN:
            output.say(Text(f"... and {len(packages) - MAX_SHOWN} more; --json lists all", "dim"))


def _spans(spans: list[dict[str, Any]]) -> str:
    return ", ".join(
        " to ".join(dict.fromkeys(str(each[end]) for end in ("first", "last"))) for each in spans
    )
