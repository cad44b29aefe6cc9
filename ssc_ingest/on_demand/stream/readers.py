"""The processes that read the streams, by their own reports.

``stream:reader:<stream>:<consumer>`` expires unless it is renewed. Redis' own list of consumers
also has dead ones.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from redis.asyncio import Redis

GONE_AFTER = 30
"""Seconds without a report until a reader is considered dead."""

State = Literal["reading", "waiting", "failing"]

_PREFIX = "stream:reader:"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReader:
    """A process that reads a stream; ``seen_at`` is a Unix time."""

    stream: str
    consumer: str
    state: State
    """``waiting``: the queues are full; ``failing``: the stream cannot be read because of
    ``error``."""
    error: str | None = None
    seen_at: float = 0.0

    def document(self) -> dict[str, Any]:
        """The reader for JSON output; the time is aware, in UTC."""
        seen = datetime.fromtimestamp(self.seen_at, UTC) if self.seen_at else None
        return {**asdict(self), "seen_at": seen}


class StreamReaders:
    """Stores and lists readers. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, reader: StreamReader) -> None:
        """Report a running reader."""
        document = json.dumps({**asdict(reader), "seen_at": time.time()})
        await self._redis.set(_key(reader.stream, reader.consumer), document, ex=GONE_AFTER)

    async def forget(self, stream: str, consumer: str) -> None:
        """Remove a stopped reader."""
        await self._redis.delete(_key(stream, consumer))

    async def all(self) -> Sequence[StreamReader]:
        """The readers of all streams, by stream and name."""
        keys = [str(key) async for key in self._redis.scan_iter(f"{_PREFIX}*", count=1000)]
        documents: Any = await self._redis.mget(sorted(keys)) if keys else []
        return [StreamReader(**json.loads(document)) for document in documents if document]


def _key(stream: str, consumer: str) -> str:
    return f"{_PREFIX}{stream}:{consumer}"
