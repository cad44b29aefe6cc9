"""The newest records that match the filters of a list, and whether there are more."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from ssc_ingest.cli import output

T = TypeVar("T")


async def newest_matching(
    records: AsyncIterator[T], matches: Callable[[T], bool], limit: int
) -> tuple[list[T], bool]:
    """At most ``limit`` records, and whether more match; stops reading at the first other match."""
    found: list[T] = []
    async for record in records:
        if matches(record):
            if len(found) == limit:
                return found, True
            found.append(record)
    return found, False


def say_that_more_match(limit: int) -> None:
    """Print below a list that it is not complete."""
    output.say(f"more than {limit} match: --limit shows more", style="dim", stderr=True)
