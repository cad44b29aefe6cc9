"""The commands of one consumer of a stream's group.

Entries are read as bytes, because a producer may write anything. Trimming and removing consumers
are scripts: otherwise an action of another reader between the check and the command could lose
entries.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

from ssc_ingest.on_demand.stream.names import DATA
from ssc_ingest.work.dead_letters import STREAM_SUFFIX
from ssc_ingest.work.lua import load

MAX_BLOCK = 4.0
"""Seconds of one blocking read; the sockets' time limit must be longer."""

Burial = Literal["buried", "vanished", "settled"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that was delivered to this consumer."""

    id: str
    data: bytes | None
    """The field ``data``; ``None`` if it is missing."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The result of one step of :meth:`StreamGroup.claim`."""

    entry: Entry | None
    vanished: Sequence[str] = ()
    """Ids of pending entries whose contents were trimmed or deleted."""


class StreamGroup:
    """A stream, a group, and a consumer of it.

    Args:
        redis: the database of the stream; returns bytes and does not retry.
        name: of the stream.
        group: the consumer group, in which each entry is delivered to one consumer.
        consumer: the name of this process in the group.
    """

    def __init__(self, redis: Redis, *, name: str, group: str, consumer: str) -> None:
        self._redis = redis
        self.name = name
        self.group = group
        self.consumer = consumer

    async def create(self) -> None:
        """Create the stream and the group if they are missing.

        A new group receives all entries of the stream.

        Raises:
            ResponseError: the key is not a stream.
        """
        try:
            await self._redis.xgroup_create(self.name, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def read(self, count: int, seconds: float = 0.0) -> list[Entry]:
        """New entries, at most ``count``; waits for the first one for at most ``seconds``.

        Raises:
            ResponseError: the stream or its group was deleted.
        """
        block = round(min(seconds, MAX_BLOCK) * 1000) or None  # 0 would block for ever
        answer: Any = await self._redis.xreadgroup(
            self.group, self.consumer, {self.name: ">"}, count=count, block=block
        )
        if isinstance(answer, Mapping):  # RESP3
            listings = [entries for found in answer.values() for entries in found]
        else:
            listings = [entries for _, entries in answer]
        return [_entry(*row) for entries in listings for row in entries]

    async def claim(self, idle: float) -> AsyncIterator[Claimed]:
        """Take over entries that were delivered ``idle`` seconds ago and never acknowledged.

        They are claimed one by one, so that an entry that kills its reader does not affect the
        others. Each claim counts as a delivery.
        """
        start = "0-0"
        while True:
            answer: Any = await self._redis.xautoclaim(
                self.name, self.group, self.consumer, round(idle * 1000), start_id=start, count=1
            )
            start = _text(answer[0])
            # Redis 6.2 returns nothing for entries without contents.
            entries = [_entry(*row) for row in answer[1] if row[1] is not None]
            vanished = [_text(entry_id) for entry_id in answer[2]] if len(answer) > 2 else []  # noqa: PLR2004
            entry = entries[0] if entries else None
            if entry is not None or vanished:
                yield Claimed(entry, vanished)
            if start == "0-0":
                return

    async def overdelivered(self, idle: float, deliveries: int, count: int) -> list[str]:
        """Ids of pending entries with too many deliveries; their contents are not read."""
        found: list[str] = []
        start = "-"
        while len(found) < count:
            rows: Any = await self._redis.xpending_range(
                self.name, self.group, start, "+", count, idle=round(idle * 1000)
            )
            found += [
                _text(row["message_id"]) for row in rows if row["times_delivered"] >= deliveries
            ]
            if len(rows) < count:
                break
            start = f"({_text(rows[-1]['message_id'])}"
        return found[:count]

    async def bury(self, entry_id: str, letter: Mapping[str, str]) -> Burial:
        """Make an entry a dead letter with its raw data, and acknowledge it."""
        fields = [text for pair in letter.items() for text in pair]
        keys = [self.name, self.name + STREAM_SUFFIX]
        answer: Any = await self._bury(keys=keys, args=[self.group, entry_id, *fields])
        outcome: Burial = _text(answer)  # type: ignore[assignment] # of the script
        return outcome

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """Acknowledge these entries."""
        if ids:
            await self._redis.xack(self.name, self.group, *ids)

    async def trim(self, retention: float) -> int:
        """Remove entries older than this that no group still needs; returns their number.

        Keeps the oldest pending and all undelivered entries of every group.
        """
        seconds, microseconds = await self._redis.time()
        before = seconds * 1000 + microseconds // 1000 - round(retention * 1000)
        return int(await self._trim(keys=[self.name], args=[f"{max(before, 0)}-0"]))

    async def remove_consumers(self, prefix: str, idle: float) -> int:
        """Remove our consumers that have read nothing for this time; returns their number.

        Keeps those with pending entries, which would be lost with them.
        """
        args: list[str | int] = [self.group, prefix, round(idle * 1000)]
        return int(await self._remove_consumers(keys=[self.name], args=args))

    @cached_property
    def _bury(self) -> AsyncScript:
        return self._redis.register_script(load("bury", __package__))

    @cached_property
    def _trim(self) -> AsyncScript:
        return self._redis.register_script(load("trim", __package__, after=("entry_ids",)))

    @cached_property
    def _remove_consumers(self) -> AsyncScript:
        return self._redis.register_script(load("remove_consumers", __package__))


def is_missing(error: ResponseError) -> bool:
    """Whether a command failed because the stream or its group was deleted."""
    text = str(error)
    return text.startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in text.lower()


def _entry(entry_id: Any, fields: Any) -> Entry:
    return Entry(_text(entry_id), fields.get(DATA.encode()))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
