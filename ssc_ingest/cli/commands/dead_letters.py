"""``dead-letters``: tasks that failed permanently; replaying and deleting them."""

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.durations import parse_duration
from ssc_ingest.cli.exit_codes import ExitCode, Failed
from ssc_ingest.cli.selecting import say_that_more_match

if TYPE_CHECKING:
    from ssc_ingest.work.arguments import ReplayDeadLetters
    from ssc_ingest.work.dead_letters import DeadLetter

commands = typer.Typer(
    help="List tasks that failed permanently; replay or delete them.\n\n"
    "[cyan]ssc-ingest dead-letters list[/cyan]",
    no_args_is_help=True,
)

OWN_STREAM = "dead-letters/"
"""Ids of this stream are shown without a prefix, ids of other streams with their stream's name."""

IDs = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids from `list`.")]
Everything = Annotated[bool, typer.Option("--all", help="Select all dead letters.")]
OfEcosystem = Annotated[
    str | None,
    typer.Option("--ecosystem", help="Select dead letters of this ecosystem (pypi, npm ...)."),
]
OfErrorType = Annotated[
    str | None,
    typer.Option(
        "--error-type", help="Select dead letters with this type of error (MalformedMetadata)."
    ),
]
OfJob = Annotated[
    str | None, typer.Option("--job", help="Select dead letters of this job (`jobs list`).")
]
OfRun = Annotated[
    str | None, typer.Option("--run", help="Select dead letters of this run (`runs list`).")
]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", help="Select dead letters older than this (3d).")
]
NewerThan = Annotated[
    str | None, typer.Option("--newer-than", help="Select dead letters newer than this (2h).")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only list the dead letters; change nothing.")
]


@commands.command("list")
def list_(
    *,
    ecosystem: OfEcosystem = None,
    error_type: OfErrorType = None,
    job: OfJob = None,
    run: OfRun = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of dead letters to show.")] = 20,
    as_json: output.JSONOption = False,
) -> None:
    """List the newest dead letters.

    [cyan]ssc-ingest dead-letters list --ecosystem npm[/cyan]
    """
    chosen = _Filter(ecosystem, error_type, job, run, older_than, newer_than)
    request = _request(None, chosen, everything=True)
    letters, more = asyncio.run(_read(request, limit))
    if as_json:
        output.print_json([asdict(letter) for letter in letters])
    elif not letters:
        output.say("no dead letters")
    else:
        _print_table(map(_row, letters))
        if more:
            say_that_more_match(limit)


@commands.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The id from `list`.")],
    *,
    as_json: output.JSONOption = False,
) -> None:
    """Show one dead letter with its input and traceback.

    [cyan]ssc-ingest dead-letters show 1700000000000-0[/cyan]

    The exit code is 1 if there is no such dead letter.
    """
    letters, _ = asyncio.run(_read(_request([letter_id], _Filter(), everything=False), 1))
    if not letters:
        raise Failed(
            f"there is no dead letter {letter_id!r}; "
            "`ssc-ingest dead-letters list` shows the newest"
        )
    (letter,) = letters
    if as_json:
        output.print_json(asdict(letter))
        return
    out = output.console()
    out.print(
        output.facts(
            [
                ("id", letter.id),
                ("about", letter.subject),
                ("error", Text(letter.error, "red")),
                ("task", f"{letter.task} {letter.task_id}"),
                ("queue", letter.queue),
                ("arguments", output.json_line(letter.kwargs)),
                *([("message", letter.data)] if letter.data is not None else []),
                ("attempts", letter.attempts),
                ("first", f"{letter.first_at:%Y-%m-%d %H:%M:%S %Z}"),
                ("last", f"{letter.last_at:%Y-%m-%d %H:%M:%S %Z} ({output.age(letter.last_at)})"),
                ("version", letter.version),
                *_history(letter),
            ]
        )
    )
    if letter.traceback:
        out.print()
        output.say(letter.traceback.rstrip(), style="dim")


