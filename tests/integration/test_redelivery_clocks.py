"""Overdue messages are found with the clock of Redis, however wrong the workers' clocks are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import pytest
import redis

from ssc_ingest.work.messages import TaskMessage
from tests.acceptance.fleet import LONG_ENOUGH
from tests.clocks import Clock

HOUR = 3600
MESSAGE = TaskMessage(task="a.task", kwargs={"name": "six"}, queue="pypi.bulk")

Take = Literal["take", "drain", "get"]
"""How a message is taken: in the event loop of a worker; without one; alone."""

WORKER = f"""
import os, sys
from kombu import Connection

_, url, act, timeout = sys.argv
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
"""


@pytest.fixture
def broker(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    """The queues' database, empty."""
    with redis.Redis.from_url(f"{redis_url}/1", decode_responses=True) as client:
        yield client


class Machines:
    """Worker processes on machines whose clocks differ from that of Redis."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock

    def run(self, act: Take | Literal["restore"], *, ahead: int, timeout: int = 0) -> None:
        """Take a message and die, or return the messages that are overdue."""
        self._clock.jump(ahead)
        subprocess.run(
            [sys.executable, "-c", WORKER, self._url, act, str(timeout)],
            check=True,
            timeout=LONG_ENOUGH,
            env={**os.environ, **self._clock.environment},
        )


@pytest.fixture
def machines(redis_url: str, tmp_path: Path) -> Machines:
    """Workers of the test's Redis."""
    return Machines(f"{redis_url}/1", Clock(tmp_path / "clock"))


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
