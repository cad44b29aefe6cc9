"""A listing's memory does not grow with the registry."""

import pytest

from benchmarks.listing import measure
from tests.conftest import IS_SHORT
from tests.simulator.client import Simulator

MEGABYTE = 1024 * 1024

SMALL, LARGE = 5_000, (200_000 if IS_SHORT else 1_000_000)

BOUND = 48 * MEGABYTE
"""What the other names may cost: buffers and caches that fill up, and no list of names. As Python
objects they would take 100 bytes each."""


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["pypi", "npm"])
def test_memory_is_bounded(name: str, redis_url: str, clean_redis: None) -> None:
    """With forty times as many names, the process is hardly larger."""
    growth = {}
    for packages in (SMALL, LARGE):
        with Simulator.start(packages=packages) as simulator:
            found = measure(name, simulator.url, redis_url)
        assert found.names == packages
        growth[packages] = found.growth
    assert growth[LARGE] < growth[SMALL] + BOUND
