"""``dead-letters``: tasks that failed permanently; replaying and deleting them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import Failed

if TYPE_CHECKING:
    from ssc_ingest.work.arguments import ReplayDeadLetters
    from ssc_ingest.work.dead_letters import DeadLetter

commands = typer.Typer(
    help="List tasks that failed permanently; replay or delete them.\n\n"
    "[cyan]ssc-ingest dead-letters list[/cyan]",
    no_args_is_help=True,
)

OWN_STREAM = "dead-letters/"
"""The stream of ids without a prefix; ids of other streams are shown with theirs."""

IDs = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids from `list`.")]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]
OfEcosystem = Annotated[
    str | None,
    typer.Option("--ecosystem", help="Only dead letters of this ecosystem (pypi, npm ...)."),
]
OfErrorType = Annotated[
    str | None, typer.Option("--error-type", help="Only errors of this type (MalformedMetadata).")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only list the dead letters; change nothing.")
]


@commands.command("list")
def list_(
    *,
    ecosystem: OfEcosystem = None,
    error_type: OfErrorType = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of dead letters to show.")] = 20,
    as_json: output.JSONOption = False,
) -> None:
    """List the newest dead letters.

    [cyan]ssc-ingest dead-letters list --ecosystem npm[/cyan]
    """
    request = _request(None, ecosystem, error_type, everything=True)
    letters, more = asyncio.run(_read(request, limit))
    if as_json:
        output.print_json([asdict(letter) for letter in letters])
    elif not letters:
        output.say("no dead letters")
    else:
        _print_table(letters)
        if more:
            output.say(f"more than {limit} match: --limit shows more", style="dim")


@commands.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The id from `list`.")],
    *,
    as_json: output.JSONOption = False,
) -> None:
    """Show one dead letter with its input and traceback.

    [cyan]ssc-ingest dead-letters show 1700000000000-0[/cyan]

    Exits with 1 if there is no such dead letter.
    """
    letters, _ = asyncio.run(_read(_request([letter_id], None, None, everything=False), 1))
    if not letters:
        raise Failed(f"there is no dead letter {letter_id!r}; `ssc-ingest dead-letters list`")
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
    everything: Everything = False,
    dry_run: DryRun = False,
    as_json: output.JSONOption = False,
) -> None:
    """Put dead letters back on their queues, with the full number of attempts.

    [cyan]ssc-ingest dead-letters replay 1700000000000-0[/cyan]

    [cyan]ssc-ingest dead-letters replay --error-type RegistryUnavailable[/cyan]

    [cyan]ssc-ingest dead-letters replay --all --dry-run[/cyan]
    """
    request = _request(ids, ecosystem, error_type, everything=everything)
    done = asyncio.run(_replay(request, dry_run=dry_run))
    _print_done("replayed", done, dry_run=dry_run, as_json=as_json)


@commands.command("purge")
def purge(
    ids: IDs = None,
    *,
    ecosystem: OfEcosystem = None,
    error_type: OfErrorType = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Delete dead letters.

    [cyan]ssc-ingest dead-letters purge --error-type PackageNotFound --yes[/cyan]
    """
    request = _request(ids, ecosystem, error_type, everything=everything)
    chosen = asyncio.run(_replay(request, dry_run=True))
    if chosen and not dry_run:
        question = f"delete {output.count(len(chosen), 'dead letter')} permanently?"
        if not yes and not typer.confirm(question, err=True):
            raise typer.Abort
        asyncio.run(_delete(chosen))
    _print_done("deleted", chosen, dry_run=dry_run, as_json=as_json)


@commands.command("export")
def export(
    ids: IDs = None, *, ecosystem: OfEcosystem = None, error_type: OfErrorType = None
) -> None:
    """Print dead letters as JSON lines, with input and traceback.

    [cyan]ssc-ingest dead-letters export > dead-letters.jsonl[/cyan]
    """
    request = _request(ids, ecosystem, error_type, everything=True)
    asyncio.run(_export(request))


def _request(
    ids: list[str] | None, ecosystem: str | None, error_type: str | None, *, everything: bool
) -> "ReplayDeadLetters":
    from ssc_ingest import ecosystems
    from ssc_ingest.errors import InvalidArguments
    from ssc_ingest.work.arguments import ReplayDeadLetters

    if ecosystem is not None:
        ecosystems.ecosystem(ecosystem)  # an unknown name is a usage error
    if ids and (ecosystem or error_type):
        raise InvalidArguments("give ids or a filter, not both")
    if not (ids or ecosystem or error_type or everything):
        raise InvalidArguments("which ones? give ids, --ecosystem, --error-type or --all")
    return ReplayDeadLetters(
        ids=ids or [], ecosystem=ecosystem, error_type=error_type, all=everything
    )


async def _read(request: "ReplayDeadLetters", most: int) -> tuple[list["DeadLetter"], bool]:
    """At most ``most`` dead letters, and whether there are more."""
    letters: list[DeadLetter] = []
    async with _state() as state:
        async for letter in state.replay().select(request):
            if len(letters) == most:
                return letters, True
            letters.append(letter)
    return letters, False


async def _replay(request: "ReplayDeadLetters", *, dry_run: bool) -> list[str]:
    async with _state() as state:
        if dry_run:
            return [letter.id async for letter in state.replay().select(request)]
        replayed: list[str] = await state.replay().replay(request)
        return replayed


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


def _print_table(letters: Sequence["DeadLetter"]) -> None:
    output.console().print(
        output.table(
            ["id", "about", "error", "tries", "when"],
            [
                (
                    letter.id.removeprefix(OWN_STREAM),
                    letter.subject,
                    Text(_short(letter.error), "red"),
                    letter.attempts,
                    output.age(letter.last_at),
                )
                for letter in letters
            ],
            right=["tries"],
            whole=["id"],
        )
    )


def _short(text: str, most: int = 120) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= most else f"{line[:most]}..."


def _print_done(verb: str, ids: Sequence[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        output.print_json({"ids": list(ids), "dry_run": dry_run})
        return
    if dry_run:
        for letter_id in ids:
            output.say(letter_id)
        output.say(f"{output.count(len(ids), 'dead letter')} would be {verb}", stderr=True)
    else:
        output.say(f"{output.count(len(ids), 'dead letter')} {verb}")
