"""The command ``schedules``."""

import json
import time

from ssc_ingest.control.schedules import schedules
from ssc_ingest.monitoring.heartbeats import Beat
from ssc_ingest.resources import State
from tests.acceptance.test_cli.running import Run, tables_fit


async def test_schedules(state: State, run: Run) -> None:
    """Schedules are listed with task and time, enabled, disabled, and started by hand."""
    listed = json.loads(run("schedules", "list", "--json").stdout)
    assert listed["timezone"] == "UTC"
    found = {schedule["name"]: schedule for schedule in listed["schedules"]}
    weekly = found["maven_weekly_ingestion"]
    assert (weekly["on"], weekly["by_default"], weekly["next"]) == (False, True, None)
    assert weekly["when"] == "Sundays at 04:00"
    assert found["pypi_daily_update"]["on"]
    assert found["pypi_daily_update"]["next"].endswith("10:00:00+00:00")
    text = run("schedules", "list", TIMEZONE="Europe/Madrid", COLUMNS="100")
    assert "Europe/Madrid" in text.stdout
    assert "no beat is running" in text.stderr
    assert tables_fit(text.stdout, 100)
    narrow = run("schedules", "list", COLUMNS="80").stdout
    assert tables_fit(narrow, 80)
    assert narrow.split()[:3] == ["schedule", "when", "next"], "one line for each, not a block"
    assert run("schedules", "enable", "maven_weekly_ingestion").returncode == 0
    assert run("schedules", "disable", "pypi_daily_update").returncode == 0
    found = {
        s["name"]: s for s in json.loads(run("schedules", "list", "--json").stdout)["schedules"]
    }
    assert found["maven_weekly_ingestion"]["on"]
    assert not found["pypi_daily_update"]["on"]
    assert not found["pypi_daily_update"]["by_default"]
    assert run("schedules", "run-now", "pypi_daily_update").returncode == 0
    assert (await state.queues.lengths(["control"]))["control"] == 1
    unknown = run("schedules", "enable", "pypi")
    assert unknown.returncode == 2
    assert "pypi_daily_update" in unknown.stderr


async def test_a_schedule_that_the_running_beat_lacks(state: State, run: Run) -> None:
    """The list has one line for each at 80 columns, and `enable` says that it does not fire."""
    beat = Beat(hostname="host", pid=7, leads=True, schedules=("runs_sweep",), seen_at=time.time())
    await state.redis.set(beat.key, beat.encode(), ex=60)
    listed = run("schedules", "list", COLUMNS="80").stdout
    rows = [line for line in listed.splitlines() if "_" in line.split(" ")[0]]
    assert all(row.rstrip().endswith("not here") != ("runs_sweep" in row) for row in rows)
    assert len(rows) == len(schedules())
    assert len(listed.splitlines()) == 2 + len(rows) + 2, "no row has two lines"
    assert "not here: the running beat has no such schedule" in listed
    enabled = run("schedules", "enable", "npm_daily_update")
    assert enabled.stdout == "npm_daily_update is on\n"
    assert "it does not fire here" in enabled.stderr
    assert run("schedules", "enable", "runs_sweep").stderr == ""
