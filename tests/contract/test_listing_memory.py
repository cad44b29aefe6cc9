"""A listing's memory does not grow with the registry."""

import pytest

from benchmarks.listing import measure
from tests.simulator.client import Simulator

MEGABYTE = 1024 * 1024

SMALL, LARGE = 5_000, 200_000

BOUND = 48 * MEGABYTE
"""What 195,000 names more may cost: buffers and caches that fill up, and no list of names.
As Python objects they would take some 20 MB for their text alone."""


@pytest.mark.parametrize("name", ["pypi", "npm"])
def test_memory_is_bounded(name: str, redis_url: str, clean_redis: None) -> None:
    """Forty times as many names, and a process that is hardly larger."""
    growth = {}
    for packages in (SMALL, LARGE):
        with Simulator.start(packages=packages) as simulator:
            found = measure(name, simulator.url, redis_url)
        assert found.names == packages
        growth[packages] = found.growth
    assert growth[LARGE] < growth[SMALL] + BOUND
