"""Rereading: packages with unknown requirements are read again after growing rests.

``unknown:<ecosystem>`` is a sorted set of purls by the time (seconds since 1970) when a staleness
run reads them again, ``unknown:<ecosystem>:readings`` a hash with the number of readings so far.
After the last rest, a package is in neither: only a changed document leads to another reading.
"""

import time

from redis.asyncio import Redis

from ssc_ingest.models import PackageRef, Purl

DAY = 24 * 3600

RESTS = (DAY, 7 * DAY, 30 * DAY)
"""Seconds between two readings, in turn."""


class Rereading:
    """Rests of packages; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def rest(self, ref: PackageRef) -> None:
        """The package was read, and requirements are still unknown: begin its next rest."""
        times, readings = _keys(ref.ecosystem)
        count = int(await self._redis.hget(readings, ref.purl) or 0)
        async with self._redis.pipeline(transaction=True) as pipeline:
            if count < len(RESTS):
                pipeline.zadd(times, {ref.purl: time.time() + RESTS[count]})
                pipeline.hincrby(readings, ref.purl, 1)
            else:
                pipeline.zrem(times, ref.purl)
                pipeline.hdel(readings, ref.purl)
            await pipeline.execute()

    async def forget(self, ref: PackageRef) -> None:
        """All requirements are known, or the package is gone."""
        times, readings = _keys(ref.ecosystem)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zrem(times, ref.purl)
            pipeline.hdel(readings, ref.purl)
            await pipeline.execute()

    async def seconds_left(self, ref: PackageRef) -> float | None:
        """Seconds of rest that are left, at most 0 after its end; ``None`` for no rest at all."""
        due: float | None = await self._redis.zscore(_keys(ref.ecosystem)[0], ref.purl)
        return None if due is None else due - time.time()

    async def due(self, ecosystem: str, most: int) -> list[Purl]:
        """At most so many packages whose rest has ended, the longest ago first."""
        times, _ = _keys(ecosystem)
        found = await self._redis.zrangebyscore(times, "-inf", time.time(), start=0, num=most)
        return [Purl(str(purl)) for purl in found]


def _keys(ecosystem: str) -> tuple[str, str]:
    return f"unknown:{ecosystem}", f"unknown:{ecosystem}:readings"
