"""One token bucket per registry host, in Redis, shared by the whole fleet.

``ratelimit:<host>``   the bucket, and the time up to which those who were refused come back
``used:<host>``        tokens taken in each of the last sixty minutes
``pause:<host>``       exists while nobody may ask the host, because it answered 429 or 503
``hold:<registry>``    exists while an operator lets nobody ask a registry, on whatever host

Time is the Redis server's. A loopback host has no rate, but it can be paused.
"""

import ipaddress
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.work.lua import load

MAX_WAIT = 2.0
"""Seconds that a task may hold its slot while it waits for a token."""

MAX_START = 0.5
"""The same for work that has read nothing yet: what was begun is to be finished first, or
thousands of packages would be half read, and none done."""

MAX_SPREAD = 60.0
"""Seconds over which those who are refused come back, one for each token."""

RESERVED_SHARE = 0.2
"""Share of the burst that only urgent work may use."""

MAX_PAUSE = 3600.0

LOOK_AGAIN = 300.0
"""Seconds after which work that an operator holds looks again whether it may go on; the end of
the hold wakes it up sooner."""

HOUR = 60
"""Minutes for which tokens are counted."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a request may be sent: after ``delay`` seconds, or not before then (``granted``)."""

    granted: bool
    delay: float
    held: bool = False
    """An operator said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPause:
    """An operator lets nobody ask a registry."""

    since: datetime
    until: datetime | None
    """``None``: until somebody ends it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUse:
    """How a host is asked."""

    last_minute: int
    last_hour: int
    paused_until: datetime | None
    """It told us to wait until then."""


class RateLimiter:
    """The fleet's permission to ask a host."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(load("take", __package__))
        self._pause = redis.register_script(load("pause", __package__))

    async def take(
        self, host: str, *, rate: float, urgent: bool, begun: bool = True, registry: str = ""
    ) -> Permission:
        """Ask for one request to ``host``.

        A granted permission may carry a delay of at most :data:`MAX_WAIT`: the token is
        reserved, the caller sleeps. Those who are refused are told to come back one after the
        other, at the host's rate.

        Args:
            host: ``name[:port]``.
            rate: requests per second.
            urgent: somebody waits; such work has a reserve, and stands in no line.
            begun: the work has read something already, and goes before what has not.
            registry: the ecosystem that asks.
        """
        if is_loopback(host):
            rate = 0
        burst = max(1.0, rate)
        reserve = 0.0 if urgent else RESERVED_SHARE * burst
        longest = MAX_WAIT if urgent or begun else MAX_START
        verdict, seconds = await self._take(
            keys=[f"ratelimit:{host}", f"pause:{host}", _hold(registry), f"used:{host}"],
            args=[rate, burst, reserve, longest, LOOK_AGAIN, MAX_SPREAD],
        )
        return Permission(verdict == "ok", float(seconds), held=verdict == "held")

    async def pause(self, host: str, seconds: float, *, doubling: bool = False) -> float:
        """Stop everybody from asking ``host``; returns for how many seconds.

        ``doubling``: the host named no time itself, so pauses in a row grow.
        """
        answer: Any = await self._pause(
            keys=[f"pause:{host}", f"pauses:{host}"],
            # Not 0, which hosts name too and Redis refuses.
            args=[max(1, math.ceil(seconds * 1000)), int(MAX_PAUSE * 1000), int(doubling)],
        )
        return float(answer) / 1000

    async def recovered(self, host: str) -> None:
        """The host has answered: its next pause is the first again."""
        await self._redis.delete(f"pauses:{host}")

    async def hold(self, registry: str, *, reason: str, seconds: float | None) -> None:
        """Let nobody ask a registry: for so many seconds, or until :meth:`release`."""
        document = json.dumps({"since": datetime.now(UTC).isoformat(), "reason": reason})
        until = None if seconds is None else max(1, math.ceil(seconds * 1000))
        await self._redis.set(_hold(registry), document, px=until)

    async def release(self, registry: str) -> bool:
        """End a hold; whether there was one."""
        return bool(await self._redis.delete(_hold(registry)))

    async def held(self, registry: str) -> RegistryPause | None:
        """The hold on a registry, if there is one."""
        document = await self._redis.get(_hold(registry))
        if document is None:
            return None
        left = await self._redis.pttl(_hold(registry))
        facts = json.loads(document)
        return RegistryPause(
            since=datetime.fromisoformat(facts["since"]),
            until=_in(left) if left >= 0 else None,
            reason=facts["reason"],
        )

    async def use(self, hosts: Sequence[str]) -> dict[str, HostUse]:
        """How hosts were asked in the last minute and hour, and whether they told us to wait."""
        seconds, _ = await self._redis.time()
        minute, passed = divmod(int(seconds), 60)
        found = {}
        for host in hosts:
            used: Any = await self._redis.hgetall(f"used:{host}")
            left = await self._redis.pttl(f"pause:{host}")
            by_minute = {int(at): int(n) for at, n in (entry.split() for entry in used.values())}
            before = by_minute.get(minute - 1, 0) * (60 - passed) / 60
            found[host] = HostUse(
                last_minute=round(by_minute.get(minute, 0) + before),
                last_hour=sum(n for at, n in by_minute.items() if at > minute - HOUR),
                paused_until=_in(left) if left > 0 else None,
            )
        return found


def _hold(registry: str) -> str:
    return f"hold:{registry}"


def _in(milliseconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(milliseconds=milliseconds)


def is_loopback(host: str) -> bool:
    """Whether ``name[:port]`` is this machine."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
