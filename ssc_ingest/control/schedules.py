"""The schedules: the tasks that beat starts, their times, and whether they are enabled.

The hours of a registry are in its :class:`~ssc_ingest.ecosystems.base.Identity`; everything else
follows from the list of ecosystems. The state is in three hashes of the state database, by the name
of the schedule: its switch, if an operator has set it, and two times. Beat reads them when a
schedule is due, so they apply to every beat and survive restarts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.runs.kinds import KINDS
from ssc_ingest.vulnerabilities.requests import AUDIT, SYNC
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL, SWEEP
from ssc_ingest.work.queues import Queues

SWITCHES = "schedules:switches"
"""``on`` or ``off``."""

FIRED = "schedules:fired"
"""Unix time of the last message."""

SKIPPED = "schedules:skipped"
"""Unix time when a disabled schedule was last due, or when a beat first saw the schedule.

The later one of the two determines the next time.
"""

ON, OFF = "on", "off"

AUDITED_DAILY = 1000
"""Packages of the daily audit of advisories."""

DAY = 24 * 3600
SUNDAY = 6
"""As in :meth:`datetime.datetime.weekday`."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Every:
    """Fires each time this number of seconds has passed."""

    period: int

    def __str__(self) -> str:
        minutes = self.period // 60
        return "every minute" if minutes == 1 else f"every {minutes} minutes"

    def following(self, moment: datetime, last: datetime | None) -> datetime:
        """The next time at or after ``moment``; ``last`` is the previous time."""
        return moment if last is None else max(moment, last + timedelta(seconds=self.period))


@dataclass(frozen=True, slots=True)
class At:
    """Fires at a full hour, daily or on one day of the week, in the schedules' time zone."""

    hour: int
    weekday: int | None = None

    @property
    def period(self) -> int:
        """Seconds between two times."""
        return DAY if self.weekday is None else 7 * DAY

    def __str__(self) -> str:
        day = "daily" if self.weekday is None else f"{WEEKDAYS[self.weekday]}s"
        return f"{day} at {self.hour:02}:00"

    def following(self, moment: datetime, last: datetime | None) -> datetime:
        """The next time after ``moment`` (aware, in the schedules' time zone)."""
        del last
        found = moment.replace(hour=self.hour, minute=0, second=0, microsecond=0)
        while found <= moment or self.weekday not in {None, found.weekday()}:
            found += timedelta(days=1)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One entry of the schedule."""

    name: str
    task: str
    when: Every | At
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    on: bool = True
    """Whether it is enabled by default."""

    @property
    def expires(self) -> int:
        """Seconds until its message expires, shortly before the next one."""
        return self.when.period * 5 // 6

    def message(self) -> TaskMessage:
        """The message that starts its task."""
        return TaskMessage(task=self.task, kwargs=self.kwargs, queue=CONTROL, ignore_result=False)


PROCESS_STREAM = "stream.process"
"""Public name of the task."""

OWN = (
    # Finds work lost in a crash: deferred requests without an owner, pending packages that are in
    # no queue.
    Schedule(name="runs_sweep", task=SWEEP, when=Every(60)),
    # A fallback: control reads the streams continuously. The task's result shows the counts.
    Schedule(name="redis_queue_processor", task=PROCESS_STREAM, when=Every(300)),
    Schedule(
        name="vulnerabilities_audit",
        task=AUDIT,
        kwargs={"packages": AUDITED_DAILY},
        when=At(hour=6),
    ),
)
"""Schedules that maintain the fleet itself, with any value of ``SCHEDULES``."""


def _of_registries() -> Iterator[Schedule]:
    """For each registry: a weekly ingestion, a daily update and a daily staleness run."""
    for name, cls in ecosystems().items():
        yield Schedule(
            name=f"{name}_weekly_ingestion",
            task=KINDS["ingestion"].task,
            kwargs={"ecosystem": name},
            when=At(cls.identity.ingestion_hour, SUNDAY),
            on=False,
        )
    for name, cls in ecosystems().items():
        yield Schedule(
            name=f"{name}_daily_update",
            task=KINDS["update"].task,
            kwargs={"ecosystem": name},
            when=At(cls.identity.update_hour),
        )
    for name, cls in ecosystems().items():
        yield Schedule(
            name=f"{name}_daily_staleness",
            task=KINDS["staleness"].task,
            kwargs={"ecosystem": name},
            when=At((cls.identity.update_hour + 12) % 24),  # as far from the update as possible
        )


OF_ADVISORIES = (
    Schedule(name="vulnerabilities_sync", task=SYNC, when=Every(30 * 60)),
    # Sources do not always report a changed record; this finds it, and what has vanished.
    Schedule(
        name="vulnerabilities_full_sync", task=SYNC, kwargs={"full": True}, when=At(1, SUNDAY)
    ),
)
"""Schedules that keep the advisories in MongoDB up to date."""


def schedules(*, only_own: bool = False) -> dict[str, Schedule]:
    """All schedules by name, or only those that send no requests to registries."""
    found = [*OWN] if only_own else [*_of_registries(), *OF_ADVISORIES, *OWN]
    return {schedule.name: schedule for schedule in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatus:
    """The current state of a schedule."""

    schedule: Schedule
    on: bool
    switched: bool
    """Whether an operator set the switch; otherwise ``on`` is the default."""
    following: datetime
    """Time of the next message, if it is enabled."""
    fired_at: datetime | None


class ScheduleControl:
    """Enables and disables schedules, and starts their tasks.

    ``redis`` is the state database.
    """

    def __init__(self, redis: Redis, queues: Queues, zone: str) -> None:
        self._redis = redis
        self._queues = queues
        self._zone = ZoneInfo(zone)

    async def standings(self) -> list[ScheduleStatus]:
        """All schedules, in the order of :func:`schedules`."""
        switches: Any = await self._redis.hgetall(SWITCHES)
        fired: Any = await self._redis.hgetall(FIRED)
        moment = datetime.now(self._zone)
        found = []
        for name, schedule in schedules().items():
            last = datetime.fromtimestamp(float(fired[name]), self._zone) if name in fired else None
            found.append(
                ScheduleStatus(
                    schedule=schedule,
                    on=is_on(name, switches.get(name)),
                    switched=name in switches,
                    following=schedule.when.following(moment, last),
                    fired_at=last,
                )
            )
        return found

    async def switch(self, name: str, *, on: bool) -> Schedule:
        """Enable or disable a schedule permanently.

        Raises:
            InvalidArguments: no schedule has this name.
        """
        schedule = named(name)
        await self._redis.hset(SWITCHES, name, ON if on else OFF)
        return schedule

    async def run_now(self, name: str) -> TaskMessage:
        """Queue a schedule's task now, even if it is disabled; returns the message.

        Raises:
            InvalidArguments: no schedule has this name.
        """
        message = named(name).message()
        await self._queues.publish([message])
        return message


def is_on(name: str, switch: str | None) -> bool:
    """Whether a schedule is enabled, given its switch (``None``: never set)."""
    if switch is not None:
        return switch == ON
    schedule = schedules().get(name)
    return schedule is None or schedule.on


def named(name: str) -> Schedule:
    """Find a schedule by its name.

    Raises:
        InvalidArguments: no schedule has this name.
    """
    try:
        return schedules()[name]
    except KeyError:
        known = ", ".join(schedules())
        raise InvalidArguments(f"there is no schedule {name!r}; there are: {known}") from None
