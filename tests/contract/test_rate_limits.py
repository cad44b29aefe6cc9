"""Reads packages under a rate that is much lower than the demand."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis.asyncio as redis

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.http import rate_limit
from ssc_ingest.models import Package
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened, rate_of, read, read_in_turn
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

RATE = 40
"""Requests a second; a package wants eight at a time."""

MOST_TWICE = 3


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """Packages of many versions without shared documents."""
    with Simulator.start(packages=200, versions="24", requirements="1", plain=True) as simulator:
        yield simulator


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, so that even few packages are refused."""
    monkeypatch.setattr(rate_limit, "MAX_WAIT", 0.1)
    monkeypatch.setattr(rate_limit, "MAX_START", 0.1)


@pytest.mark.usefixtures("impatient", "clean_redis")
@pytest.mark.parametrize("name", ["maven", "pypi"])
async def test_no_permission_is_spent_in_vain(
    name: str, simulator: Simulator, settings: Settings, redis_url: str
) -> None:
    """Packages that are refused half-way are completed, and no response is lost."""
    names = [package.name for package in simulator.packages(name, 8, start=100)]
    with rate_of(ecosystem(name), 100_000):
        async with opened(ecosystem(name), simulator, settings, redis_url) as reader:
            whole = [(await read(reader, each)).package.versions for each in names]
    wanted = simulator.counts().total
    simulator.reset_counts()
    host = urlsplit(next(iter(simulator.environment().values()))).netloc
    async with redis.Redis.from_url(redis_url) as cache:
        await cache.delete(f"used:{host}")
        with rate_of(ecosystem(name), RATE):
            async with opened(ecosystem(name), simulator, settings, redis_url) as reader:
                found = await asyncio.gather(*(_in_time(reader, cache, each) for each in names))
    async with redis.Redis.from_url(redis_url, decode_responses=True) as state:
        use = (await rate_limit.RateLimiter(state).use([host]))[host]
    assert [package.versions for package, _ in found] == whole
    assert sum(refusals for _, refusals in found) > 0
    # A parent that several versions have may be asked for by two of them at the same moment.
    asked = simulator.counts().total
    assert wanted <= asked <= wanted + MOST_TWICE
    assert use.last_hour == asked


async def _in_time(reader: Ecosystem, cache: redis.Redis, name: str) -> tuple[Package, int]:
    """Read a package; returns it and the number of additional executions."""
    *refusals, package = [each async for each in read_in_turn(reader, cache, name)]
    assert package
    return package, len(refusals)
