"""Packages that wait for attribution, and counters of started attributions.

Both are in the state database. A package waits if MongoDB was unavailable when its versions were
written, or if an audit found it wrong. It is removed after its attribution. The counters show after
a look-up of advisories whether another attribution has started since.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.models import Purl

WAITING = "vulnerabilities:unattributed"
"""Set of purls."""

BEGUN = "vulnerabilities:attributions"
"""Hash of counters by ecosystem."""


class Unattributed:
    """The waiting packages and the counters. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, purls: Iterable[Purl]) -> None:
        """Add packages; the next sweep attributes them."""
        if found := list(purls):
            await self._redis.sadd(WAITING, *found)

    async def remove(self, purls: Iterable[Purl]) -> None:
        """Remove attributed packages."""
        if found := list(purls):
            await self._redis.srem(WAITING, *found)

    async def some(self, most: int) -> list[Purl]:
        """Some waiting packages."""
        found: Any = await self._redis.srandmember(WAITING, most)
        return [Purl(purl) for purl in found]

    async def count(self) -> int:
        """The number of waiting packages."""
        return int(await self._redis.scard(WAITING))

    async def begin(self, ecosystem: str) -> None:
        """Count the start of an attribution in an ecosystem."""
        await self._redis.hincrby(BEGUN, ecosystem, 1)

    async def begun(self, ecosystem: str) -> int:
        """The number of started attributions."""
        return int(await self._redis.hget(BEGUN, ecosystem) or 0)
