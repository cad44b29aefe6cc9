"""The not-found cache: packages that are missing from their registry, stored for a week."""

from collections.abc import Sequence

from redis.asyncio import Redis

from ssc_ingest.models import Purl

TTL = 7 * 24 * 3600
"""Seconds until a missing package is requested again; a call by name ignores the cache."""


class NegativeCache:
    """``missing:<purl>`` keys that expire; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, purl: Purl) -> None:
        """Store that the registry does not have the package."""
        await self._redis.set(_key(purl), "1", ex=TTL)

    async def forget(self, purl: Purl) -> None:
        """Remove a package, because the registry has it now."""
        await self._redis.delete(_key(purl))

    async def contains(self, purl: Purl) -> bool:
        """Whether the package was missing at the last request."""
        return bool(await self._redis.exists(_key(purl)))

    async def filter(self, purls: Sequence[Purl]) -> set[Purl]:
        """The packages (of thousands at a time) for which :meth:`contains` holds."""
        if not purls:
            return set()
        marks = await self._redis.mget([_key(purl) for purl in purls])
        return {purl for purl, mark in zip(purls, marks, strict=True) if mark is not None}


def _key(purl: Purl) -> str:
    return f"missing:{purl}"
