"""One token bucket per registry host, in Redis, shared by the whole fleet.

``ratelimit:<host>``   the bucket, and the time up to which those who were refused come back
``used:<host>``        tokens taken in each of the last sixty minutes
``pause:<host>``       exists while nobody may ask the host: it said so, or cannot be reached
``pauses:<host>``      number of pauses since its last good answer
``answers:<host>``     the last ten answers (:mod:`.host_history`), while one of them is bad
``unreachable:<host>`` why no connection succeeds; one request at a time, the probe, tries again
``probe:<host>``       exists while that request is on its way
``hold:<registry>``    exists while an operator lets nobody ask a registry, on whatever host

Time is the Redis server's. A loopback host has no rate, but it can be paused.
"""

import ipaddress
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from redis.asyncio import Redis

from ssc_ingest.http.host_history import LENGTH, Answer, entry
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

MAX_UNREACHABLE = 60.0
"""Seconds between two probes of a host that cannot be reached, at most."""

FIRST_UNREACHABLE = 1.0
"""Seconds until its first probe; doubled from probe to probe."""

PROBE_TIME = 35
"""Seconds after which a probe counts as lost with its worker."""

PROBE_WAIT = 3.0
"""Seconds that others wait while a probe is on its way."""

REMEMBERED = 24 * 3600
"""Seconds for which the state of a host is kept; longer than any pause."""

LOOK_AGAIN = 300.0
"""Seconds after which work that an operator holds looks again whether it may go on; the end of
the hold wakes it up sooner."""

HOUR = 60
"""Minutes for which tokens are counted."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a request may be sent: after ``delay`` seconds, or not before then (``granted``)."""

    verdict: Literal["ok", "turn", "paused", "unreachable", "held"]
    """``turn``: the host's rate is used up; ``held``: an operator has paused the registry."""
    delay: float
    cause: str = ""
    """Why the host cannot be reached."""
    watched: bool = False
    """Something was wrong with the host: the answer is to be recorded."""
    probe: bool = False
    """Whether the host can be reached again is what this request finds out."""

    @property
    def granted(self) -> bool:
        """Whether the request may be sent."""
        return self.verdict == "ok"

    @property
    def held(self) -> bool:
        """Whether an operator said no."""
        return self.verdict == "held"


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
    """Nobody asks it until then."""
    unreachable: str | None = None
    """Why it cannot be reached."""
    queued_until: datetime | None = None
    """The last work that was refused tries again then."""


class RateLimiter:
    """The fleet's permission to ask a host."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(load("take", __package__))
        self._pause = redis.register_script(load("pause", __package__))
        self._record = redis.register_script(load("record", __package__))

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
        verdict, seconds, more = await self._take(
            keys=[
                *(f"ratelimit:{host}", f"pause:{host}", _hold(registry), f"used:{host}"),
                *(f"unreachable:{host}", f"probe:{host}", f"answers:{host}", f"pauses:{host}"),
            ],
            args=[
                *(rate, burst, reserve, longest, LOOK_AGAIN, MAX_SPREAD),
                *(PROBE_TIME, PROBE_WAIT),
            ],
        )
        if verdict == "ok":
            return Permission("ok", float(seconds), watched=more > 0, probe=more > 1)
        return Permission(verdict, float(seconds), cause=more)

    async def pause(self, host: str, seconds: float, *, doubling: bool = False) -> float:
        """Stop everybody from asking ``host``; returns for how many seconds.

        ``doubling``: the host named no time itself, so pauses in a row grow.
        """
        return await self._pause_host(host, seconds, MAX_PAUSE, doubling=doubling)

    async def unreachable(self, host: str, cause: str) -> float:
        """Let one request at a time try the host, after growing pauses; returns the next pause.

        This ends with the first answer that is recorded.
        """
        return await self._pause_host(
            host, FIRST_UNREACHABLE, MAX_UNREACHABLE, doubling=True, cause=cause
        )

    async def _pause_host(
        self, host: str, seconds: float, longest: float, *, doubling: bool, cause: str = ""
    ) -> float:
        left: Any = await self._pause(
            keys=[f"{kind}:{host}" for kind in ("pause", "pauses", "unreachable", "probe")],
            args=[
                # Not 0, which hosts name too and Redis refuses.
                *(max(1, math.ceil(seconds * 1000)), int(longest * 1000), int(doubling)),
                *(cause, REMEMBERED),
            ],
        )
        return float(left) / 1000

    async def record(self, host: str, answer: Answer, url: str | None) -> tuple[list[str], bool]:
        """Keep an answer; a good one need not be kept unless the permission was ``watched``.

        Args:
            host: ``name[:port]``.
            answer: what it was.
            url: of the document; ``None`` if it does not matter.

        Returns:
            The host's last answers, the newest first, and whether it was unreachable until now.
        """
        kinds = ("answers", "pause", "pauses", "unreachable", "probe")
        recovered, entries = await self._record(
            keys=[f"{kind}:{host}" for kind in kinds],
            args=[
                *(entry(answer, url), answer if answer in {"fine", "late"} else ""),
                *(LENGTH, REMEMBERED),
            ],
        )
        return entries, bool(recovered)

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
            refused: Any = await self._redis.hget(f"ratelimit:{host}", "refused")
            unreachable: Any = await self._redis.get(f"unreachable:{host}")
            by_minute = {int(at): int(n) for at, n in (entry.split() for entry in used.values())}
            before = by_minute.get(minute - 1, 0) * (60 - passed) / 60
            found[host] = HostUse(
                last_minute=round(by_minute.get(minute, 0) + before),
                last_hour=sum(n for at, n in by_minute.items() if at > minute - HOUR),
                paused_until=_in(left) if left > 0 else None,
                unreachable=unreachable,
                queued_until=_later(refused, seconds),
            )
        return found


def _later(moment: str | None, now: int) -> datetime | None:
    """A moment (Unix time) that is not over."""
    until = float(moment or 0)
    return datetime.fromtimestamp(until, UTC) if until > now else None


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
