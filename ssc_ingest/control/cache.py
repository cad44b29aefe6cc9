"""The contents of the cache database: lists and deletes entries.

All entries may be lost at any time; they only save requests to registries. The fleet's state is in
other databases, which this module cannot change.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.http import checkpoint, document_cache
from ssc_ingest.import_names import cache as import_names


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entry; its keys begin with its name and a colon."""

    name: str
    kept_for: int
    """Seconds until it expires, after it was written or last used."""
    about: str


KINDS = (
    Kind(
        document_cache.KIND,
        document_cache.TTL,
        "documents that many packages share, from last use",
    ),
    Kind(checkpoint.KIND, checkpoint.TTL, "checkpoints of delayed work"),
    Kind(import_names.KIND, import_names.TTL, "import names of a version"),
)

PAGE = 1000
"""Number of keys per round trip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry."""

    key: str
    kind: Kind | None
    size: int
    """Size in Redis, in bytes."""
    expires_in: float | None
    """Seconds."""

    @property
    def age(self) -> float | None:
        """Seconds since it was written, or last used."""
        if self.kind is None or self.expires_in is None:
            return None
        return max(0.0, self.kind.kept_for - self.expires_in)


class Cache:
    """The cache database. ``redis`` returns bytes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def entries(self, pattern: str = "*") -> AsyncIterator[Entry]:
        """Entries whose keys match (``*``, ``?``, ``[...]``), in no order, each at least once."""
        async for keys in self._pages(pattern):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.memory_usage(key)
                    pipeline.pttl(key)
                answers: list[Any] = await pipeline.execute()
            for key, size, left in zip(keys, answers[::2], answers[1::2], strict=True):
                if size is None:
                    continue  # it has expired in the meantime
                name = key.decode(errors="replace")
                yield Entry(
                    key=name,
                    kind=_kind(name),
                    size=size,
                    expires_in=left / 1000 if left >= 0 else None,
                )

    async def clear(self, pattern: str) -> int:
        """Delete the matching entries; returns their number."""
        removed = 0
        async for keys in self._pages(pattern):
            removed += int(await self._redis.unlink(*keys))
        return removed

    async def _pages(self, pattern: str) -> AsyncIterator[Sequence[bytes]]:
        page: list[bytes] = []
        async for key in self._redis.scan_iter(pattern, count=PAGE):
            page.append(key)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page


def _kind(key: str) -> Kind | None:
    name = key.partition(":")[0]
    return next((kind for kind in KINDS if kind.name == name), None)