@commands.command("replay")
def replay(
    ids: IDs = None,
    *,
    ecosystem: OfEcosystem = None,
    error_type: OfErrorType = None,
    job: OfJob = None,
    run: OfRun = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    as_json: output.JSONOption = False,
) -> None:
    """Return tasks to their queues, with the full number of attempts.

    [cyan]ssc-ingest dead-letters replay 1700000000000-0[/cyan]

    [cyan]ssc-ingest dead-letters replay --error-type RegistryUnavailable[/cyan]

    [cyan]ssc-ingest dead-letters replay --job 3f2a91c07b5e --dry-run[/cyan]

    If a dead letter came from another program's stream, its entry returns to that stream. A task
    that fails again becomes one dead letter, which also shows the earlier failures.

    The exit code is 1 if one of the ids cannot be replayed.
    """
    chosen = _Filter(ecosystem, error_type, job, run, older_than, newer_than)
    request = _request(ids, chosen, everything=everything)
    if dry_run:
        _show(request, ids, "would be replayed", as_json=as_json)
        return
    ids, kept = asyncio.run(_replay(request))
    if as_json:
        output.print_json({"ids": ids, "kept": kept, "dry_run": False})
    else:
        output.say(f"{output.count(len(ids), 'dead letter')} replayed")
        for letter_id, reason in kept.items():
            output.say(f"{letter_id.removeprefix(OWN_STREAM)} stays: {reason}", stderr=True)
    if kept and request.ids:
        raise typer.Exit(ExitCode.FAILED)


