"""Rereading: packages with unknown requirements are read again after growing intervals.

``unknown:<ecosystem>`` is a sorted set of purls by the time (seconds since 1970) of the next
reading in a staleness run. ``unknown:<ecosystem>:readings`` is a hash with the number of readings
so far. After the last interval a package is in neither; it is then read again only when its
document changes.
"""

import time

from redis.asyncio import Redis

from ssc_ingest.models import PackageRef, Purl

DAY = 24 * 3600

RESTS = (DAY, 7 * DAY, 30 * DAY)
"""The intervals in seconds, in order."""


class Rereading:
    """The next readings of packages; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def rest(self, ref: PackageRef) -> None:
        """The package was read, and requirements are still unknown: start its next interval."""
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
        """Seconds until the next reading, at most 0 if it is due; ``None`` if none is planned."""
        due: float | None = await self._redis.zscore(_keys(ref.ecosystem)[0], ref.purl)
        return None if due is None else due - time.time()

    async def due(self, ecosystem: str, most: int) -> list[Purl]:
        """Due packages up to this number, the longest overdue first."""
        times, _ = _keys(ecosystem)
        found = await self._redis.zrangebyscore(times, "-inf", time.time(), start=0, num=most)
        return [Purl(str(purl)) for purl in found]


def _keys(ecosystem: str) -> tuple[str, str]:
    return f"unknown:{ecosystem}", f"unknown:{ecosystem}:readings"
