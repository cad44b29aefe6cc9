"""One token bucket per registry host, in Redis, shared by the whole fleet.

``ratelimit:<host>``   the bucket, and the time at which the last refused request returns
``used:<host>``        tokens taken in each of the last sixty minutes
``pause:<host>``       exists while the host is paused: it requested that, or is unreachable
``pauses:<host>``      number of pauses since its last good response
``answers:<host>``     the last ten responses (:mod:`.host_history`), while one of them is bad
``unreachable:<host>`` the reason why no connection succeeds
``probe:<host>``       exists while one request, the probe, tests an unreachable host
``hold:<registry>``    exists while an operator has paused a registry, with all its hosts

The time is that of the Redis server. A loopback host has no rate limit, but can be paused.
"""

import ipaddress
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Literal, TypeAlias

from redis.asyncio import Redis

from ssc_ingest.http.host_history import LENGTH, Answer, entry
from ssc_ingest.work.batching import Batcher, Request, first
from ssc_ingest.work.lua import load
from ssc_ingest.work.waiting import REDIS, waiting_for

MAX_WAIT = 2.0
"""Maximum seconds for which a task occupies its slot while it waits for a token."""

MAX_START = 0.5
"""The same for tasks that have read nothing yet. Started packages come first; otherwise thousands
of packages would be incomplete, and none done."""

MAX_SPREAD = 60.0
"""Seconds over which refused requests are spread, one per token."""

RESERVED_SHARE = 0.2
"""Share of the burst reserved for urgent work."""

MAX_PAUSE = 3600.0

MAX_UNREACHABLE = 60.0
"""Maximum seconds between probes of an unreachable host."""

FIRST_UNREACHABLE = 1.0
"""Seconds until its first probe; doubled with each probe."""

PROBE_TIME = 35
"""Seconds until a probe counts as lost with its worker."""

PROBE_WAIT = 3.0
"""Seconds for which other requests wait while a probe is in progress."""

REMEMBERED = 24 * 3600
"""Seconds until the state of a host expires; longer than any pause."""

LOOK_AGAIN = 300.0
"""Seconds between checks whether an operator's pause has ended; `resume` requeues the work
sooner."""

HOUR = 60
"""Number of minutes with counters of used tokens."""


MAX_BATCH = 200
"""Maximum requests for which tokens are taken at once."""

_Request: TypeAlias = tuple[str, str, float, float, float, float]
"""Host, registry, rate, burst, reserve, longest wait."""

