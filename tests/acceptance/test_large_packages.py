"""The largest packages of the registries do not make a worker large."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, WorkerProcess
from tests.acceptance.work import assert_nothing_is_left, finished, settled, start_job
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds
from tests.simulator.client import Simulator

VERSIONS = 5000

DOCUMENT = 50
"""Megabytes; the largest documents of npm."""

MOST_FOR_VERSIONS = 300
MOST_FOR_A_DOCUMENT = 500
"""Megabytes of a worker at its largest. One that has nothing to do has about 120."""

SECONDS = 120


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    """Registries whose last packages have as many versions as the largest real ones."""
    with Simulator.start(packages=100, versions="5", requirements="5", huge=VERSIONS) as simulator:
        yield simulator


def largest(worker: WorkerProcess) -> float:
    """Peak resident memory of the process, in megabytes."""
    status = Path(f"/proc/{worker.pid}/status")
    if not status.exists():
        pytest.skip("the largest size of a process is read from /proc")
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    assert peak
    return int(peak[1]) / 1024


@pytest.mark.soak
async def test_a_worker_stays_small(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """5,000 versions of npm and of Maven Central, then a document of 50 MB."""
    fleet.environment |= {"TASK_TIMEOUT": "60", "VISIBILITY_TIMEOUT": "90"}
    worker = fleet.start()
    for ecosystem in ("npm", "maven"):
        (package,) = simulator.packages(ecosystem, 1, start=90, traits=("huge",))
        job = await finished(
            state, await start_job(state, package.name, "none", ecosystem), SECONDS
        )
        assert job.counts["versions"] == VERSIONS
        assert largest(worker) < MOST_FOR_VERSIONS, ecosystem
        assert_graph_holds(cypher, simulator.truth(ecosystem, package.name))

    (package,) = simulator.packages("npm", 1, start=50, traits=("requirements",))
    simulator.fault("heavy", package=package.purl, megabytes=DOCUMENT)
    await finished(state, await start_job(state, package.name, "none", "npm"), SECONDS)
    assert largest(worker) < MOST_FOR_A_DOCUMENT
    assert_graph_holds(cypher, simulator.truth("npm", package.name))
    assert simulator.counts().faults
    await settled(state)
    await assert_nothing_is_left(state)
