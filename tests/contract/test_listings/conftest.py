"""Runs the tests of listings and feeds for each ecosystem, on small pages."""

from collections.abc import AsyncIterator, Callable

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.contract.test_listings.registries import LISTINGS
from tests.simulator.client import Simulator

PAGE = 100
"""Names or changes on a page, where the size of a page is ours."""


@pytest.fixture(params=LISTINGS)
def name(request: pytest.FixtureRequest, clean_redis: None) -> str:
    """The ecosystem's name."""
    return str(request.param)


SetPageSize = Callable[[int], None]


@pytest.fixture
def page_size(name: str, monkeypatch: pytest.MonkeyPatch) -> SetPageSize:
    """Set the number of names or changes per page, if the program decides it."""

    def set_page_size(size: int) -> None:
        if page := LISTINGS[name].page:
            monkeypatch.setattr(page, size)

    set_page_size(PAGE)
    return set_page_size


@pytest.fixture
async def reader(
    name: str,
    page_size: SetPageSize,
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading its simulated registry in small pages."""
    async with opened(ecosystem(name), simulator, settings, redis_url) as reader:
        yield reader
