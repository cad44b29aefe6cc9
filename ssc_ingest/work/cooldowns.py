"""Cooldowns: pauses after permanent failures, in which staleness runs skip a package.

A failed package is still one of those that were read longest ago. Without a cooldown it would come
first in every staleness run. ``failing:<purl>`` is a hash with the number of failures and the end
of the cooldown; it expires some time later.
"""

import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.models import Purl
from ssc_ingest.work.lua import load

DAY = 24 * 3600
FIRST_REST, MAX_REST = DAY, 32 * DAY
"""Seconds of the first and of the longest cooldown; doubled with each failure."""

TTL = 32 * DAY
"""Seconds after a cooldown until its failures are forgotten."""


class Cooldowns:
    """Cooldowns of packages; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._start = redis.register_script(load("cooldown_start"))

    async def start(self, purl: Purl) -> int:
        """Start the cooldown of a failed package; returns its seconds."""
        args: list[float] = [time.time(), FIRST_REST, MAX_REST, TTL]
        return int(await self._start(keys=[_key(purl)], args=args))

    async def active(self, purls: Sequence[Purl]) -> set[Purl]:
        """The packages (of thousands at a time) that are in a cooldown."""
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
