"""The consumer of one stream: reads while the queues have room.

A stream that cannot be read (its server is unavailable, its key is not a stream) does not affect
others: the consumer logs it once, and tries again.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import RedisError, ResponseError

from ssc_ingest.errors import InvalidMessage
from ssc_ingest.logs import get_logger
from ssc_ingest.on_demand.stream.counts import StreamCounts
from ssc_ingest.on_demand.stream.group import Entry, StreamGroup, is_missing
from ssc_ingest.on_demand.stream.handover import Handover
from ssc_ingest.on_demand.stream.readers import GONE_AFTER, State, StreamReader, StreamReaders
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.queues import Queues

BATCH = 100
"""Maximum number of messages handed over at once."""

BLOCK = 2.0
"""Seconds for which a read waits for the first message."""

FULL_PAUSE = 0.25
"""Seconds until full queues are checked again."""

FAILURE_PAUSE = 2.0
"""Seconds until an unreadable stream is tried again."""

MAX_DELIVERIES = 5
"""Number of unacknowledged deliveries after which an entry becomes a dead letter."""

UPKEEP_EVERY = 60.0
"""Seconds between trimmings of the stream."""

FORGOTTEN_AFTER = 3600.0
"""Seconds without a read until a consumer's name is removed from the group."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HighWater:
    """Maximum total number of messages in some queues while the stream is read."""

    queues: tuple[str, ...]
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a consumer, and the time until it takes over entries of others."""

    marks: tuple[HighWater, ...]
    reclaim_after: float
    """Seconds after which a pending entry is taken from its reader; longer than a hand-over."""
    retention: float
    """Seconds until acknowledged entries are removed; 0: never."""
    consumer_prefix: str
    """Prefix of the names of our consumers."""


class StreamConsumer:
    """Consumes one stream, in a loop (:meth:`run`) or a limited number (:meth:`process`)."""

    def __init__(
        self,
        group: StreamGroup,
        handover: Handover,
        *,
        queues: Queues,
        readers: StreamReaders,
        dead_letters: DeadLetters,
        limits: Limits,
    ) -> None:
        self._group = group
        self._handover = handover
        self._queues = queues
        self._readers = readers
        self._dead_letters = dead_letters
        self._limits = limits
        self._problem: str | None = None
        self._noted: tuple[State | None, float] = (None, 0.0)
        self._reclaim_at = self._upkeep_at = 0.0

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self._group.name

    async def run(self) -> None:
        """Consume for ever."""
        try:
            while True:
                try:
                    await self._turn()
                except (RedisError, TimeoutError, OSError) as error:
                    await self._fail(error)
        finally:
            with suppress(RedisError):
                await self._readers.forget(self.stream, self._group.consumer)

    async def process(self, limit: int, seconds: float) -> StreamCounts:
        """Hand over at most ``limit`` messages; wait for the first one for at most ``seconds``.

        Reads nothing while the queues are full.

        Raises:
            RedisError, TimeoutError: the stream or the state is unreachable, or the key is not a
                stream.
        """
        limit = min(limit, await self._room())
        counts = StreamCounts()
        if limit <= 0:
            return counts
        if time.monotonic() >= self._reclaim_at:
            counts += await self._reclaim(limit)
            self._reclaim_at = time.monotonic() + self._limits.reclaim_after / 2
        end = time.monotonic() + seconds
        taken = counts.handed_over
        while taken < limit:
            left = end - time.monotonic() if not taken else 0.0
            entries = await self._read(min(BATCH, limit - taken), max(left, 0.0))
            if entries:
                counts += await self._handover.hand_over(entries)
                taken += len(entries)
            elif left <= 0:
                break
        return counts

    async def _turn(self) -> None:
        if await self._room() <= 0:
            await self._note("waiting")
            await asyncio.sleep(FULL_PAUSE)
            return
        await self._note("reading")
        await self.process(BATCH, BLOCK)
        if self._problem:
            log.info("stream_readable", stream=self.stream)
            self._problem = None
        if time.monotonic() >= self._upkeep_at:
            await self._upkeep()
            self._upkeep_at = time.monotonic() + UPKEEP_EVERY

    async def _room(self) -> int:
        """The number of messages that may be handed over.

        This also checks our own Redis before entries are claimed, because each claim counts as a
        delivery.
        """
        marks = self._limits.marks
        lengths = await self._queues.lengths([name for mark in marks for name in mark.queues])
        return min(mark.most - sum(lengths[name] for name in mark.queues) for mark in marks)

    async def _read(self, count: int, seconds: float) -> list[Entry]:
        try:
            return await self._group.read(count, seconds)
        except ResponseError as error:
            if not is_missing(error):
                raise
        await self._group.create()
        return await self._group.read(count, seconds)

    async def _reclaim(self, limit: int) -> StreamCounts:
        """Take over the pending entries of dead readers."""
        counts = StreamCounts()
        idle = self._limits.reclaim_after
        try:
            lost = await self._group.overdelivered(idle, MAX_DELIVERIES, limit)
        except ResponseError as error:
            if is_missing(error):
                return counts
            raise
        for entry_id in lost:
            reason = (
                f"Processing error: the message was delivered {MAX_DELIVERIES} times, and none of "
                "its readers acknowledged it"
            )
            counts += await self._handover.reject(
                entry_id, InvalidMessage(reason, counter="failed")
            )
        async for claimed in self._group.claim(idle):
            counts += await self._handover.vanished(claimed.vanished)
            if claimed.entry:
                counts += await self._handover.hand_over([claimed.entry], reclaimed=True)
            if counts.reclaimed >= limit:
                break
        if counts.reclaimed:
            log.warning("messages_reclaimed", stream=self.stream, messages=counts.reclaimed)
        return counts

    async def _upkeep(self) -> None:
        """Trim the stream, remove dead consumers, and deliver kept dead letters."""
        if self._limits.retention:
            await self._group.trim(self._limits.retention)
        await self._group.remove_consumers(self._limits.consumer_prefix, FORGOTTEN_AFTER)
        await self._dead_letters.deliver_kept()

    async def _note(self, state: State, error: str | None = None) -> None:
        noted, when = self._noted
        if state == noted and time.monotonic() - when < GONE_AFTER / 3:
            return
        reader = StreamReader(
            stream=self.stream, consumer=self._group.consumer, state=state, error=error
        )
        await self._readers.note(reader)
        self._noted = (state, time.monotonic())

    async def _fail(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        if problem != self._problem:
            log.warning("stream_unreadable", stream=self.stream, error=problem)
            self._problem = problem
        with suppress(RedisError):
            await self._note("failing", problem)
        await asyncio.sleep(FAILURE_PAUSE)
