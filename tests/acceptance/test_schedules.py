"""The schedule with real beat processes, and its messages in the queue."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from ssc_ingest.control.schedules import FIRED, SKIPPED
from ssc_ingest.monitoring.heartbeats import BEAT_LOCK, beats
from ssc_ingest.resources import State
from ssc_ingest.work.names import CONTROL
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually, wait_until
from tests.acceptance.forks import Fork, run_forked, start
from tests.acceptance.outages import OwnRedis
from tests.clocks import Clock

QUICK = """
from workers import celery
from workers.overrides.scheduler import Scheduler

celery.conf.beat_schedule = {
    "runs_sweep": {
        "task": "runs.sweep", "schedule": 0.5, "options": {"queue": "control", "expires": 60}
    },
    "hourly": {"task": "hourly", "schedule": 3600.0, "options": {"queue": "pypi.bulk"}},
}
celery.conf.beat_max_loop_interval = 0.2
Scheduler.lock_timeout = 3
"""
"""Another program's application: ours, with a schedule that tests can wait for."""

DEAF = """
import pathlib, time, weakref

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

DAY = 24 * 3600

StartBeat = Callable[[], Fork | Popen[bytes]]


@contextmanager
def starting(fleet: Fleet, tmp_path: Path) -> Iterator[StartBeat]:
    """Start another beat with a schedule of half a second; logs go to ``beat.log``."""
    (tmp_path / "quick.py").write_text(QUICK)
    started: list[Fork | Popen[bytes]] = []

    def start_one() -> Fork | Popen[bytes]:
        process = start(
            "celery",
            ["-A", "quick", "beat"],
            environment={**fleet.environment, "LOG_FORMAT": "json"},
            folder=tmp_path,
            output=tmp_path / "beat.log",
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def start_beat(fleet: Fleet, tmp_path: Path) -> Iterator[StartBeat]:
    """Beats on the test servers."""
    with starting(fleet, tmp_path) as start_one:
        yield start_one


@pytest.fixture
def start_beat_beside(fleet_beside: Fleet, tmp_path: Path) -> Iterator[StartBeat]:
    """Start beats on a Redis that the test may kill."""
    with starting(fleet_beside, tmp_path) as start_one:
        yield start_one


async def fired(state: State) -> int:
    """Number of beat's messages in the queue, which nobody reads."""
    return (await state.queues.lengths([CONTROL]))[CONTROL]


async def fires(state: State, times: int = 3) -> None:
    """Wait until this number of further messages."""
    before = await fired(state)

    async def is_enough() -> bool:
        return await fired(state) >= before + times

    await eventually(is_enough)


async def sent(state: State) -> list[tuple[str, str]]:
    """Task and process of each of beat's messages, in their order."""
    texts = await state.queues._redis.lrange(CONTROL, 0, -1)
    headers = [json.loads(text)["headers"] for text in reversed(texts)]
    return [(header["id"], header["origin"]) for header in headers]


def logged(log: Path) -> set[str]:
    """Tasks that beats have logged as sent."""
    documents = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
    return {d["task_id"] for d in documents if d["event"] == "schedule_fired"}


async def test_two_beats_fire_once(
    fleet: Fleet, state: State, start_beat: StartBeat, tmp_path: Path
) -> None:
    """One of two beats leads; after its kill the other continues; together they fire like one."""
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
    # It ends in order, and so nothing is in progress: each beat has fired in its time only. Its
    # lock has expired, as after a long suspension, which is no error.
    await state.redis.delete(BEAT_LOCK)
    processes[successor].terminate()
    processes[successor].wait()
    log = (tmp_path / "beat.log").read_text()
    assert "Traceback" not in log
    assert "state_unavailable" not in log
    messages = await sent(state)
    origins = [origin.partition("@")[0] for _, origin in messages]
    assert [origin for origin, _ in groupby(origins)] == [f"gen{leading[0]}", f"gen{successor}"]
    ids = {task_id for task_id, _ in messages}
    assert logged(tmp_path / "beat.log") <= ids
    assert len(messages) - len(logged(tmp_path / "beat.log")) in {0, 1}  # killed between the two
    assert [beat.pid for beat in await beats(state.redis) if beat.pid == successor] == []


