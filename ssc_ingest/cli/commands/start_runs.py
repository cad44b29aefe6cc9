"""``ingest`` and ``update``: start a run that reads a whole registry, or its changes."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli.commands import runs
from ssc_ingest.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from ssc_ingest.resources import State
    from ssc_ingest.runs.dry_run import Estimate
    from ssc_ingest.runs.kinds import Kind
    from ssc_ingest.runs.model import Run

EcosystemName = Annotated[
    str,
    typer.Argument(
        metavar="ECOSYSTEM|all",
        help="A registry (pypi, npm, maven, cargo, rubygems or nuget), or all.",
    ),
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Show the progress until the run ends, then its results."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only estimate the number of packages, requests and hours; start no run.",
    ),
]


def ingest(
    ecosystem: EcosystemName,
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many new packages per registry.")
    ] = None,
    wait: Wait = False,
    dry_run: DryRun = False,
    as_json: output.JSONOption = False,
) -> None:
    """List a registry and add every package that the graph lacks.

    A whole registry takes hours or days. The run continues if a process is killed.

    [cyan]ssc-ingest ingest cargo --dry-run[/cyan]

    [cyan]ssc-ingest ingest pypi --limit 100 --wait[/cyan]

    With --wait the exit code is 1 if a run failed. Ctrl-C stops the waiting, not the run.
    """
    asyncio.run(
        _start("ingestion", ecosystem, limit=limit, wait=wait, dry_run=dry_run, as_json=as_json)
    )


def update(
    ecosystem: EcosystemName,
    *,
    wait: Wait = False,
    dry_run: DryRun = False,
    as_json: output.JSONOption = False,
) -> None:
    """Read the changes of a registry since the last update.

    Packages that the graph lacks are added only with UPDATES_ADD_PACKAGES=true. Without an earlier
    ingestion, the first update only stores the end of the registry's feed.

    [cyan]ssc-ingest update npm --wait[/cyan]

    With --wait the exit code is 1 if a run failed. Ctrl-C stops the waiting, not the run.
    """
    asyncio.run(
        _start("update", ecosystem, limit=None, wait=wait, dry_run=dry_run, as_json=as_json)
    )


async def _start(
    kind: "Kind", name: str, *, limit: int | None, wait: bool, dry_run: bool, as_json: bool
) -> None:
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.ecosystems import ecosystem, ecosystems

    names = list(ecosystems()) if name == "all" else [ecosystem(name).identity.name]
    if dry_run:
        await _estimate(kind, names, limit=limit, as_json=as_json, alone=name != "all")
        return
    async with state_store(*configured()) as state:
        started = [await _begin(state, kind, each, limit) for each in names]
        if not wait:
            if as_json:
                runs.print_runs(started, as_json=True, alone=name != "all")
            else:
                for run in started:
                    output.say(f"progress: ssc-ingest runs show {run.id}", style="dim")
            return
        ended = await runs.wait_for(state, started)
    runs.print_runs(ended, as_json=as_json, alone=name != "all")
    if any(run.state == "failed" for run in ended):
        raise typer.Exit(ExitCode.FAILED)


async def _begin(state: "State", kind: "Kind", name: str, limit: int | None) -> "Run":
    run, is_new = await state.run_control().begin(kind, name, limit=limit)
    if is_new:
        text = f"run {run.id}: {kind} of {name} starts"
    else:
        text = f"run {run.id}: {kind} of {name} is already {run.state}; no other was started"
    output.say(text, stderr=True)
    return run


async def _estimate(
    kind: "Kind", names: Sequence[str], *, limit: int | None, as_json: bool, alone: bool
) -> None:
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from ssc_ingest.cli.connections import configured, configured_stores_answer
    from ssc_ingest.resources import open_resources
    from ssc_ingest.runs.dry_run import estimate

    settings, servers = configured()
    await configured_stores_answer(settings, servers)
    out = output.console(stderr=True)
    with Progress(
        TextColumn("  {task.description}"),
        TextColumn("{task.fields[counts]}", style="dim"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    ) as bars:
        found = []
        async with open_resources(settings, servers) as resources:
            for name in names:
                task = bars.add_task(f"{name} {kind}", total=None, counts="")

                def show(so_far: "Estimate", task: int = task) -> None:
                    counts = f"{output.number(so_far.listed)} listed"
                    bars.update(task, counts=f"{counts}, {output.number(so_far.packages)} to read")  # type: ignore[arg-type] # rich's TaskID is an int

                services = resources.run_services(name)
                found.append(await estimate(services, kind, limit=limit, on_progress=show))
                bars.update(task, total=1, completed=1)
    if as_json:
        documents = [asdict(each) for each in found]
        output.print_json(documents[0] if alone else documents)
    else:
        _print_estimates(found)


def _print_estimates(found: Sequence["Estimate"]) -> None:
    output.console().print(
        output.table(
            ["ecosystem", "listed", "to read", "requests", "hours", "note"],
            [
                (
                    each.ecosystem,
                    output.number(each.listed),
                    output.number(each.packages),
                    output.number(each.pages_requests + each.packages_requests),
                    f"{each.hours:,.1f}",
                    each.note,
                )
                for each in found
            ],
            right=["listed", "to read", "requests", "hours"],
        )
    )
    output.say(
        "requests and hours are estimates at the configured rates; no run was started",
        style="dim",
    )