@commands.command("purge")
def purge(
    ids: IDs = None,
    *,
    ecosystem: OfEcosystem = None,
    error_type: OfErrorType = None,
    job: OfJob = None,
    run: OfRun = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Delete dead letters.

    [cyan]ssc-ingest dead-letters purge --error-type PackageNotFound --yes[/cyan]
    """
    chosen = _Filter(ecosystem, error_type, job, run, older_than, newer_than)
    request = _request(ids, chosen, everything=everything)
    if dry_run:
        _show(request, ids, "would be deleted", as_json=as_json)
        return
    chosen_ids = asyncio.run(_ids(request))
    amount = output.count(len(chosen_ids), "dead letter")
    if chosen_ids and not yes and not typer.confirm(f"delete {amount} permanently?", err=True):
        raise typer.Abort
    asyncio.run(_delete(chosen_ids))
    if as_json:
        output.print_json({"ids": chosen_ids, "dry_run": False})
    else:
        output.say(f"{amount} deleted")
    _all_exist(ids, chosen_ids, has_printed=as_json)


@commands.command("export")
def export(
    ids: IDs = None,
    *,
    ecosystem: OfEcosystem = None,
    error_type: OfErrorType = None,
    job: OfJob = None,
    run: OfRun = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
) -> None:
    """Print dead letters as JSON lines, with input and traceback.

    [cyan]ssc-ingest dead-letters export > dead-letters.jsonl[/cyan]
    """
    chosen = _Filter(ecosystem, error_type, job, run, older_than, newer_than)
    request = _request(ids, chosen, everything=not ids)
    asyncio.run(_export(request))


def _all_exist(ids: list[str] | None, found: Collection[str], *, has_printed: bool) -> None:
    """Check that each of the given ids names a dead letter.

    Raises:
        Failed: some do not.
    """
    if ids and len(found) < len({each.removeprefix(OWN_STREAM) for each in ids}):
        raise Failed(
            "some of the ids name no dead letter; `ssc-ingest dead-letters list` shows the ids",
            has_printed=has_printed,
        )


@dataclass(frozen=True, slots=True)
class _Filter:
    """The options that choose dead letters."""

    ecosystem: str | None = None
    error_type: str | None = None
    job_id: str | None = None
    run_id: str | None = None
    older_than: str | None = None
    newer_than: str | None = None


def _request(ids: list[str] | None, chosen: _Filter, *, everything: bool) -> "ReplayDeadLetters":
    from ssc_ingest import ecosystems
    from ssc_ingest.errors import InvalidArguments
    from ssc_ingest.work.arguments import ReplayDeadLetters

    if chosen.ecosystem is not None:
        ecosystems.ecosystem(chosen.ecosystem)  # an unknown name is a usage error
    is_filtered = chosen != _Filter()
    if ids and (is_filtered or everything):
        raise InvalidArguments("give ids, a filter or --all: ids cannot be combined")
    if not (ids or is_filtered or everything):
        raise InvalidArguments("no dead letters selected: give ids, a filter (see --help) or --all")
    return ReplayDeadLetters(
        ids=ids or [],
        ecosystem=chosen.ecosystem,
        error_type=chosen.error_type,
        job_id=chosen.job_id,
        run_id=chosen.run_id,
        since=_milliseconds_before(chosen.newer_than),
        until=_milliseconds_before(chosen.older_than),
        all=everything,
    )


def _milliseconds_before(age: str | None) -> int | None:
    """The time at that age, in milliseconds since 1970, as in the ids of dead letters."""
    if age is None:
        return None
    return int((time.time() - parse_duration(age)) * 1000)


async def _read(request: "ReplayDeadLetters", most: int) -> tuple[list["DeadLetter"], bool]:
    """At most ``most`` dead letters, and whether there are more."""
    letters: list[DeadLetter] = []
    async with _state() as state:
        async for letter in state.replay().select(request):
            if len(letters) == most:
                return letters, True
            letters.append(letter)
    return letters, False


async def _ids(request: "ReplayDeadLetters") -> list[str]:
    async with _state() as state:
        return [letter.id async for letter in state.replay().select(request)]


async def _found(request: "ReplayDeadLetters") -> dict[str, output.Row]:
    """The ids of the selected dead letters, each with its line of the table."""
    async with _state() as state:
        return {letter.id: _row(letter) async for letter in state.replay().select(request)}


async def _replay(request: "ReplayDeadLetters") -> tuple[list[str], dict[str, str]]:
    """Replay dead letters; returns the replayed ids, and the reason for each of the others."""
    async with _state() as state:
        replayed = await state.replay().replay(request)
        return replayed.ids, replayed.kept


async def _delete(ids: Sequence[str]) -> None:
    async with _state() as state:
        await state.dead_letters.delete(ids)


async def _export(request: "ReplayDeadLetters") -> None:
    async with _state() as state:
        async for letter in state.replay().select(request):
            typer.echo(output.json_line(asdict(letter)))


def _state() -> Any:
    from ssc_ingest.cli.connections import configured, state_store

    return state_store(*configured())


def _row(letter: "DeadLetter") -> output.Row:
    return (
        letter.id.removeprefix(OWN_STREAM),
        letter.subject,
        Text(_short(letter.error), "red"),
        letter.attempts + sum(each.attempts for each in letter.history),
        output.age(letter.last_at),
    )


def _print_table(rows: Iterable[output.Row]) -> None:
    headings = ["id", "about", "error", "tries", "when"]
    output.console().print(output.table(headings, rows, right=["tries"], whole=["id"]))


def _show(request: "ReplayDeadLetters", ids: list[str] | None, fate: str, *, as_json: bool) -> None:
    """Print what a dry run has selected.

    Raises:
        Failed: some of the given ids name no dead letter.
    """
    found = asyncio.run(_found(request))
    if as_json:
        output.print_json({"ids": list(found), "dry_run": True})
    else:
        if found:
            _print_table(found.values())
        output.say(f"{output.count(len(found), 'dead letter')} {fate}", stderr=True)
    _all_exist(ids, found, has_printed=as_json)


def _history(letter: "DeadLetter") -> list[tuple[str, object]]:
    lines = [f"{one.at:.19} after {one.attempts}: {_short(one.error)}" for one in letter.history]
    return [("replayed after", "\n".join(lines))] if lines else []


def _short(text: str, most: int = 120) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= most else f"{line[:most]}..."
