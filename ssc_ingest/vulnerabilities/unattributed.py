"""Packages that wait for attribution, and counters of started attributions.

Both are in the state database. A package waits if MongoDB was unavailable when its versions were
written, or if an audit found it wrong. It is removed after its attribution, unless it was added
again meanwhile. The counters show after
a look-up of advisories whether another attribution has started since.
"""

from redis.asyncio import Redis

from ssc_ingest.vulnerabilities.outbox import Outbox

WAITING = "vulnerabilities:unattributed"
"""Set of purls."""

BEGUN = "vulnerabilities:attributions"
"""Hash of counters by ecosystem."""


class Unattributed(Outbox):
    """The waiting packages, by purl, and the counters. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, WAITING)

    async def begin(self, ecosystem: str) -> None:
        """Count the start of an attribution in an ecosystem."""
        await self._redis.hincrby(BEGUN, ecosystem, 1)

    async def begun(self, ecosystem: str) -> int:
        """The number of started attributions."""
        return int(await self._redis.hget(BEGUN, ecosystem) or 0)