async def test_switched_off_it_stays_off(
    fleet: Fleet, state: State, start_beat: StartBeat, tmp_path: Path
) -> None:
    """A disabled schedule stays disabled after a restart of beat, which logs it as skipped.

    When it is enabled, it fires again.
    """

    def schedules(*arguments: str) -> str:
        done = run_forked("schedules", *arguments, environment=fleet.environment, folder=tmp_path,
                          timeout=LONG_ENOUGH)  # fmt: skip
        done.check_returncode()
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
    """A new schedule waits for its time; one that missed many times fires once."""

    async def hourly() -> int:
        return (await state.queues.lengths(["pypi.bulk"]))["pypi.bulk"]

    first = start_beat()
    await fires(state)
    assert await hourly() == 0
    first.terminate()
    first.wait()
    await state.redis.hset(SKIPPED, "hourly", time.time() - 7 * 3600)
    start_beat()
    await eventually(hourly)
    await fires(state)
    assert await hourly() == 1


async def test_a_beat_goes_on_where_another_release_stopped(
    state: State, start_beat: StartBeat
) -> None:
    """Schedules that fired before the upgrade do not fire again; redbeat's old keys are ignored."""

    async def hourly() -> int:
        return (await state.queues.lengths(["pypi.bulk"]))["pypi.bulk"]

    left_behind: Any = {"meta": "{}", "definition": "{}"}
    await state.redis.hset("redbeat:hourly", mapping=left_behind)
    await state.redis.hset(FIRED, "hourly", time.time())
    start_beat()
    await fires(state)
    assert await hourly() == 0
    await state.redis.hset(FIRED, "hourly", time.time() - 7 * 3600)
    await eventually(hourly)
    assert await state.redis.hgetall("redbeat:hourly") == left_behind


async def test_a_beat_outlives_an_outage_of_redis(
    own_redis: OwnRedis, state_beside: State, start_beat_beside: StartBeat
) -> None:
    """Beat fires again when Redis responds, and stops on request during the outage."""
    beat = start_beat_beside()
    await fires(state_beside, 1)
    await asyncio.to_thread(own_redis.restart)
    await fires(state_beside)
    own_redis.kill()
    await asyncio.sleep(1)
    beat.terminate()
    assert await asyncio.to_thread(beat.wait, LONG_ENOUGH) == 0


async def test_a_clock_that_was_ahead_stops_no_schedule(
    fleet: Fleet, state: State, start_beat: StartBeat, tmp_path: Path
) -> None:
    """The clock of beat's machine jumps a day ahead, and back: schedules fire all the time."""
    clock = Clock(tmp_path / "clock")
    fleet.environment |= clock.environment
    start_beat()
    await fires(state)
    clock.jump(DAY)
    await fires(state)
    (beat,) = await beats(state.redis)
    assert beat.seen_at > time.time() + DAY / 2
    clock.jump(0)
    await fires(state, 6)
    (beat,) = await beats(state.redis)
    assert beat.seen_at < time.time() + DAY / 2


async def test_two_beats_through_an_outage(
    own_redis: OwnRedis, state_beside: State, start_beat_beside: StartBeat, tmp_path: Path
) -> None:
    """Redis is killed and comes back: one beat leads, and each fires only while it leads."""
    started = [start_beat_beside(), start_beat_beside()]
    await fires(state_beside)
    await asyncio.to_thread(own_redis.restart)
    await fires(state_beside)

    async def one_of_two_leads() -> bool:
        found = await beats(state_beside.redis)
        return sorted(beat.leads for beat in found) == [False, True]

    await eventually(one_of_two_leads)
    for beat in started:
        assert beat.poll() is None
    origins = [origin for _, origin in await sent(state_beside)]
    log = (tmp_path / "beat.log").read_text()
    assert len(list(groupby(origins))) <= log.count('"event": "beat_leads"')
