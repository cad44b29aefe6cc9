"""``jobs``: on-demand requests for packages and their progress."""

import asyncio
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import Failed
from ssc_ingest.cli.reasons import reason_of_job
from ssc_ingest.cli.selecting import newest_matching, say_that_more_match

if TYPE_CHECKING:
    from ssc_ingest.on_demand.jobs import Job

commands = typer.Typer(
    help="List on-demand jobs and show their progress.\n\n[cyan]ssc-ingest jobs list[/cyan]",
    no_args_is_help=True,
)


class Standing(StrEnum):
    """The states of a job."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


SHOWN = 10
"""Maximum number of missing packages and of failures to list."""


@commands.command("list")
def list_(
    *,
    state: Annotated[
        Standing | None, typer.Option(help="Only jobs in this state; failed ones have ended.")
    ] = None,
    ecosystem: Annotated[
        str | None, typer.Option(help="Only jobs for packages of this ecosystem (pypi, npm ...).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs to show.")] = 20,
    as_json: output.JSONOption = False,
) -> None:
    """List the jobs of the last day, newest first.

    [cyan]ssc-ingest jobs list[/cyan]

    [cyan]ssc-ingest jobs list --state failed --ecosystem npm[/cyan]
    """
    asyncio.run(_list(state, ecosystem, limit=limit, as_json=as_json))


@commands.command("show")
def show(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.")],
    *,
    as_json: output.JSONOption = False,
) -> None:
    """Show one job: packages done, pending and failed, with reasons, and why pending ones wait.

    [cyan]ssc-ingest jobs show 3f2a91c07b5e[/cyan]

    The exit code is 1 if there is no such job (jobs are kept for a day).
    """
    asyncio.run(_show(job_id, as_json=as_json))


async def _list(
    wanted: Standing | None, ecosystem: str | None, *, limit: int, as_json: bool
) -> None:
    from ssc_ingest.cli.connections import configured, state_store

    start = _purls_of(ecosystem) if ecosystem else ""

    def matches(job: "Job") -> bool:
        return (wanted is None or standing(job) == wanted) and (
            not start or any(purl.startswith(start) for purl in job.roots)
        )

    async with state_store(*configured()) as state:
        jobs, more = await newest_matching(state.jobs.newest(), matches, limit)
    if as_json:
        output.print_json([document(job) for job in jobs])
    elif not jobs and (wanted or ecosystem):
        output.say("no job of the last day matches")
    elif not jobs:
        output.say("no jobs in the last day; `ssc-ingest extract PURL` creates one")
    else:
        output.console().print(
            output.table(
                ["job", "requested", "when", "state", "packages", "failed"],
                [
                    (
                        job.id,
                        _roots(job),
                        output.age(job.created_at),
                        standing(job),
                        f"{job.seen - job.pending}/{job.seen}",
                        Text(str(len(job.failed)), "red") if job.failed else "",
                    )
                    for job in jobs
                ],
                right=["packages", "failed"],
                whole=["job", "when"],
            )
        )
    if more:
        say_that_more_match(limit)


def _purls_of(ecosystem: str) -> str:
    """The first characters of the package URLs of an ecosystem.

    Raises:
        UnknownEcosystem: no ecosystem has this name.
    """
    from ssc_ingest import ecosystems

    return f"pkg:{ecosystems.ecosystem(ecosystem).identity.purl_type}/"


async def _show(job_id: str, *, as_json: bool) -> None:
    from ssc_ingest.cli.connections import configured, state_store

    async with state_store(*configured()) as state:
        job = await state.jobs.get(job_id)
        if job is None:
            raise Failed(
                f"there is no job {job_id!r}; `ssc-ingest jobs list` shows those of the last day"
            )
        reason = await reason_of_job(state, job)
    if as_json:
        output.print_json({**document(job), "waits_for": reason or None})
    else:
        print_summary(job)
        if reason:
            output.say(reason, style="yellow")


def document(job: "Job") -> dict[str, Any]:
    """A job as JSON."""
    return {**asdict(job), "finished": job.finished}


def standing(job: "Job") -> Standing:
    """``running``, ``done``, or ``failed`` if it is done with failures."""
    if not job.finished:
        return Standing.RUNNING
    return Standing.FAILED if job.failed else Standing.DONE


def _roots(job: "Job") -> str:
    first, *others = job.roots or ("",)
    return f"{first} and {len(others)} more" if others else first


def print_summary(job: "Job") -> None:
    """Print the results of a job and its failures."""
    from ssc_ingest.models import Outcome, now

    counts = job.counts
    took = ((job.finished_at or now()) - job.created_at).total_seconds()
    new, present = counts[Outcome.EXTRACTED], counts[Outcome.PRESENT]
    packages = f"{output.number(new)} read"
    if present:
        packages += (
            f", {output.number(present)} {'was' if present == 1 else 'were'} already in the graph"
        )
    lines: list[tuple[str, object]] = [
        ("job", job.id),
        ("requested", ", ".join(job.roots)),
        ("dependencies", job.dependencies),
        ("state", f"{standing(job)} {'after' if job.finished else 'for'} {output.duration(took)}"),
        ("packages", packages),
        ("versions", output.number(counts["versions"])),
        ("requirements", output.number(counts["requirements"])),
        ("requests", output.number(counts["requests"])),
    ]
    if job.pending:
        lines.append(("pending", output.number(job.pending)))
    if job.left_over:
        budget = "beyond the job's budget: they stay stubs (JOB_MAX_PACKAGES, JOB_MAX_REQUESTS)"
        lines.append(("left over", f"{output.number(job.left_over)} {budget}"))
    if job.direct:
        lines.append(("direct requirements", _direct(job)))
    if job.missing:
        lines.append(("not found", f"{_some(job.missing)}: not in their registries"))
    out = output.console()
    out.print(output.facts(lines))
    if job.failed:
        out.print()
        out.print(
            output.table(
                ["failed", "why"],
                [(purl, Text(why, "red")) for purl, why in sorted(job.failed.items())][:SHOWN],
            )
        )
        output.say("details, with tracebacks: ssc-ingest dead-letters list", style="dim")


def _direct(job: "Job") -> str:
    text = f"{output.number(job.direct - job.filling)} of {output.number(job.direct)} filled"
    if job.unfilled:
        limit = "JOB_MAX_DIRECT_REQUIREMENTS"
        text += f"; {output.number(job.unfilled)} more stay stubs ({limit})"
    return f"{text}, of all versions, beyond the budget"


def _some(purls: tuple[str, ...]) -> str:
    shown = ", ".join(purls[:SHOWN])
    return f"{shown} and {len(purls) - SHOWN} more" if len(purls) > SHOWN else shown
