"""Delayed work continues from its checkpoint."""

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import assert_nothing_is_left, finished, settled, start_job
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds
from tests.simulator.client import Simulator


async def test_nothing_is_requested_twice(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The list of versions and the POMs that arrived before the host asked us to wait are kept."""
    fleet.start()
    package = next(
        found
        for found in simulator.packages("maven", 30, start=30)
        if len(simulator.truth("maven", found.name).versions) >= 5
    )
    truth = simulator.truth("maven", package.name)
    simulator.fault(
        "status", endpoint="maven.pom", package=truth.purl, status=429, retry_after="2",
        after=3, times=1,
    )  # fmt: skip
    job_id = await start_job(state, package.name, "none", "maven")
    await eventually(state.queues.delayed)
    kept = [key async for key in state.cache.scan_iter("carryover:*")]
    assert kept == [f"carryover:{truth.purl}".encode()]
    before = simulator.counts().endpoints["maven.metadata"]
    assert not (await finished(state, job_id)).failed
    assert simulator.counts().endpoints["maven.metadata"] == before == 1
    assert_graph_holds(cypher, truth)
    await settled(state)
    await assert_nothing_is_left(state)
    assert [key async for key in state.cache.scan_iter("carryover:*")] == []
