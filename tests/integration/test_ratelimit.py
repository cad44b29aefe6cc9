"""The fleet's rate limit, on a real Redis. Times are those of Redis; the test measures none."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis import Redis

from ssc_ingest.http.rate_limit import (
    LOOK_AGAIN,
    MAX_SPREAD,
    MAX_START,
    MAX_WAIT,
    RateLimiter,
    is_loopback,
)
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.limiters import open_limiter


async def test_tokens_run_out_for_everybody(state: State) -> None:
    """The burst is granted at once, then requests are delayed, then refused."""
    begin = time.monotonic()
    taken = [await state.limiter.take("h", rate=10, urgent=True)]
    while taken[-1].granted:
        taken.append(await state.limiter.take("h", rate=10, urgent=True))
    granted = taken[:-1]
    # The burst, the tokens of MAX_WAIT, and those that were added meanwhile.
    assert 30 <= len(granted) <= 41 + 10 * (time.monotonic() - begin)
    assert all(permission.delay <= MAX_WAIT for permission in granted)
    assert not taken[-1].granted
    assert taken[-1].delay > MAX_WAIT


async def test_bulk_leaves_a_share_to_urgent(state: State) -> None:
    """When bulk work has to wait, urgent work does not."""
    while (await state.limiter.take("h", rate=10, urgent=False)).delay == 0:
        pass
    assert (await state.limiter.take("h", rate=10, urgent=True)).delay == 0


async def test_refused_requests_return_in_turn(state: State) -> None:
    """Refused requests return one token's time apart, up to a limit, also after a pause.

    Urgent work does not queue.
    """

    async def refusal(*, urgent: bool = False) -> float:
        while (permission := await state.limiter.take("h", rate=10, urgent=urgent)).granted:
            pass
        return permission.delay

    turns = [time.monotonic() + await refusal() for _ in range(100)]
    # A tenth of a second each, as exactly as this side knows when Redis was asked.
    assert turns[-1] - turns[0] == pytest.approx(9.9, abs=3)
    assert await refusal(urgent=True) < turns[-1] - time.monotonic()
    many = [await refusal() for _ in range(600)]
    assert max(many) <= MAX_WAIT + MAX_SPREAD + 1
    await state.limiter.pause("h", 100)
    paused = [await refusal() for _ in range(20)]
    assert 99 < paused[0] < paused[-1]
    assert await refusal(urgent=True) <= 100


async def test_started_work_goes_first(state: State) -> None:
    """Work that has read a document does not queue behind new work."""
    while (await state.limiter.take("h", rate=2, urgent=False)).delay < MAX_START:
        pass
    assert not (await state.limiter.take("h", rate=2, urgent=False, begun=False)).granted
    assert (await state.limiter.take("h", rate=2, urgent=False)).granted


async def test_a_pause_applies_to_the_fleet(state: State) -> None:
    """Nothing is granted while the host is paused; other hosts are unaffected."""
    assert await state.limiter.pause("h", 30) == pytest.approx(30, abs=5)
    permissions = await asyncio.gather(
        *(state.limiter.take("h", rate=10, urgent=n % 2 == 0) for n in range(20))
    )
    assert not any(permission.granted for permission in permissions)
    assert (await state.limiter.take("other", rate=10, urgent=False)).granted


async def test_concurrent_requests_take_their_tokens_together(state: State) -> None:
    """They share a script, and each gets what it would have got alone."""
    await state.limiter.take("h", rate=1000, urgent=True)  # Redis knows the script
    await state.redis.config_resetstat()
    taken = await asyncio.gather(
        *(state.limiter.take("h", rate=10, urgent=True) for _ in range(40)),
        *(state.limiter.take("127.0.0.1:1", rate=10, urgent=True) for _ in range(40)),
    )
    limited, unlimited = taken[:40], taken[40:]
    granted = [permission.delay for permission in limited if permission.granted]
    assert 10 + MAX_WAIT * 10 - 1 <= len(granted) <= 10 + MAX_WAIT * 10 + 1
    assert granted == sorted(granted)
    assert [permission.verdict for permission in limited[len(granted) :]] == ["turn"] * (
        40 - len(granted)
    )
    assert all(permission.granted and permission.delay == 0 for permission in unlimited)
    calls = (await state.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert calls <= 4


async def test_a_shorter_pause_does_not_end_a_longer_one(state: State) -> None:
    """The longest pause counts."""
    await state.limiter.pause("h", 100)
    assert await state.limiter.pause("h", 1) == pytest.approx(100, abs=5)


async def test_pauses_without_a_named_time_grow(state: State) -> None:
    """Consecutive pauses double; a second response during a pause does not count."""
    assert await state.limiter.pause("h", 60, doubling=True) == pytest.approx(60, abs=5)
    assert await state.limiter.pause("h", 60, doubling=True) == pytest.approx(60, abs=5)
    await state.redis.delete("pause:h")
    assert await state.limiter.pause("h", 60, doubling=True) == pytest.approx(120, abs=5)


async def test_a_zero_retry_after_gives_a_short_pause(state: State) -> None:
    """Registries send ``Retry-After: 0``."""
    assert await state.limiter.pause("h", 0) <= 0.001


async def test_loopback_has_no_rate_but_can_be_paused(state: State) -> None:
    """A mirror or simulator on this machine has no rate limit."""
    permissions = [
        await state.limiter.take("127.0.0.1:8080", rate=1, urgent=False) for _ in range(50)
    ]
    assert all(permission.granted and permission.delay == 0 for permission in permissions)
    await state.limiter.pause("127.0.0.1:8080", 10)
    assert not (await state.limiter.take("127.0.0.1:8080", rate=1, urgent=True)).granted


async def test_an_operators_pause_is_the_registrys(state: State) -> None:
    """A pause applies to all hosts of the registry and to urgent work.

    Other registries of the host continue.
    """

    async def granted(registry: str) -> bool:
        permission = await state.limiter.take("h", rate=100, urgent=True, registry=registry)
        return permission.granted

    await state.limiter.hold("npm", reason="their incident", seconds=None)
    refused = await state.limiter.take("other", rate=100, urgent=True, registry="npm")
    assert (refused.granted, refused.held, refused.delay) == (False, True, LOOK_AGAIN)
    assert not await granted("npm")
    assert await granted("pypi")
    hold = await state.limiter.held("npm")
    assert hold is not None
    assert (hold.reason, hold.until) == ("their incident", None)
    assert await state.limiter.release("npm")
    assert not await state.limiter.release("npm")
    assert await granted("npm")


async def test_an_operators_pause_can_expire(state: State) -> None:
    """Work is retried at that time, and not later."""
    await state.limiter.hold("npm", reason="", seconds=20)
    refused = await state.limiter.take("h", rate=100, urgent=True, registry="npm")
    assert 10 < refused.delay <= 20
    hold = await state.limiter.held("npm")
    assert hold is not None
    assert hold.until is not None


async def test_use_is_counted(state: State) -> None:
    """Granted tokens in the last minute and hour, also on loopback; refusals do not count."""
    for _ in range(7):
        await state.limiter.take("127.0.0.1:1", rate=1, urgent=False)
    while (await state.limiter.take("h", rate=1, urgent=True)).granted:
        pass
    await state.limiter.pause("h", 100)
    use = await state.limiter.use(["127.0.0.1:1", "h", "never"])
    assert use["127.0.0.1:1"].last_hour == 7
    assert use["127.0.0.1:1"].last_minute <= 7
    assert 1 <= use["h"].last_hour <= 5
    assert use["h"].paused_until is not None
    assert use["h"].queued_until is not None
    assert (use["never"].last_minute, use["never"].last_hour) == (0, 0)
    assert (use["never"].paused_until, use["never"].queued_until) == (None, None)
    # What was more than an hour ago, in the same slot, does not count.
    (slot,) = await state.redis.hkeys("used:127.0.0.1:1")
    entry = await state.redis.hget("used:127.0.0.1:1", slot)
    minute = int(str(entry).split()[0])
    await state.redis.hset("used:127.0.0.1:1", slot, f"{minute - 60} 999")
    assert (await state.limiter.use(["127.0.0.1:1"]))["127.0.0.1:1"].last_hour == 0
    await state.limiter.take("127.0.0.1:1", rate=1, urgent=False)
    assert (await state.limiter.use(["127.0.0.1:1"]))["127.0.0.1:1"].last_hour == 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3:80", True),
        ("localhost:8080", True),
        ("[::1]:80", True),
        ("[::1]", True),
        ("10.0.0.1:80", False),
        ("pypi.org", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_hosts(host: str, *, loopback: bool) -> None:
    """Only this machine counts as loopback."""
    assert is_loopback(host) is loopback


def alone(_: Settings, servers: Servers) -> AbstractAsyncContextManager[RateLimiter]:
    """A limiter with its own client."""
    return open_limiter(servers.redis(2))


@asynccontextmanager
async def of_a_program(settings: Settings, servers: Servers) -> AsyncIterator[RateLimiter]:
    """The limiter of a program's state."""
    async with open_state(settings, servers) as state:
        yield state.limiter


