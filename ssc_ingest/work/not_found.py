"""Packages that their registries do not have, remembered for a week, so that nobody asks again."""

from collections.abc import Sequence

from redis.asyncio import Redis

from ssc_ingest.models import Purl

TTL = 7 * 24 * 3600
"""Seconds that a package which its registry lacks is not asked for again, unless by name."""


class NegativeCache:
    """``missing:<purl>`` keys that expire; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, purl: Purl) -> None:
        """The registry has just said that it does not have the package."""
        await self._redis.set(_key(purl), "1", ex=TTL)

    async def forget(self, purl: Purl) -> None:
        """The registry has it now."""
        await self._redis.delete(_key(purl))

    async def contains(self, purl: Purl) -> bool:
        """Whether the registry lacked it when it was last asked."""
        return bool(await self._redis.exists(_key(purl)))

    async def filter(self, purls: Sequence[Purl]) -> set[Purl]:
        """Those of some packages (thousands at a time) that :meth:`contains` holds for."""
        if not purls:
            return set()
        marks = await self._redis.mget([_key(purl) for purl in purls])
        return {purl for purl, mark in zip(purls, marks, strict=True) if mark is not None}


def _key(purl: Purl) -> str:
    return f"missing:{purl}"
