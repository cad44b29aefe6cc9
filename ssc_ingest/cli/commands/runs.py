"""``runs``: ingestions, updates and staleness runs, and their progress."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode, Failed
from ssc_ingest.cli.selecting import newest_matching, say_that_more_match

if TYPE_CHECKING:
    from ssc_ingest.resources import State
    from ssc_ingest.runs.control import RunControl
    from ssc_ingest.runs.model import Run

commands = typer.Typer(
    help="Show ingestions, updates and staleness runs; pause, resume or cancel them.\n\n"
    "[cyan]ssc-ingest runs list[/cyan]",
    no_args_is_help=True,
)


class RunKind(StrEnum):
    """The kinds of runs."""

    INGESTION = "ingestion"
    UPDATE = "update"
    STALENESS = "staleness"
    IMPORT_NAMES = "import_names"


class RunState(StrEnum):
    """The states of a run."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


POLL = 0.5
"""Seconds between two reads of a run."""

EXPLAIN_AFTER = 2.0
"""Seconds without a worker until the reason is shown."""

STYLES = {
    "failed": "red",
    "cancelled": "yellow",
    "paused": "yellow",
    "finished": "green",
    "finished with errors": "yellow",
}

RunID = Annotated[str, typer.Argument(metavar="ID", help="The run's id.")]


