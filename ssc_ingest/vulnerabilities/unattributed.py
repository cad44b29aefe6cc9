"""Packages that wait for their attribution, and how many attributions have begun.

Both are in the state database. A package waits if MongoDB was away when its versions were written,
or if an audit found it to be wrong; it leaves when it has been attributed. The counters tell
whoever has looked advisories up whether somebody else may have attributed the package meanwhile.
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
    """``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, purls: Iterable[Purl]) -> None:
        """Note packages; the next sweep attributes them."""
        if found := list(purls):
            await self._redis.sadd(WAITING, *found)

    async def remove(self, purls: Iterable[Purl]) -> None:
        """Forget packages that have been attributed."""
        if found := list(purls):
            await self._redis.srem(WAITING, *found)

    async def some(self, most: int) -> list[Purl]:
        """Some of the packages that wait."""
        found: Any = await self._redis.srandmember(WAITING, most)
        return [Purl(purl) for purl in found]

    async def count(self) -> int:
        """Number of packages that wait."""
        return int(await self._redis.scard(WAITING))

    async def begin(self, ecosystem: str) -> None:
        """An attribution of packages of this ecosystem begins."""
        await self._redis.hincrby(BEGUN, ecosystem, 1)

    async def begun(self, ecosystem: str) -> int:
        """How many attributions have begun."""
        return int(await self._redis.hget(BEGUN, ecosystem) or 0)
