"""Packages that could not be read, and when they are worth another try.

Work that failed for good is a dead letter, and nobody tries it again by himself. But the package is
still the one that has not been looked at for longest, so without this note it would stand at the
head of every sweep. ``failing:<purl>`` is a hash of the number of failures and the time until which
the package is left alone; it expires some time after that.
"""

import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.models import Purl

DAY = 24 * 3600
FIRST_REST, LONGEST_REST = DAY, 32 * DAY
"""Seconds without another try after the first failure; doubled from failure to failure."""

KEPT = 32 * DAY
"""Seconds beyond a rest after which failures are forgotten."""

# KEYS: note. ARGV: now, first rest, longest rest, kept. Returns the seconds of the rest.
_NOTE = """
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local rest = math.min(tonumber(ARGV[2]) * 2 ^ math.min(failures - 1, 30), tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'until', tostring(ARGV[1] + rest))
redis.call('EXPIRE', KEYS[1], math.floor(rest + ARGV[4]))
return math.floor(rest)
"""


class Failing:
    """Notes about packages that failed; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._note = redis.register_script(_NOTE)

    async def note(self, purl: Purl) -> int:
        """A package has failed for good; returns for how many seconds it is left alone."""
        args: list[float] = [time.time(), FIRST_REST, LONGEST_REST, KEPT]
        return int(await self._note(keys=[_key(purl)], args=args))

    async def resting(self, purls: Sequence[Purl]) -> set[Purl]:
        """Those of some packages (thousands at a time) that are left alone for now."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for purl in purls:
                pipeline.hget(_key(purl), "until")
            found: list[Any] = await pipeline.execute()
        now = time.time()
        return {
            purl
            for purl, until in zip(purls, found, strict=True)
            if until is not None and float(until) > now
        }


def _key(purl: Purl) -> str:
    return f"failing:{purl}"
