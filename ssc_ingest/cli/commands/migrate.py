"""``migrate``: converts a graph of the reference implementation."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import Failed

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings

LINE_INTERVAL = 10.0
"""Seconds between lines about the same step, without a terminal."""


def migrate(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the changes; write nothing.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Do not check in Redis whether workers are running."),
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Convert a graph of the reference implementation (the earlier program in Dagster), in place.

    Packages and versions get purls, duplicates are merged, versions are renumbered, requirements
    are repaired; element ids do not change.

    First stop everything that writes to the graph, and back it up. After Ctrl-C or a crash, run it
    again: it continues where it stopped. A graph that is already converted does not change.

    [cyan]ssc-ingest migrate --dry-run[/cyan]

    [cyan]ssc-ingest migrate[/cyan]

    docs/migration.md explains each change. The exit code is 1 if workers are running, and 69 if
    Redis does not respond.
    """
    asyncio.run(_migrate(dry_run=dry_run, force=force, as_json=as_json))


async def _migrate(*, dry_run: bool, force: bool, as_json: bool) -> None:
    from ssc_ingest import migration
    from ssc_ingest.cli.connections import configured, graph_store
    from ssc_ingest.ecosystems import ecosystems

    settings, servers = configured()
    if not (dry_run or force):
        await _refuse_beside_workers(settings, servers)
    started = time.monotonic()
    watch = Watch(output.console(stderr=True))
    async with graph_store(settings, servers) as driver:
        work = migration.survey if dry_run else migration.migrate
        try:
            with watch:
                counts = await work(driver, ecosystems().values(), watch)
        except asyncio.CancelledError:
            if not dry_run:
                output.say("stopped: `ssc-ingest migrate` continues from here", stderr=True)
            raise
    seconds = time.monotonic() - started
    if as_json:
        output.print_json(_document(counts, dry_run=dry_run, seconds=seconds))
    else:
        _print_summary(counts, dry_run=dry_run, seconds=seconds)


async def _refuse_beside_workers(settings: "Settings", servers: "Servers") -> None:
    from ssc_ingest.cli.connections import state_store
    from ssc_ingest.monitoring.heartbeats import workers

    async with state_store(settings, servers) as state:
        running = await workers(state.redis)
    if running:
        names = ", ".join(worker.hostname for worker in running)
        raise Failed(
            f"{output.count(len(running), 'worker')} would write to the graph during the "
            f"migration: {names}; "
            "stop the fleet first (a killed worker counts as running for 20 s), or use --force"
        )


class Watch:
    """One progress bar per step on a terminal; elsewhere a line every few seconds."""

    def __init__(self, out: Console) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._out = out
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}", style="progress.download"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=out,
            disable=not out.is_terminal,
        )
        self._task: TaskID | None = None
        self._title = ""
        self._done = 0
        self._total: int | None = None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        self._bar.stop()

    def begin(self, title: str, total: int | None, done: int = 0) -> None:
        """Show a new step below the finished one."""
        self._finish()
        self._title, self._total, self._done = title, total, done
        self._task = self._bar.add_task(title, total=total, completed=done, counts=self._counts)
        self._last_line = time.monotonic()
        if not self._out.is_terminal:
            of = "" if total is None else f": {output.number(total)}"
            self.say(f"{title}{of}")

    def advance(self, amount: int) -> None:
        """Move the bar, or print the progress."""
        self._done += amount
        if self._task is not None:
            self._bar.update(self._task, advance=amount, counts=self._counts)
        if not self._out.is_terminal and time.monotonic() - self._last_line > LINE_INTERVAL:
            self._last_line = time.monotonic()
            of = "" if self._total is None else f" of {output.number(self._total)}"
            self.say(f"{self._title}: {output.number(self._done)}{of}")

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        output.write(self._bar.console, text)

    @property
    def _counts(self) -> str:
        """Nodes that are done, of all; nothing for a step that does not count them."""
        if self._total is None:
            return ""
        # Nodes with a new lower-case name are done twice, so more may be done than there are.
        return f"{output.number(self._done)}/{output.number(max(self._total, self._done))}"

    def _finish(self) -> None:
        if self._task is not None:
            self._done = max(self._done, self._total or 0)
            with suppress(KeyError):
                self._bar.update(self._task, total=1, completed=1, counts=self._counts)
            self._task = None


def _document(counts: Mapping[str, int], *, dry_run: bool, seconds: float) -> dict[str, object]:
    from ssc_ingest.migration.progress import COUNTS

    return {
        "dry_run": dry_run,
        "seconds": round(seconds, 1),
        "counts": {key: counts.get(key, 0) for key in COUNTS},
    }


def _print_summary(counts: Counter[str], *, dry_run: bool, seconds: float) -> None:
    from ssc_ingest.migration.progress import COUNTS

    done = {text: output.number(counts[key]) for key, text in COUNTS.items() if counts[key]}
    width = max(map(len, done.values()), default=0)
    for text, amount in done.items():
        output.say(f"{amount:>{width}}  {text}")
    took = output.duration(seconds)
    if dry_run:
        output.say(
            f"nothing was written; the check took {took}" if done else "the graph is correct"
        )
        return
    output.say(f"the graph is correct ({took})")
    output.say(
        "`ssc-ingest check` checks the result; later updates read requirements again",
        style="dim",
    )