@pytest.mark.parametrize("opened", [alone, of_a_program])
async def test_cancelled_requests_leave_no_connection(
    opened: Callable[[Settings, Servers], AbstractAsyncContextManager[RateLimiter]],
    settings: Settings,
    redis_servers: Servers,
    clean_redis: None,
) -> None:
    """Tokens are taken by another task, which sends nothing after the client has been closed."""
    with Redis.from_url(redis_servers.redis_url) as client:
        before = {row["id"] for row in client.client_list()}
        async with opened(settings, redis_servers) as limiter:
            tasks = []
            for number in range(3):  # the first one connects; the others wait for it
                take = limiter.take(f"h{number}", rate=10, urgent=True)
                tasks.append(asyncio.create_task(take))
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.2)  # in which what goes on would connect
        assert {row["id"] for row in client.client_list()} - before == set()


async def test_a_cancelled_request_takes_no_token(state: State) -> None:
    """Unless it has been sent."""
    first, second, last = (
        asyncio.create_task(state.limiter.take("h", rate=10, urgent=True)) for _ in range(3)
    )
    await asyncio.sleep(0)  # they wait, and nothing has been sent
    second.cancel()
    assert [(await task).verdict for task in (first, last)] == ["ok", "ok"]
    assert (await state.limiter.use(["h"]))["h"].last_minute == 2