_Answer: TypeAlias = tuple[Any, str, Any]
"""The script's: verdict, seconds, and the mark or the cause."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The limiter's decision: granted after ``delay`` seconds, or ask again after them."""

    verdict: Literal["ok", "turn", "paused", "unreachable", "held"]
    """``turn``: the host's rate limit is reached; ``held``: an operator has paused the registry."""
    delay: float
    cause: str = ""
    """The reason why the host is unreachable."""
    watched: bool = False
    """A recent response of the host was bad, so this response must be recorded."""
    probe: bool = False
    """This request is the probe of an unreachable host."""

    @property
    def granted(self) -> bool:
        """Whether the request may be sent."""
        return self.verdict == "ok"

    @property
    def held(self) -> bool:
        """Whether an operator has paused the registry."""
        return self.verdict == "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPause:
    """An operator's pause of a registry."""

    since: datetime
    until: datetime | None
    """``None``: until an operator ends it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUse:
    """Use and pauses of a host."""

    last_minute: int
    last_hour: int
    paused_until: datetime | None
    """End of its pause."""
    unreachable: str | None = None
    """The reason why it is unreachable."""
    queued_until: datetime | None = None
    """The time at which the last refused request returns."""


class RateLimiter:
    """The rate limiter of the fleet. Close it (``aclosing``) before the client of Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(load("take", __package__))
        self._requests: Batcher[_Request, _Answer] = Batcher(self._take_all, _next_batch)
        self._pause = redis.register_script(load("pause", __package__))
        self._record = redis.register_script(load("record", __package__))

    async def aclose(self) -> None:
        """Wait for the task that takes tokens.

        It may still serve cancelled callers, and would reconnect a closed client.
        """
        await self._requests.close()

    async def take(
        self, host: str, *, rate: float, urgent: bool, begun: bool = True, registry: str = ""
    ) -> Permission:
        """Take a token for one request to ``host``.

        A granted token may have a delay of at most :data:`MAX_WAIT`, for which the caller sleeps.
        Refused requests receive different return times, at the host's rate.

        Args:
            host: ``name[:port]``.
            rate: maximum requests a second.
            urgent: a caller waits; such work has a reserve and is not spread.
            begun: the task has already read a document, and has priority over others.
            registry: the requesting ecosystem.
        """
        if is_loopback(host):
            rate = 0
        burst = max(1.0, rate)
        reserve = 0.0 if urgent else RESERVED_SHARE * burst
        longest = MAX_WAIT if urgent or begun else MAX_START
        with waiting_for(REDIS):  # the script is sent by another task
            verdict, seconds, more = await self._requests.put(
                (host, registry, rate, burst, reserve, longest)
            )
        if verdict == "ok":
            return Permission("ok", float(seconds), watched=more > 0, probe=more > 1)
        return Permission(verdict, float(seconds), cause=more)

    async def _take_all(self, requests: list[_Request]) -> list[_Answer]:
        """Take tokens for concurrent requests, with one script for those that are alike.

        The versions of a package are requested together, so there are dozens of them.
        """
        answers: dict[_Request, Iterator[_Answer]] = {}
        for request, count in Counter(requests).items():
            host, registry, *numbers = request
            taken = await self._take(
                keys=[
                    *(f"ratelimit:{host}", f"pause:{host}", _hold(registry), f"used:{host}"),
                    *(f"unreachable:{host}", f"probe:{host}"),
                    *(f"answers:{host}", f"pauses:{host}"),
                ],
                args=[*numbers, LOOK_AGAIN, MAX_SPREAD, PROBE_TIME, PROBE_WAIT, count],
            )
            answers[request] = chain.from_iterable(repeat(tuple(a), n) for *a, n in taken)
        return [next(answers[request]) for request in requests]

    async def pause(self, host: str, seconds: float, *, doubling: bool = False) -> float:
        """Pause ``host`` for the fleet; returns the seconds of the pause.

        ``doubling``: the host stated no time, so consecutive pauses grow.
        """
        return await self._pause_host(host, seconds, MAX_PAUSE, doubling=doubling)

    async def unreachable(self, host: str, cause: str) -> float:
        """Mark a host as unreachable, tested by one probe at a time; returns the pause in seconds.

        The first recorded response ends this state.
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
                # Some hosts state 0, which Redis refuses.
                *(max(1, math.ceil(seconds * 1000)), int(longest * 1000), int(doubling)),
                *(cause, REMEMBERED),
            ],
        )
        return float(left) / 1000

    async def record(self, host: str, answer: Answer, url: str | None) -> tuple[list[str], bool]:
        """Record a response; a good one only if its permission was ``watched``.

        Args:
            host: ``name[:port]``.
            answer: the class of the response.
            url: of the document; ``None`` if the response concerns the host.

        Returns:
            The host's last responses, newest first, and whether it was unreachable until now.
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
        """Pause a registry for this number of seconds, or until :meth:`release`."""
        document = json.dumps({"since": datetime.now(UTC).isoformat(), "reason": reason})
        until = None if seconds is None else max(1, math.ceil(seconds * 1000))
        await self._redis.set(_hold(registry), document, px=until)

    async def release(self, registry: str) -> bool:
        """End an operator's pause; returns whether there was one."""
        return bool(await self._redis.delete(_hold(registry)))

    async def held(self, registry: str) -> RegistryPause | None:
        """The operator's pause of a registry, if there is one."""
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
        """The requests to hosts in the last minute and hour, and their pauses."""
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


def _next_batch(waiting: "list[Request[_Request, _Answer]]") -> "list[Request[_Request, _Answer]]":
    # A token is not taken for a task that no longer waits.
    return [request for request in first(MAX_BATCH, waiting) if not request.answer.done()]


def _later(moment: str | None, now: int) -> datetime | None:
    """A future time (Unix time), else ``None``."""
    until = float(moment or 0)
    return datetime.fromtimestamp(until, UTC) if until > now else None


def _hold(registry: str) -> str:
    return f"hold:{registry}"


def _in(milliseconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(milliseconds=milliseconds)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether ``name[:port]`` is this machine."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
