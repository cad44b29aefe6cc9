"""The survey of a graph from earlier releases: finds packages with versions without facts.

It scans all packages of an ecosystem once, for two seconds in each sweep, and marks the packages
that must be read again (:mod:`ssc_ingest.graph.facts`). Fields of the hash ``facts:<ecosystem>``:
``format`` (of the required digests); ``surveyed`` (the survey continues after this purl); ``done``
(the survey has ended); ``filled`` (the next staleness run reads packages again after this purl).
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.graph.digests import FORMAT
from ssc_ingest.graph.facts import FactsReader
from ssc_ingest.models import Purl

STRIDE = 2_000
"""Number of packages per read."""

MARKED = 500
"""Number of packages that one transaction marks and locks."""

SECONDS = 2.0
"""Time for the survey in each sweep."""


def key(ecosystem: str) -> str:
    """The hash's key in the state database."""
    return f"facts:{ecosystem}"


async def surveyed(redis: Redis, ecosystems: Iterable[str]) -> dict[str, bool]:
    """Whether the survey has ended, by ecosystem; ``redis`` is the state database."""
    return {name: (await _state(redis, name)).get("done") == "1" for name in ecosystems}


async def _state(redis: Redis, ecosystem: str) -> dict[str, str]:
    """The hash's fields; none if it has another format."""
    found: Any = await redis.hgetall(key(ecosystem))
    return found if found.get("format") == FORMAT else {}


class FactsSurvey:
    """The survey; ``redis`` is the state database, ``labels`` are those of the ecosystems."""

    def __init__(self, reader: FactsReader, redis: Redis, labels: Mapping[str, str]) -> None:
        self._reader = reader
        self._redis = redis
        self._labels = labels

    async def advance(self, seconds: float = SECONDS) -> int:
        """Continue for a while, by at least one part of each unfinished ecosystem.

        Returns:
            The number of packages found with versions without facts.

        Raises:
            StoreUnavailable: the graph is unavailable or busy; the next call continues.
        """
        end = time.monotonic() + seconds
        found = 0
        for name, label in self._labels.items():
            state = await _state(self._redis, name)
            behind, is_done = Purl(state.get("surveyed", "")), state.get("done") == "1"
            while not is_done:
                part = await self._reader.survey(label, behind, STRIDE)
                for start in range(0, len(part.outdated), MARKED):
                    await self._reader.mark(label, part.outdated[start : start + MARKED])
                found += len(part.outdated)
                behind, is_done = part.last or Purl(""), part.last is None
                position = ("format", FORMAT, "surveyed", behind, "done", str(int(is_done)))
                await self._redis.hset(key(name), items=list(position))
                if time.monotonic() > end:
                    break
        return found
