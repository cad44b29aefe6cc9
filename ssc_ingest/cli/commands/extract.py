"""``extract``: requests packages and waits until they are in the graph."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode, Failed
from ssc_ingest.cli.reasons import reason_to_wait

if TYPE_CHECKING:
    from rich.console import Console

    from ssc_ingest.ecosystems.purls import PackageName
    from ssc_ingest.on_demand.jobs import Job
    from ssc_ingest.resources import State

POLL = 0.2
"""Seconds between two reads of a job."""

EXPLAIN_AFTER = 2.0
"""Seconds without progress until the reason is shown."""


class Follow(StrEnum):
    """The versions whose required packages are also extracted."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


def extract(
    purls: Annotated[
        list[str],
        typer.Argument(
            metavar="PURL",
            help="Package URLs. All versions of a package are read, even if the URL names one.",
        ),
    ],
    *,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait until everything is in the graph, then print a summary."),
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read packages again even if the graph has them.")
    ] = False,
    dependencies: Annotated[
        Follow,
        typer.Option(
            help="Also add, recursively, the packages required by all versions, by the latest "
            "version, or none. The limits are JOB_MAX_PACKAGES packages and JOB_MAX_REQUESTS "
            "requests."
        ),
    ] = Follow.LATEST,
    as_json: output.JSONOption = False,
) -> None:
    """Read packages and the packages that they require, and add them to the graph.

    The tasks go to the urgent queues; workers (`ssc-ingest up`) execute them.

    [cyan]ssc-ingest extract pkg:pypi/rich --wait[/cyan]

    [cyan]ssc-ingest extract pkg:npm/@types/node pkg:cargo/itoa --dependencies none[/cyan]

    [cyan]ssc-ingest extract pkg:maven/junit/junit pkg:gem/rake pkg:nuget/Serilog[/cyan]

    With --wait the exit code is 1 if a package failed. Ctrl-C stops the waiting, not the job.
    """
    asyncio.run(_extract(purls, wait=wait, refresh=refresh, follow=dependencies, as_json=as_json))


async def _extract(
    purls: Sequence[str], *, wait: bool, refresh: bool, follow: Follow, as_json: bool
) -> None:
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.on_demand.submit import named_packages, request_for, submit

    packages = named_packages(purls)
    for package in packages:
        if package.version is not None:
            output.say(
                f"{package.purl}: a version cannot be read alone, so all versions of "
                f"{package.ref.purl} are read",
                stderr=True,
            )
    async with state_store(*configured()) as state:
        job_id = await submit(
            [
                request_for(package.ref, dependencies=follow.value, refresh=refresh)
                for package in packages
            ],
            jobs=state.jobs,
            queues=state.queues,
        )
        if not wait:
            await _print_submitted(state, job_id, packages, as_json=as_json)
            return
        try:
            job = await wait_for(state, job_id, packages)
        except asyncio.CancelledError:
            output.say(f"the job continues: ssc-ingest jobs show {job_id}", stderr=True)
            raise
    from ssc_ingest.cli.commands import jobs

    if as_json:
        output.print_json(jobs.document(job))
    else:
        jobs.print_summary(job)
    if job.failed:
        raise typer.Exit(ExitCode.FAILED)


async def wait_for(
    state: "State",
    job_id: str,
    packages: Sequence["PackageName"],
    *,
    out: "Console | None" = None,
    check: Callable[[], None] = lambda: None,
    patience: float = math.inf,
) -> "Job":
    """Show the job's progress until it is finished.

    Args:
        state: the store of the job.
        job_id: the job.
        packages: the requested packages; used to explain a lack of progress.
        out: the console for the progress; stderr by default.
        check: called repeatedly; may raise to stop waiting.
        patience: seconds without progress until the job is returned unfinished.

    Raises:
        Failed: the job has expired, or Redis lost it.
    """
    watch = _Watch(out or output.console(stderr=True))
    with watch.bar:
        while True:
            check()
            job = await state.jobs.get(job_id)
            if job is None:
                raise Failed(f"job {job_id} is no longer in Redis")
            watch.update(job)
            if job.finished or watch.stuck_for > patience:
                return job
            if watch.stuck_for > EXPLAIN_AFTER:
                watch.explain(
                    await reason_to_wait(state, {package.ref.ecosystem for package in packages})
                )
            await asyncio.sleep(POLL)


class _Watch:
    """The progress bar and the explanation of a lack of progress."""

    def __init__(self, out: "Console") -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.bar = Progress(
            TextColumn("  {task.fields[packages]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}", style="dim"),
            TimeElapsedColumn(),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        )
        self._task = self.bar.add_task("", total=None, packages="waiting", counts="")
        self._moved = time.monotonic()
        self._progress = (-1, -1)
        self._explained = ""

    @property
    def stuck_for(self) -> float:
        return time.monotonic() - self._moved

    def update(self, job: "Job") -> None:
        done = job.seen - job.pending
        if (done, job.seen) != self._progress:
            self._progress, self._moved = (done, job.seen), time.monotonic()
        self.bar.update(
            self._task,
            completed=done,
            total=job.seen,
            packages=f"{done} of {output.count(job.seen, 'package')}",
            counts=f"{output.count(job.counts['versions'], 'version')}, "
            f"{output.count(job.counts['requests'], 'request')}",
        )

    def explain(self, reason: str) -> None:
        """Print a reason, unless it was the last one printed."""
        if reason and reason != self._explained:
            output.write(self.bar.console, reason, style="yellow")
        self._explained = reason


async def _print_submitted(
    state: "State", job_id: str, packages: Sequence["PackageName"], *, as_json: bool
) -> None:
    if as_json:
        output.print_json({"job_id": job_id, "packages": [p.ref.purl for p in packages]})
    else:
        output.say(f"job {job_id}: {output.count(len(packages), 'package')} requested")
        output.say(f"progress: ssc-ingest jobs show {job_id}", style="dim")
    if reason := await reason_to_wait(state, {package.ref.ecosystem for package in packages}):
        output.say(reason, stderr=True)
