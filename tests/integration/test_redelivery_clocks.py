"""Overdue messages are found with the clock of Redis, however wrong the workers' clocks are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Literal, get_args

import pytest
import redis

from ssc_ingest.work.messages import TaskMessage
from tests.clocks import Clock

HOUR = 3600
MESSAGE = TaskMessage(task="a.task", kwargs={"name": "six"}, queue="pypi.bulk")

Take = Literal["take", "drain", "get"]
"""How a message is taken: in the event loop of a worker; without one; alone."""

MACHINE = f"""
import os, sys, traceback
from kombu import Connection
import workers.overrides.transport

def act(url, act, timeout):
    with Connection(
        url,
        transport="workers.overrides.transport:Transport",
        transport_options={{"visibility_timeout": int(timeout)}},
    ) as connection:
        connection.transport.has_event_loop = act != "drain"
        channel = connection.channel()
        if act == "get":
            assert channel.basic_get("{MESSAGE.queue}")
            os._exit(0)  # like a kill: nothing is returned
        if act != "restore":
            channel.basic_consume("{MESSAGE.queue}", False, lambda message: None, consumer_tag="a")
        if act == "take":
            channel.connection.cycle.on_poll_start()
            channel._brpop_read()
            os._exit(0)
        if act == "drain":
            connection.drain_events(timeout=100)
            os._exit(0)
        channel.qos.restore_visible()
    os._exit(0)

for line in sys.stdin:
    if not (child := os.fork()):
        try:
            act(*line.split())
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Does what each line says in a process of its own, which has imported already."""


@pytest.fixture
def broker(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    """The queues' database, empty."""
    with redis.Redis.from_url(f"{redis_url}/1", decode_responses=True) as client:
        yield client


class Machines:
    """Worker processes on machines whose clocks differ from that of Redis."""

    def __init__(self, url: str, clock: Clock, process: "subprocess.Popen[str]") -> None:
        self._url = url
        self._clock = clock
        self._process = process

    def run(self, act: Take | Literal["restore"], *, ahead: int, timeout: int = 0) -> None:
        """Take a message and die, or return the messages that are overdue."""
        self._clock.jump(ahead)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{self._url} {act} {timeout}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "0\n"


@pytest.fixture(scope="module")
def machines(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Workers of the test's Redis."""
    clock = Clock(tmp_path_factory.mktemp("machines") / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", MACHINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **clock.environment},
    ) as process:
        yield Machines(f"{redis_url}/1", clock, process)


CLOCKS = [
    pytest.param(HOUR, 0, id="the first an hour ahead"),
    pytest.param(-HOUR, 0, id="the first an hour behind"),
    pytest.param(0, HOUR, id="the second an hour ahead"),
    pytest.param(0, -HOUR, id="the second an hour behind"),
]


@pytest.mark.parametrize("take", get_args(Take))
@pytest.mark.parametrize(("first", "second"), CLOCKS)
def test_wrong_clocks(
    machines: Machines, broker: redis.Redis, *, first: int, second: int, take: Take
) -> None:
    """A message returns after the visibility timeout, neither earlier nor later."""
    broker.lpush(MESSAGE.queue, MESSAGE.encode())
    machines.run(take, ahead=first)
    assert not broker.llen(MESSAGE.queue)
    machines.run("restore", ahead=second, timeout=HOUR // 2)
    assert not broker.llen(MESSAGE.queue)
    assert broker.hlen("unacked") == 1
    machines.run("restore", ahead=second, timeout=0)
    assert broker.llen(MESSAGE.queue) == 1
    assert not broker.exists("unacked", "unacked_index")
