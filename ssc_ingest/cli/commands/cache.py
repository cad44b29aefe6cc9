"""``cache``: lists and clears cached responses of registries."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import Failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ssc_ingest.control.cache import Cache, Entry

commands = typer.Typer(
    help="List and clear cached responses of registries.\n\n[cyan]ssc-ingest cache list[/cyan]",
    no_args_is_help=True,
)


@dataclass(slots=True)
class Sum:
    """All entries of one kind."""

    entries: int = 0
    size: int = 0
    oldest: float = 0.0


@commands.command("list")
def list_(
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="A key or a pattern: 'import_names:npm:*'."),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of entries to show.")] = 50,
    as_json: output.JSONOption = False,
) -> None:
    """List the number, total size and age of each kind of entry, or the matching entries.

    [cyan]ssc-ingest cache list[/cyan]

    [cyan]ssc-ingest cache list 'document:*parent*'[/cyan]
    """
    if pattern is None:
        _print_sums(asyncio.run(_sums()), as_json=as_json)
        return
    entries, more = asyncio.run(_entries(pattern, limit))
    if as_json:
        output.print_json([_document(entry) for entry in entries])
    elif not entries:
        output.say("nothing matches")
    else:
        _print_entries(entries)
        if more:
            output.say(f"more than {limit} match: --limit shows more", style="dim")


@commands.command("clear")
def clear(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key or a pattern; '*' matches all entries.")
    ],
    *,
    as_json: output.JSONOption = False,
) -> None:
    """Remove entries. Workers request the documents again when they need them; no work is lost.

    [cyan]ssc-ingest cache clear import_names:pypi:requests:2.32.3[/cyan]

    [cyan]ssc-ingest cache clear 'import_names:*'[/cyan]

    The exit code is 1 if nothing matches.
    """
    removed = asyncio.run(_clear(key))
    if as_json:
        output.print_json({"removed": removed})
    elif removed:
        output.say(f"{output.count(removed, 'entry')} removed")
    if not removed:
        raise Failed(
            f"nothing matches {key!r}; `ssc-ingest cache list` lists the entries",
            has_printed=as_json,
        )


@asynccontextmanager
async def _cache() -> "AsyncIterator[Cache]":
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.control.cache import Cache

    async with state_store(*configured()) as state:
        yield Cache(state.cache)


async def _sums() -> dict[str, Sum]:
    from ssc_ingest.control.cache import KINDS

    sums = {kind.name: Sum() for kind in KINDS}
    with output.console(stderr=True).status("counting"):
        async with _cache() as cache:
            async for entry in cache.entries():
                total = sums.setdefault(entry.kind.name if entry.kind else "other", Sum())
                total.entries += 1
                total.size += entry.size
                total.oldest = max(total.oldest, entry.age or 0.0)
    return sums


async def _entries(pattern: str, most: int) -> "tuple[list[Entry], bool]":
    """At most ``most`` entries, and whether there are more."""
    found: list[Entry] = []
    async with _cache() as cache:
        async for entry in cache.entries(pattern):
            if len(found) == most:
                return found, True
            found.append(entry)
    return sorted(found, key=lambda entry: entry.key), False


async def _clear(pattern: str) -> int:
    async with _cache() as cache:
        return await cache.clear(pattern)


def _print_sums(sums: dict[str, Sum], *, as_json: bool) -> None:
    from ssc_ingest.control.cache import KINDS

    kinds = {kind.name: kind for kind in KINDS}
    if as_json:
        output.print_json(
            {
                name: {
                    "entries": total.entries,
                    "bytes": total.size,
                    "oldest_seconds": round(total.oldest),
                    "kept_for_seconds": kinds[name].kept_for if name in kinds else None,
                }
                for name, total in sums.items()
            }
        )
        return
    output.console().print(
        output.table(
            ["kind", "entries", "size", "oldest", "kept for", "what"],
            [
                (
                    name,
                    output.number(total.entries),
                    _size(total.size),
                    output.duration(total.oldest) if total.entries else "",
                    output.duration(kinds[name].kept_for) if name in kinds else "",
                    kinds[name].about if name in kinds else "from another version of SSC Ingest",
                )
                for name, total in sums.items()
            ],
            right=["entries", "size"],
            whole=["kind"],
        )
    )


def _print_entries(entries: "list[Entry]") -> None:
    output.console().print(
        output.table(
            ["key", "size", "age", "expires in"],
            [
                (
                    entry.key,
                    _size(entry.size),
                    "" if entry.age is None else output.duration(entry.age),
                    "" if entry.expires_in is None else output.duration(entry.expires_in),
                )
                for entry in entries
            ],
            right=["size"],
            whole=["age", "expires in"],
        )
    )


def _document(entry: "Entry") -> dict[str, Any]:
    return {
        "key": entry.key,
        "kind": entry.kind.name if entry.kind else None,
        "bytes": entry.size,
        "age_seconds": entry.age,
        "expires_in_seconds": entry.expires_in,
    }


def _size(amount: int) -> str:
    """``512 B``, ``1.5 kB``, ``20 MB``."""
    size = float(amount)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004
            break
        size /= 1000
    return f"{size:.3g} {unit}"
