"""Faulty listings and feeds of registries: no package is ever lost."""

from collections.abc import Callable, Iterator

import pytest

from ssc_ingest.resources import State
from ssc_ingest.runs.kinds import Kind
from tests.acceptance.fleet import Fleet
from tests.acceptance.work import (
    assert_graph_is_the_registry,
    assert_nothing_is_left,
    carried_out,
)
from tests.conftest import Cypher
from tests.simulator.client import Simulator

PACKAGES = 60


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    """Registries of some dozens of packages each."""
    with Simulator.start(packages=PACKAGES, versions="1-4", requirements="0-3") as simulator:
        yield simulator


def publish(simulator: Simulator, name: str, start: int) -> None:
    """Release new versions of two packages."""
    for found in simulator.packages(name, 2, start=start):
        simulator.publish(name, found.name)


@pytest.mark.parametrize(
    ("name", "begin_again"),
    [("npm", Simulator.reset_sequence), ("rubygems", Simulator.rebuild)],
    ids=["npm's sequence", "RubyGems' list of versions"],
)
async def test_a_feed_that_restarts(
    shared_fleet: Fleet,
    simulator: Simulator,
    state: State,
    cypher: Cypher,
    *,
    name: str,
    begin_again: Callable[[Simulator, str], None],
) -> None:
    """The stored position no longer exists: numbers are lower, or the file is another one."""
    await carried_out(shared_fleet, state, "ingestion", name)
    publish(simulator, name, 20)
    begin_again(simulator, name)
    await carried_out(shared_fleet, state, "update", name)
    assert_graph_is_the_registry(cypher, simulator, name)
    publish(simulator, name, 30)
    await carried_out(shared_fleet, state, "update", name)
    assert_graph_is_the_registry(cypher, simulator, name)
    await assert_nothing_is_left(state)


@pytest.mark.parametrize("name", ["pypi", "npm", "cargo", "nuget"])
async def test_an_outdated_page(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher, name: str
) -> None:
    """A cache has an older copy of the feed; the next update reads the hidden entries."""
    await carried_out(shared_fleet, state, "ingestion", name)
    publish(simulator, name, 20)
    await carried_out(shared_fleet, state, "update", name)
    publish(simulator, name, 30)
    simulator.stale(name, events=2)
    await carried_out(shared_fleet, state, "update", name)
    simulator.stale(name, on=False)
    await carried_out(shared_fleet, state, "update", name)
    assert_graph_is_the_registry(cypher, simulator, name)
    await assert_nothing_is_left(state)


@pytest.mark.parametrize("kind", ["ingestion", "update"])
async def test_an_index_that_breaks_off(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher, kind: Kind
) -> None:
    """Maven Central's index, or its newest chunk, is truncated once."""
    if kind == "update":
        await carried_out(shared_fleet, state, "ingestion", "maven")
        publish(simulator, "maven", 20)
    part = {"ingestion": "maven.index", "update": "maven.chunk"}[kind]
    simulator.fault("truncate", endpoint=part, keep=0.6, times=1)
    await carried_out(shared_fleet, state, kind, "maven")
    assert simulator.counts().faults == {"truncate": 1}
    assert_graph_is_the_registry(cypher, simulator, "maven")
    await assert_nothing_is_left(state)
