"""Counts of a stream's messages by outcome: in total, and within the last minutes.

``stream:counts:<stream>`` is a hash of all counts; ``stream:counts:<stream>:<minute>`` is that of a
minute, numbered from 1970, which expires after an hour.
"""

import time
from dataclasses import asdict, dataclass, fields
from typing import Any

from redis.asyncio import Redis

TTL = 3600
"""Seconds for which the counts of a minute are kept."""

WINDOW = 5
"""Number of minutes; the period of the schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCounts:
    """Counts of messages; the first four are those of the reference implementation."""

    successful: int = 0
    """The package is in the graph, and so is the edge from its parent."""
    failed: int = 0
    """Dead letters because the extraction failed or the message killed its readers."""
    validation_errors: int = 0
    """Invalid messages, which are dead letters."""
    unsupported_types: int = 0
    """Messages about packages of unsupported registries, which are dead letters."""
    handed_over: int = 0
    """Messages whose task was queued; ended ones also count above."""
    reclaimed: int = 0
    """Messages taken over from dead readers."""
    vanished: int = 0
    """Messages that another program deleted before they were acknowledged."""

    @property
    def total_processed(self) -> int:
        """Messages that have ended."""
        return self.successful + self.failed + self.validation_errors + self.unsupported_types

    @property
    def success_rate(self) -> float:
        """Percentage of :attr:`total_processed`; 0.0 if that is 0."""
        total = self.total_processed
        return round(100 * self.successful / total, 2) if total else 0.0

    def __add__(self, other: "StreamCounts") -> "StreamCounts":
        return StreamCounts(
            **{name: amount + getattr(other, name) for name, amount in asdict(self).items()}
        )

    def document(self) -> dict[str, Any]:
        """All counts, for JSON."""
        return {
            "total_processed": self.total_processed,
            **asdict(self),
            "success_rate": self.success_rate,
        }


class StreamMetrics:
    """The counts of all streams. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, stream: str, counts: StreamCounts) -> None:
        """Add to the total and to the current minute."""
        amounts = {name: amount for name, amount in asdict(counts).items() if amount}
        if not amounts:
            return
        minute = _minute(stream, int(time.time()) // 60)
        async with self._redis.pipeline(transaction=True) as pipeline:
            for name, amount in amounts.items():
                pipeline.hincrby(_total(stream), name, amount)
                pipeline.hincrby(minute, name, amount)
            pipeline.expire(minute, TTL)
            await pipeline.execute()

    async def total(self, stream: str) -> StreamCounts:
        """All counts."""
        return _decode(await self._redis.hgetall(_total(stream)))

    async def recent(self, stream: str, minutes: int = WINDOW) -> StreamCounts:
        """The counts of the current minute and of earlier ones."""
        now = int(time.time()) // 60
        async with self._redis.pipeline(transaction=False) as pipeline:
            for minute in range(now - minutes + 1, now + 1):
                pipeline.hgetall(_minute(stream, minute))
            return sum(map(_decode, await pipeline.execute()), StreamCounts())


def _total(stream: str) -> str:
    return f"stream:counts:{stream}"


def _minute(stream: str, minute: int) -> str:
    return f"stream:counts:{stream}:{minute}"


def _decode(found: Any) -> StreamCounts:
    return StreamCounts(**{f.name: int(found.get(f.name, 0)) for f in fields(StreamCounts)})
