"""A registry of crates whose dumps the test makes."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.ecosystems.crates import Crates, listing
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.simulator.client import Simulator


@pytest.fixture(scope="session")
def universe() -> Iterator[Simulator]:
    """A registry of 300 crates."""
    with Simulator.start(packages=300, versions="2-6") as simulator:
        yield simulator


@pytest.fixture
def simulator(universe: Simulator) -> Simulator:
    """The registry in its first state, without faults; the test makes the dumps."""
    universe.reset()
    universe.rebuild("cargo")
    return universe


@pytest.fixture
async def crates(
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
    clean_redis: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Crates]:
    """The ecosystem, with small pages."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 40)
    async with opened(Crates, simulator, settings, redis_url) as crates:
        yield crates


def names(simulator: Simulator, count: int, *, start: int = 0) -> list[str]:
    """The names of this number of crates."""
    return [found.name for found in simulator.packages("cargo", count, start=start)]
