"""Kills of embedded servers, of their parent and their watchdog: no write is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from pymongo.errors import PyMongoError

from ssc_ingest.embedded import AlreadyRunning, EmbeddedStack
from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.servers import LOCK_FILE, EmbeddedAddresses, is_held
from ssc_ingest.settings import Settings
from tests.acceptance.fleet import LONG_ENOUGH
from tests.acceptance.outages import OwnRedis
from tests.integration.test_embedded_stack.stacks import (
    PARENT,
    members,
    mongo,
    start_elsewhere,
)

KILLS = 4
BEFORE_A_KILL = 2.0
"""Seconds of writing: a server that syncs every second falls behind a busy disk by then."""


def test_restart_right_after_a_kill(
    small: Settings, parents: list["subprocess.Popen[str]"]
) -> None:
    """A start right after a kill -9 waits until the old servers have ended."""
    parent, group = start_elsewhere(small)
    parents.append(parent)
    parent.kill()
    parent.wait()
    with EmbeddedStack(small) as stack:
        stack.start()
        assert members(group) == []
        assert stack.failed() is None


def test_interrupted_start(data_dir: Path, parents: list["subprocess.Popen[str]"]) -> None:
    """Ctrl-C in the middle of a start stops the started servers, and frees the directory."""
    arguments = json.dumps({"data_dir": str(data_dir)})
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, arguments], stderr=subprocess.PIPE, text=True
    )
    parents.append(parent)
    lock = data_dir / LOCK_FILE
    while not (lock.is_file() and (words := lock.read_text().split()) and words[1] != "0"):
        time.sleep(0.01)
    while parent.poll() is None:
        # Again, as a person would: Python drops an interrupt that comes in a weakref's callback.
        parent.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            parent.wait(timeout=15)
    _, errors = parent.communicate()
    assert errors.strip().endswith("KeyboardInterrupt")
    assert members(int(words[1])) == []
    assert not is_held(data_dir)


def test_servers_without_parent_and_watchdog(
    smallest: Settings, parents: list["subprocess.Popen[str]"]
) -> None:
    """Servers that outlive even their watchdog lock the directory; the error has the remedy."""
    parent, group = start_elsewhere(smallest)
    parents.append(parent)
    os.kill(group, signal.SIGKILL)  # the group is named after its leader, the watchdog
    parent.kill()
    parent.wait()
    try:
        with pytest.raises(AlreadyRunning, match=f"kill -KILL -- -{group}"):
            EmbeddedStack(smallest).start()
    finally:
        os.killpg(group, signal.SIGKILL)
    with EmbeddedStack(smallest) as stack:
        stack.start()


def test_a_server_that_is_killed_comes_back(smallest: Settings) -> None:
    """A killed server is named, and started again at the same address with its data."""
    lines: list[str] = []
    with EmbeddedStack(smallest, tell=lines.append) as stack:
        addresses = stack.start()
        assert addresses.redis_url
        assert stack.failed() is None
        with redis.Redis.from_url(addresses.redis_url) as client:
            client.set("kept", "yes")
            stack.processes["Valkey"].kill()
            deadline = time.monotonic() + 60
            while len(lines) < 2:
                assert stack.failed() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert "Valkey ended by signal 9" in lines[0]
            assert "Valkey starts again in 0.5 s" in lines[0]
            assert lines[1].startswith("Valkey works again")
            assert client.get("kept") == b"yes"
        group = stack.group
    assert members(group) == []


@pytest.mark.parametrize("server", ["Valkey", "MongoDB"])
def test_kill_of_a_server_loses_nothing(small: Settings, server: str) -> None:
    """Every acknowledged write survives a kill -9 of the server."""
    acknowledged = 0

    def write(addresses: EmbeddedAddresses) -> None:
        nonlocal acknowledged
        assert addresses.redis_url
        with (
            redis.Redis.from_url(addresses.redis_url) as client,
            mongo(addresses.vulnerabilities_uri) as client_,
        ):
            try:
                while True:
                    if server == "Valkey":
                        client.rpush("written", acknowledged)
                    else:
                        client_.test.written.insert_one({"_id": acknowledged})
                    acknowledged += 1
            except (redis.RedisError, PyMongoError):
                return

    with EmbeddedStack(small) as stack:
        writer = threading.Thread(target=write, args=(stack.start(),))
        writer.start()
        while acknowledged < 200:
            time.sleep(0.01)
        stack.processes[server].kill()
        writer.join()
    with EmbeddedStack(small) as stack:
        addresses = stack.start()
        assert addresses.redis_url
        with (
            redis.Redis.from_url(addresses.redis_url) as client,
            mongo(addresses.vulnerabilities_uri) as client_,
        ):
            kept = (
                client.llen("written")
                if server == "Valkey"
                else client_.test.written.count_documents({})
            )
    assert kept in {acknowledged, acknowledged + 1}  # one may have been written and not answered


@pytest.fixture
def busy_disk(tmp_path: Path) -> Iterator[None]:
    """Another program writes as much as the disk takes."""
    stopped = threading.Event()
    noise = os.urandom(4 << 20)

    def write() -> None:
        with (tmp_path / "noise").open("wb", buffering=0) as file:
            while not stopped.is_set():
                file.seek(0)
                for _ in range(8):
                    file.write(noise)
                os.fsync(file.fileno())

    writer = threading.Thread(target=write)
    writer.start()
    yield
    stopped.set()
    writer.join()


@pytest.mark.usefixtures("busy_disk")
def test_kills_while_the_disk_is_busy_lose_nothing(tmp_path: Path) -> None:
    """Valkey acknowledges no write that is only in its memory, however long the disk takes.

    It is killed as soon as it has such a write, and otherwise after some seconds.
    """
    pushed = 0
    with ProcessGroup() as group:
        valkey = OwnRedis(group, tmp_path / "valkey")
        for _ in range(KILLS):
            with redis.Redis.from_url(valkey.uri, socket_timeout=LONG_ENOUGH) as client:
                deadline = time.monotonic() + BEFORE_A_KILL
                while time.monotonic() < deadline:
                    client.rpush("written", pushed)
                    pushed += 1
                    if client.info("persistence")["aof_buffer_length"]:
                        break
            valkey.kill()
            valkey.start()
            with redis.Redis.from_url(valkey.uri) as client:
                assert client.llen("written") == pushed
