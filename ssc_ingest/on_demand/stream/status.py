"""The status of the streams: length, lag, pending entries, readers, and counts of messages."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from ssc_ingest.on_demand.stream.counts import StreamCounts, StreamMetrics
from ssc_ingest.on_demand.stream.group import is_missing
from ssc_ingest.on_demand.stream.readers import StreamReader, StreamReaders
from ssc_ingest.work.dead_letters import STREAM_SUFFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """The status of a stream; unknown numbers are ``None``."""

    name: str
    group: str
    error: str | None = None
    """The reason why the stream cannot be read; its other numbers are then unknown."""
    entries: int | None = None
    """Length of the stream, including acknowledged entries."""
    lag: int | None = None
    """Number of undelivered entries; Redis does not know it after entries were deleted."""
    pending: int | None = None
    """Number of entries delivered and not acknowledged."""
    dead_letters: int | None = None
    readers: tuple[StreamReader, ...] = ()
    total: StreamCounts = field(default_factory=StreamCounts)
    recent: StreamCounts = field(default_factory=StreamCounts)
    """Counts of the last five minutes."""

    @property
    def is_read(self) -> bool:
        """Whether a process reads it, or waits for room in the queues."""
        return any(reader.state != "failing" for reader in self.readers)

    def document(self) -> dict[str, Any]:
        """The status for JSON."""
        return {
            **asdict(self),
            "is_read": self.is_read,
            "readers": [reader.document() for reader in self.readers],
            "total": self.total.document(),
            "recent": self.recent.document(),
        }


class Streams:
    """All streams of the settings.

    Args:
        redis: the database of the streams.
        names: of the streams.
        group: the consumer group.
        metrics: counts of the messages.
        readers: the processes that read them.
    """

    def __init__(
        self,
        redis: Redis,
        names: Sequence[str],
        group: str,
        metrics: StreamMetrics,
        readers: StreamReaders,
    ) -> None:
        self._redis = redis
        self.names = names
        self._group = group
        self.metrics = metrics
        self.readers = readers

    async def standings(self) -> list[StreamStatus]:
        """Every stream, even if its server does not respond.

        Raises:
            RedisError: our own state cannot be read.
        """
        readers = await self.readers.all()
        return [
            await self._standing(name, tuple(reader for reader in readers if reader.stream == name))
            for name in self.names
        ]

    async def _standing(self, name: str, readers: tuple[StreamReader, ...]) -> StreamStatus:
        numbers: dict[str, Any] = {}
        try:
            numbers["entries"] = int(await self._redis.xlen(name))
            numbers["dead_letters"] = int(await self._redis.xlen(name + STREAM_SUFFIX))
            numbers |= await self._group_of(name)
        except RedisError as error:
            numbers = {"error": f"{type(error).__name__}: {error}"}
        return StreamStatus(
            name=name,
            group=self._group,
            readers=readers,
            total=await self.metrics.total(name),
            recent=await self.metrics.recent(name),
            **numbers,
        )

    async def _group_of(self, name: str) -> dict[str, int | None]:
        try:
            groups: Any = await self._redis.xinfo_groups(name)
        except ResponseError as error:
            if is_missing(error):  # nothing was ever written or read
                return {"lag": 0, "pending": 0}
            raise
        for group in groups:
            if group["name"] == self._group:
                return {"lag": group.get("lag"), "pending": group["pending"]}
        return {"lag": None, "pending": 0}  # nothing was read yet
