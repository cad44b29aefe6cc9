"""The clock of a worker's machine jumps while it works; those of the other machines do not."""

import importlib.util
from pathlib import Path

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet
from tests.acceptance.outages import Outage
from tests.conftest import Cypher
from tests.simulator.client import Simulator

HOUR = 3600


class Clock:
    """The time of day of the workers; durations are measured with a clock that never jumps."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """From now on it differs from the other machines' clocks by so much."""
        self._file.write_text(f"{seconds:+d}")


@pytest.fixture
def clock(fleet: Fleet, tmp_path: Path) -> Clock:
    """The clock of the fleet's workers, which are to be started."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        pytest.skip("libfaketime is there for Linux on x86-64 only")
    library = Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    fleet.environment |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    return Clock(tmp_path / "clock")


@pytest.fixture
def outage(fleet: Fleet, clock: Clock, state: State, simulator: Simulator) -> Outage:
    """A worker with that clock, and a job."""
    clock.jump(0)
    return Outage(fleet, state, simulator)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["an hour ahead", "an hour back"])
async def test_the_clock_jumps(outage: Outage, clock: Clock, cypher: Cypher, seconds: int) -> None:
    """A job goes on, and each of its packages is done once."""
    await outage.begin_job()
    clock.jump(seconds)
    await outage.assert_done(cypher)
