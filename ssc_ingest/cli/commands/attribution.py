"""``vulnerabilities attribute`` and ``vulnerabilities audit``."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli.attribution_stores import open_stores
from ssc_ingest.cli.exit_codes import ExitCode, Failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssc_ingest.vulnerabilities.attributor import Attributed
    from ssc_ingest.vulnerabilities.audit import AuditReport


def attribute(
    ecosystem: Annotated[
        str, typer.Argument(metavar="ECOSYSTEM", help="pypi, npm, maven, cargo, rubygems, nuget.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Packages of the ecosystem.")
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


async def _attribute(
    name: str, names: "Sequence[str]", *, restart: bool, quiet: bool
) -> "Attributed":
    from ssc_ingest.ecosystems import ecosystem
    from ssc_ingest.vulnerabilities.walk import Walk

    cls = ecosystem(name)
    refs = [cls.ref(each) for each in names]
    async with open_stores() as stores:
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

    async with open_stores() as stores:
        auditor = Auditor(
            ecosystems(),
            stores.reader,
            stores.attributor,
            stores.state.unattributed,
            stores.state.redis,
            syncs=stores.store.syncs,
        )
        return await auditor.audit(packages)


def print_audit(report: "AuditReport") -> None:
    """Print the report."""
    if report.unsynced:
        output.say(
            f"not compared: the packages of {', '.join(report.unsynced)}, whose advisories were "
            "never synced; `ssc-ingest vulnerabilities sync` reads them",
            style="yellow",
        )
    if report.unsynced and not report.examined:
        return
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
