"""The schedules in the format of Celery's beat: task, time, queue and expiry of each.

:mod:`ssc_ingest.control.schedules` lists the schedules and their times. A message expires before
the next one is due, so messages do not accumulate while no worker is running.
"""

from typing import Any

from celery.schedules import crontab

from ssc_ingest.control.schedules import At, Every, schedules
from ssc_ingest.work.names import CONTROL


def entries(*, only_own: bool = False) -> dict[str, dict[str, Any]]:
    """Entries of ``beat_schedule`` by name; all, or only those without requests to registries."""
    return {
        name: {
            "task": schedule.task,
            "schedule": _celery_schedule(schedule.when),
            "kwargs": dict(schedule.kwargs),
            "options": {"queue": CONTROL, "expires": schedule.expires},
        }
        for name, schedule in schedules(only_own=only_own).items()
    }


def _celery_schedule(when: At | Every) -> crontab | float:
    if isinstance(when, Every):
        return float(when.period)
    # cron counts from Sunday, Python from Monday.
    day = "*" if when.weekday is None else str((when.weekday + 1) % 7)
    return crontab(minute="0", hour=str(when.hour), day_of_week=day)
