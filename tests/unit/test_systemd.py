"""Facts of the systemd units."""

import re
from pathlib import Path

import pytest

from ssc_ingest.settings import Settings
from ssc_ingest.work.names import URGENCIES

FOLDER = Path(__file__).parents[2] / "deploy/systemd"
UNITS = sorted(FOLDER.iterdir())


def values(unit: Path, name: str) -> list[str]:
    """All values of a directive."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_restarts_what_a_restart_helps(unit: Path) -> None:
    """A wrong setting is no reason to restart; running tasks get their time to stop."""
    assert values(unit, "Restart") == ["on-failure"]
    assert values(unit, "RestartPreventExitStatus") == ["78"]
    grace = Settings.model_fields["shutdown_grace"].default
    assert int(values(unit, "TimeoutStopSec")[0]) >= grace + 10
    assert values(unit, "KillMode") == ["mixed"], "SIGTERM to the main process only"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_has_few_rights(unit: Path) -> None:
    """It is not root; large temporary files have a folder of their own."""
    assert values(unit, "User") == ["ssc-ingest"]
    assert values(unit, "ProtectSystem") == ["strict"]
    assert values(unit, "CapabilityBoundingSet") == [""]
    assert "TMPDIR=/var/lib/ssc-ingest/tmp" in values(unit, "Environment")[0]
    assert values(unit, "StateDirectory") == ["ssc-ingest ssc-ingest/tmp"]


def test_worker_reads_the_queues_of_its_ecosystem() -> None:
    """Urgent queues come first; the name of the machine is Celery's, not systemd's."""
    (command,) = values(FOLDER / "ssc-ingest-worker@.service", "ExecStart")
    assert command.endswith(",".join(f"%i.{urgency}" for urgency in URGENCIES))
    assert "--hostname %i@%%h " in command


def test_worker_leaves_the_processor_to_others() -> None:
    """Its unit has less than a service's 100; inside the fleet's unit, ``up`` sees to that."""
    (weight,) = values(FOLDER / "ssc-ingest-worker@.service", "CPUWeight")
    assert int(weight) < 100
    assert values(FOLDER / "ssc-ingest.service", "CPUWeight") == []
