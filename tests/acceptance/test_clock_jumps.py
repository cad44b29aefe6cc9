"""The clock of a worker's machine jumps while it works; those of the other machines do not."""

from pathlib import Path

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet
from tests.acceptance.outages import Outage
from tests.clocks import Clock
from tests.conftest import Cypher
from tests.simulator.client import Simulator

HOUR = 3600


@pytest.fixture
def clock(fleet: Fleet, tmp_path: Path) -> Clock:
    """The clock of the fleet's workers, which are to be started."""
    clock = Clock(tmp_path / "clock")
    fleet.environment |= clock.environment
    return clock


@pytest.fixture
def outage(fleet: Fleet, clock: Clock, state: State, simulator: Simulator) -> Outage:
    """A worker with that clock, and a job."""
    return Outage(fleet, state, simulator)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["an hour ahead", "an hour back"])
async def test_the_clock_jumps(outage: Outage, clock: Clock, cypher: Cypher, seconds: int) -> None:
    """A job goes on, and each of its packages is done once."""
    await outage.begin_job()
    clock.jump(seconds)
    await outage.assert_done(cypher)