@commands.command("list")
def list_(
    *,
    kind: Annotated[RunKind | None, typer.Option(help="Only runs of this kind.")] = None,
    ecosystem: Annotated[
        str | None, typer.Option(help="Only runs of this ecosystem (pypi, npm ...).")
    ] = None,
    state: Annotated[RunState | None, typer.Option(help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of runs to show.")] = 20,
    as_json: output.JSONOption = False,
) -> None:
    """List the newest runs.

    [cyan]ssc-ingest runs list[/cyan]

    [cyan]ssc-ingest runs list --kind update --state failed[/cyan]
    """
    chosen = {"kind": kind, "ecosystem": ecosystem, "state": state}
    wanted = {name: str(value) for name, value in chosen.items() if value is not None}
    asyncio.run(_list(wanted, limit=limit, as_json=as_json))


@commands.command("show")
def show(
    run_id: RunID,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it ends.")] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Show one run: state, metrics and pace.

    [cyan]ssc-ingest runs show 3f2a91c07b5e[/cyan]

    The exit code is 1 if there is no such run (old ones are deleted), or if it has failed.
    """
    asyncio.run(_show(run_id, wait=wait, as_json=as_json))


@commands.command("pause")
def pause(run_id: RunID) -> None:
    """Pause a run. It publishes no more tasks until it is resumed; queued tasks continue.

    [cyan]ssc-ingest runs pause 3f2a91c07b5e[/cyan]
    """
    run = asyncio.run(_control(run_id, lambda control: control.pause(run_id)))
    output.say(
        f"{output.count(run.pending, 'package')} in the queues will still be read; "
        f"continue with: ssc-ingest runs resume {run_id}",
        style="dim",
    )


@commands.command("resume")
def resume(run_id: RunID) -> None:
    """Continue a paused run from its last page.

    [cyan]ssc-ingest runs resume 3f2a91c07b5e[/cyan]
    """
    asyncio.run(_control(run_id, lambda control: control.resume(run_id)))


@commands.command("cancel")
def cancel(run_id: RunID) -> None:
    """Cancel a run. Its queued packages are not read.

    [cyan]ssc-ingest runs cancel 3f2a91c07b5e[/cyan]

    Its results stay in the graph. The next ingestion lists the registry from the beginning; the
    next update reads the same part of the feed again.
    """
    asyncio.run(_control(run_id, lambda control: control.cancel(run_id, "cancelled by hand")))


async def _list(wanted: Mapping[str, str], *, limit: int, as_json: bool) -> None:
    from ssc_ingest import ecosystems
    from ssc_ingest.cli.connections import configured, state_store

    if ecosystem := wanted.get("ecosystem"):
        ecosystems.ecosystem(ecosystem)  # an unknown name is a usage error

    def matches(run: "Run") -> bool:
        return all(getattr(run, name) == value for name, value in wanted.items())

    async with state_store(*configured()) as state:
        runs, more = await newest_matching(state.runs.by_age(), matches, limit)
    if as_json:
        output.print_json([run.document() for run in runs])
    elif not runs and wanted:
        output.say("no run matches")
    elif not runs:
        output.say("no runs yet; `ssc-ingest ingest ECOSYSTEM` and the schedules start runs")
    else:
        output.console().print(
            output.table(
                ["run", "kind", "ecosystem", "started", "state", "packages", "errors"],
                [
                    (
                        run.id,
                        run.kind,
                        run.ecosystem,
                        output.age(run.created_at),
                        standing(run),
                        output.number(run.done),
                        _errors(run),
                    )
                    for run in runs
                ],
                right=["packages", "errors"],
                whole=["run", "started", "state"],
            )
        )
    if more:
        say_that_more_match(limit)


async def _show(run_id: str, *, wait: bool, as_json: bool) -> None:
    from ssc_ingest.cli.connections import configured, state_store

    async with state_store(*configured()) as state:
        run = await known(state, run_id)
        if wait:
            (run,) = await wait_for(state, [run])
    print_runs([run], as_json=as_json, alone=True)
    if run.state == "failed":
        raise typer.Exit(ExitCode.FAILED)


async def _control(run_id: str, action: "Callable[[RunControl], Awaitable[Run]]") -> "Run":
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.runs.control import WrongState

    async with state_store(*configured()) as state:
        await known(state, run_id)
        try:
            run = await action(state.run_control())
        except WrongState as error:
            raise Failed(str(error)) from error
    output.say(f"run {run_id} ({run.title}) is {run.state}")
    return run


async def known(state: "State", run_id: str) -> "Run":
    """Find a run by its id.

    Raises:
        Failed: no run has this id.
    """
    run = await state.runs.get(run_id)
    if run is None:
        raise Failed(f"there is no run {run_id!r}; `ssc-ingest runs list` shows the newest")
    return run


def standing(run: "Run") -> Text:
    """The state of a run, with its current phase in brackets."""
    state = run.standing
    if state == "running":
        state = f"running ({run.phase})" if run.owner else "waiting for a worker"
    return Text(state, STYLES.get(run.standing, ""))


def _errors(run: "Run") -> Text:
    errors = int(run.metrics()["errors"])
    return Text(output.number(errors), "red") if errors else Text("")


def print_runs(runs: Sequence["Run"], *, as_json: bool, alone: bool = False) -> None:
    """Print some runs; ``alone``: the command concerns only one run, so print no list."""
    if as_json:
        documents = [run.document() for run in runs]
        output.print_json(documents[0] if alone else documents)
        return
    for number, run in enumerate(runs):
        if number:
            output.say()
        print_summary(run)


def print_summary(run: "Run") -> None:
    """Print one run: its kind, progress and pace."""
    lines: list[tuple[str, object]] = [
        ("run", run.id),
        ("kind", run.title),
        ("state", standing(run)),
        ("started", output.age(run.created_at)),
    ]
    if run.finished_at:
        took = (run.finished_at - run.created_at).total_seconds()
        lines.append(("took", output.duration(took)))
    for name, value in run.metrics().items():
        shown = f"{value} %" if name.endswith("_rate") else output.number(int(value))
        lines.append((name, Text(shown, "red" if name == "errors" and value else "")))
    lines.append(("requests", output.number(run.counts["requests"])))
    if run.rate:
        lines.append(("pace", f"{run.rate:.1f} packages/s"))
    if run.pending:
        lines.append(("pending", output.number(run.pending)))
    if run.seconds_left is not None:
        lines.append(("left", f"about {output.duration(run.seconds_left)}"))
    if run.restarts:
        lines.append(("restarts", output.number(run.restarts)))
    if run.note:
        lines.append(("note", run.note))
    if run.error:
        lines.append(("error", Text(run.error, "red")))
    output.console().print(output.facts(lines))
    if run.metrics()["errors"]:
        output.say(f"failed packages: ssc-ingest dead-letters list --run {run.id}", style="dim")


async def wait_for(
    state: "State", runs: Sequence["Run"], *, check: Callable[[], None] = lambda: None
) -> list["Run"]:
    """Show the progress of runs until all have ended; also waits for paused ones.

    Raises:
        Failed: the record of a run was deleted.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    out = output.console(stderr=True)
    with Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}", style="dim"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    ) as bars:
        tasks = {
            run.id: bars.add_task(f"{run.ecosystem} {run.kind}", total=None, counts="")
            for run in runs
        }
        explained: set[str] = set()
        began = time.monotonic()
        try:
            while True:
                check()
                found = [await known(state, run_id) for run_id in tasks]
                for run in found:
                    bars.update(
                        tasks[run.id],
                        total=None if run.share is None else 1,
                        completed=run.share or 0,
                        counts=_progress(run),
                    )
                    reason = await _reason_to_wait(state, run)
                    if reason not in explained and time.monotonic() - began > EXPLAIN_AFTER:
                        explained.add(reason)
                        output.write(out, reason, style="yellow")
                if all(run.ended for run in found):
                    return found
                await asyncio.sleep(POLL)
        except asyncio.CancelledError:
            for run_id in tasks:
                output.write(out, f"the run continues: ssc-ingest runs show {run_id}")
            raise


def _progress(run: "Run") -> str:
    from ssc_ingest.runs.kinds import KINDS

    metrics = run.metrics()
    words = KINDS[run.kind].progress
    parts = [f"{output.number(int(metrics[name]))} {word}" for name, word in words.items()]
    if metrics["errors"]:
        parts.append(output.count(int(metrics["errors"]), "error"))
    if run.pending:
        parts.append(f"{output.number(run.pending)} pending")
    if run.seconds_left is not None:
        parts.append(f"about {output.duration(run.seconds_left)} left")
    return ", ".join(parts)


async def _reason_to_wait(state: "State", run: "Run") -> str:
    """The reason for a lack of progress, or an empty text."""
    from ssc_ingest.monitoring.heartbeats import workers
    from ssc_ingest.work.names import CONTROL

    about = run.title
    if run.state == "paused":
        return f"the {about} is paused; continue with: ssc-ingest runs resume {run.id}"
    if run.ended:
        return ""
    read = {queue for worker in await workers(state.redis) for queue in worker.queues}
    for queue in (CONTROL, run.queue):
        if queue not in read:
            return f"no worker reads {queue}: start one (`ssc-ingest up`)"
    return f"the {about} {run.note}" if run.note else ""
