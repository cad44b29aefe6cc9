"""Whole registries: an ingestion adds all packages, an update reads the changes since.

The simulator counts the requests and knows the correct graph.
"""

import math
from collections.abc import Iterator

import pytest

from ssc_ingest.ecosystems import built_in
from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet
from tests.acceptance.work import (
    assert_graph_is_the_registry,
    assert_nothing_is_left,
    carried_out,
)
from tests.conftest import Cypher
from tests.simulator.client import Simulator
from tests.simulator.truth import PackageTruth

PACKAGES = 120

MOST_FOR_NOTHING = 5
"""Requests of an update when nothing has changed."""

EACH = {"pypi": 2, "npm": 1, "maven": 3, "cargo": 1, "rubygems": 2, "nuget": 2}
"""Requests at the most for one changed package with one new version: its document, and the
metadata of the version where the document does not have it (a POM may have a parent)."""

FEED = {"pypi": 1, "npm": 2, "maven": 2, "cargo": 3, "rubygems": 2, "nuget": 2}
"""Requests at the most for the feed, which is one page or chunk."""


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    """Registries of few packages."""
    with Simulator.start(packages=PACKAGES, versions="1-4", requirements="0-3") as simulator:
        yield simulator


def change_one_percent(simulator: Simulator, name: str) -> list[PackageTruth]:
    """Release a version of one package in a hundred; returns these packages."""
    candidates = simulator.packages(name, PACKAGES, traits=())
    count = math.ceil(PACKAGES / 100)
    return [simulator.publish(name, found.name) for found in candidates[50 : 50 + count]]


@pytest.mark.parametrize("name", [cls.identity.name for cls in built_in()])
async def test_ingestion_and_updates(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher, name: str
) -> None:
    """The ingestion adds everything; an update without changes costs few requests.

    An update of 1% costs about 1% of the requests. A deleted package and an unpublished version
    keep their nodes; a new package is skipped.
    """
    ingestion = await carried_out(shared_fleet, state, "ingestion", name)
    packages = assert_graph_is_the_registry(cypher, simulator, name)
    metrics = ingestion.metrics()
    assert metrics["total_in_registry"] == packages
    assert metrics["new_packages_ingested"] == packages
    assert metrics["skipped_existing"] == metrics["errors"] == 0
    assert metrics["ingestion_rate"] == 100.0

    simulator.reset_counts()
    update = await carried_out(shared_fleet, state, "update", name)
    assert simulator.counts().total <= MOST_FOR_NOTHING, simulator.requests()
    assert update.metrics()["packages_processed"] == 0

    changed = change_one_percent(simulator, name)
    simulator.reset_counts()
    update = await carried_out(shared_fleet, state, "update", name)
    assert update.metrics()["packages_processed"] == len(changed)
    assert update.metrics()["new_versions"] == len(changed)
    asked = simulator.counts().total
    assert asked <= 1.1 * (len(changed) * EACH[name] + FEED[name]), simulator.requests()
    assert_graph_is_the_registry(cypher, simulator, name)
    await assert_nothing_is_left(state)

    nodes = "MATCH (n) RETURN elementId(n) AS id ORDER BY id"
    before = cypher(nodes)
    names = [found.name for found in simulator.packages(name, PACKAGES)]
    several = next(n for n in names[60:] if len(simulator.truth(name, n).versions) > 1)
    simulator.delete_version(name, several, simulator.truth(name, several).versions[0].name)
    deleted = next(n for n in names[80:] if n != several)
    purl = simulator.truth(name, deleted).purl
    simulator.delete(name, deleted)
    added = simulator.add(name)
    await carried_out(shared_fleet, state, "update", name)
    assert cypher(nodes) == before
    assert cypher("MATCH (p {purl: $purl}) RETURN p.moment IS NOT NULL AS read", purl=purl) == [
        {"read": True}
    ]
    assert cypher("MATCH (p {purl: $purl}) RETURN p", purl=added.purl) == []
