"""The schedule from outside: real beat processes, and what they put on the queue."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ssc_ingest.monitoring.heartbeats import beats
from ssc_ingest.resources import State
from ssc_ingest.work.names import CONTROL
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually, wait_until

QUICK = """
from workers import celery

celery.conf.beat_schedule = {
    "runs_sweep": {
        "task": "runs.sweep", "schedule": 0.5, "options": {"queue": "control", "expires": 60}
    },
    "hourly": {"task": "hourly", "schedule": 3600.0, "options": {"queue": "pypi.bulk"}},
}
celery.conf.beat_max_loop_interval = 0.2
celery.conf.redbeat_lock_timeout = 3
"""
"""Another program's application: ours, with a schedule that tests can wait for."""

DEAF = """
import pathlib, time, weakref

from workers.scheduler import Scheduler

class Thing:
    pass

class Deaf(Scheduler):
    def tick(self, **kwargs):
        super().tick(**kwargs)
        thing = Thing()
        kept = weakref.ref(thing, self.wait)
        del thing
        return 0.0

    def wait(self, _):
        pathlib.Path("deaf").touch()
        time.sleep(600)

celery.conf.beat_scheduler = "quick:Deaf"
"""
"""Spends its time where Python drops what a signal's handler raises."""

PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")
"""Of a moment, as redbeat keeps it."""

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))

StartBeat = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_beat(fleet: Fleet, tmp_path: Path) -> Iterator[StartBeat]:
    """Start one more beat with a schedule of half a second; their logs are in ``beat.log``."""
    (tmp_path / "quick.py").write_text(QUICK)
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        with (tmp_path / "beat.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "quick", "beat"],
                env={**fleet.environment, "PYTHONPATH": str(tmp_path), "LOG_FORMAT": "json"},
                cwd=tmp_path,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


async def fired(state: State) -> int:
    """Messages that beat has put on the queue; nobody reads it."""
    return (await state.queues.lengths([CONTROL]))[CONTROL]


async def fires(state: State, times: int = 3) -> None:
    """Until it has fired so many times more."""
    before = await fired(state)

    async def is_enough() -> bool:
        return await fired(state) >= before + times

    await eventually(is_enough)


async def counted(state: State) -> int:
    """How often beat itself thinks that it has fired."""
    meta = await state.redis.hget("redbeat:runs_sweep", "meta")
    return int(json.loads(meta or "{}").get("total_run_count", 0))


async def test_two_beats_fire_once(
    fleet: Fleet, state: State, start_beat: StartBeat, tmp_path: Path
) -> None:
    """One of them leads; killed, the other goes on; the number of firings is that of one."""
    processes = {process.pid: process for process in (start_beat(), start_beat())}

    async def both_are_there() -> bool:
        return len(await beats(state.redis)) == 2

    await eventually(both_are_there)
    await fires(state, 6)
    leading = [beat.pid for beat in await beats(state.redis) if beat.leads]
    assert len(leading) == 1
    processes[leading[0]].kill()
    await fires(state, 6)
    (successor,) = [beat.pid for beat in await beats(state.redis) if beat.leads and
                    beat.pid not in leading]  # fmt: skip
    assert successor in processes
    log = (tmp_path / "beat.log").read_text()
    assert log.count('"event": "beat_leads"') == 2
    # It ends in order, and so nothing is under way: every firing was counted by one beat.
    processes[successor].terminate()
    processes[successor].wait()
    assert await fired(state) - await counted(state) in {0, 1}  # killed between the two
    assert [beat.pid for beat in await beats(state.redis) if beat.pid == successor] == []


async def test_switched_off_it_stays_off(
    fleet: Fleet, state: State, start_beat: StartBeat, tmp_path: Path
) -> None:
    """Over a restart of beat, too; beat says what it passes over; switched on, it fires again."""

    def schedules(*arguments: str) -> str:
        done = subprocess.run(
            [PROGRAM, "schedules", *arguments], env=fleet.environment, cwd=tmp_path,
            capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout

    def skipped() -> int:
        return (tmp_path / "beat.log").read_text().count('"event": "schedule_skipped"')

    async def skips(times: int) -> None:
        before = skipped()

        async def is_enough() -> bool:
            return skipped() >= before + times

        await eventually(is_enough)

    first = start_beat()
    await fires(state)
    assert schedules("disable", "runs_sweep") == "runs_sweep is off\n"
    await skips(2)
    silent = await fired(state)
    await skips(2)
    first.terminate()
    await asyncio.to_thread(first.wait, LONG_ENOUGH)
    start_beat()
    await skips(2)
    assert await fired(state) == silent
    listed = {s["name"]: s for s in json.loads(schedules("list", "--json"))["schedules"]}
    assert not listed["runs_sweep"]["on"]
    assert not listed["runs_sweep"]["by_default"]
    assert not listed["pypi_daily_update"]["known_to_beat"]
    schedules("enable", "runs_sweep")
    await fires(state)


async def test_a_stop_that_python_drops_stops_beat(start_beat: StartBeat, tmp_path: Path) -> None:
    """Celery's handler raises ``SystemExit``, which is lost in a callback of a weak reference."""
    (tmp_path / "quick.py").write_text(QUICK + DEAF)
    beat = start_beat()
    await asyncio.to_thread(wait_until, (tmp_path / "deaf").exists, LONG_ENOUGH)
    beat.terminate()
    assert await asyncio.to_thread(beat.wait, LONG_ENOUGH) == 0
    assert "Exception ignored in" in (tmp_path / "beat.log").read_text()


async def test_what_stood_still_does_not_wake_up_to_a_pile(
    state: State, start_beat: StartBeat
) -> None:
    """A new schedule waits for its time, and one that missed many times fires once."""

    async def hourly() -> int:
        return (await state.queues.lengths(["pypi.bulk"]))["pypi.bulk"]

    first = start_beat()
    await fires(state)
    assert await hourly() == 0
    first.terminate()
    first.wait()
    missed = datetime.now(UTC) - timedelta(hours=7)
    last = {"__type__": "datetime", **{part: getattr(missed, part) for part in PARTS}}
    await state.redis.hset("redbeat:hourly", "meta", json.dumps({"last_run_at": last}))
    start_beat()
    await eventually(hourly)
    await fires(state)
    assert await hourly() == 1
