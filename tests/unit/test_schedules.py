"""The schedules: names and times that operators know."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab

import beat_schedule
from ssc_ingest.control.schedules import SUNDAY, At, Every, is_on, named, schedules
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.work.names import CONTROL
from tests.unit.registered_tasks import registered_tasks

EXPECTED = {
    "pypi_weekly_ingestion": "0 2 * * 0",
    "npm_weekly_ingestion": "0 3 * * 0",
    "maven_weekly_ingestion": "0 4 * * 0",
    "nuget_weekly_ingestion": "0 5 * * 0",
    "cargo_weekly_ingestion": "0 6 * * 0",
    "rubygems_weekly_ingestion": "0 7 * * 0",
    "pypi_daily_update": "0 10 * * *",
    "npm_daily_update": "0 12 * * *",
    "maven_daily_update": "0 14 * * *",
    "cargo_daily_update": "0 16 * * *",
    "rubygems_daily_update": "0 18 * * *",
    "nuget_daily_update": "0 20 * * *",
    "pypi_daily_staleness": "0 22 * * *",
    "npm_daily_staleness": "0 0 * * *",
    "maven_daily_staleness": "0 2 * * *",
    "cargo_daily_staleness": "0 4 * * *",
    "rubygems_daily_staleness": "0 6 * * *",
    "nuget_daily_staleness": "0 8 * * *",
}
OF_ADVISORIES = {"vulnerabilities_sync", "vulnerabilities_full_sync"}
TASKS = {
    "weekly_ingestion": "ingestion.ingest",
    "daily_update": "updates.update",
    "daily_staleness": "staleness.sweep",
}
MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(("name", "cron"), EXPECTED.items())
def test_registries_have_their_names_and_times(name: str, cron: str) -> None:
    """Each registry has weekly and daily runs; the name determines task and ecosystem."""
    entry = beat_schedule.entries()[name]
    minute, hour, _, _, weekday = cron.split()
    ecosystem, _, kind = name.partition("_")
    assert entry["schedule"] == crontab(minute=minute, hour=hour, day_of_week=weekday)
    assert entry["task"] == TASKS[kind]
    assert entry["kwargs"] == {"ecosystem": ecosystem}


def test_every_schedule_starts_a_task_that_exists() -> None:
    """An unknown task would make a dead letter each time."""
    assert {schedule.task for schedule in schedules().values()} <= registered_tasks()


def test_weekly_ingestion_is_off_and_the_rest_is_on() -> None:
    """Reading a whole registry needs an operator's decision."""
    for name in schedules():
        assert is_on(name, None) is not name.endswith("_weekly_ingestion")


def test_a_switch_wins_over_the_default() -> None:
    """In both directions, also for a schedule that no longer exists."""
    assert is_on("pypi_weekly_ingestion", "on")
    assert not is_on("pypi_daily_update", "off")
    assert is_on("somebody_elses", None)


def test_every_entry_expires_before_the_next() -> None:
    """A stopped fleet later finds at most one pending message of each."""
    for name, entry in beat_schedule.entries().items():
        assert 0 < entry["options"]["expires"] < schedules()[name].when.period
        assert entry["options"]["queue"] == CONTROL


def test_registries_can_be_left_out() -> None:
    """Only maintenance stays, without requests to registries."""
    own = beat_schedule.entries(only_own=True)
    assert own
    assert set(own) == set(beat_schedule.entries()) - set(EXPECTED) - OF_ADVISORIES
    assert not any("ecosystem" in entry["kwargs"] for entry in own.values())


def test_advisories_are_synced_every_half_an_hour_and_compared_on_sundays() -> None:
    """One task has two schedules."""
    found = {name: beat_schedule.entries()[name] for name in OF_ADVISORIES}
    assert {entry["task"] for entry in found.values()} == {"vulnerabilities.sync"}
    assert found["vulnerabilities_sync"]["schedule"] == 1800.0
    assert found["vulnerabilities_full_sync"]["schedule"] == crontab(
        minute="0", hour="1", day_of_week="0"
    )
    assert found["vulnerabilities_full_sync"]["kwargs"] == {"full": True}


def test_times_of_a_day() -> None:
    """It is the next full hour on the right day of the week, in the schedules' zone."""
    tuesday = datetime(2026, 3, 24, 10, 30, tzinfo=MADRID)
    assert At(10).following(tuesday, None) == datetime(2026, 3, 25, 10, tzinfo=MADRID)
    assert At(11).following(tuesday, None) == datetime(2026, 3, 24, 11, tzinfo=MADRID)
    assert At(10).following(tuesday.replace(minute=0), None).day == 25
    sunday = At(2, SUNDAY).following(tuesday, None)
    assert (sunday.day, sunday.weekday(), sunday.hour) == (29, SUNDAY, 2)


def test_periods() -> None:
    """A schedule is due one period after the last time.

    It is due now if that is over or there is none.
    """
    now = datetime(2026, 3, 24, 10, 30, tzinfo=MADRID)
    assert Every(60).following(now, now - timedelta(seconds=20)) == now + timedelta(seconds=40)
    assert Every(60).following(now, now - timedelta(hours=2)) == now
    assert Every(60).following(now, None) == now


def test_words() -> None:
    """The times have a text for people."""
    said = [str(when) for when in (Every(60), Every(300), At(2, SUNDAY), At(10))]
    assert said == ["every minute", "every 5 minutes", "Sundays at 02:00", "daily at 10:00"]


def test_unknown_names_are_the_callers_mistake() -> None:
    """The message has the existing names."""
    with pytest.raises(InvalidArguments, match="pypi_daily_update"):
        named("pypi_dayly_update")
