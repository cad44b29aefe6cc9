"""The command ``schedules``."""

import json

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
