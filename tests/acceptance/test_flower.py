"""``celery -A workers flower`` alone: it obeys the settings of this program."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from celery import Celery

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.work.names import queue_names
from tests.acceptance.fleet import LONG_ENOUGH, wait_until
from tests.acceptance.forks import start
from tests.ports import unused_port


class Flower:
    """A process that an operator started."""

    def __init__(
        self, folder: Path, environment: dict[str, str], *arguments: str, forks: bool
    ) -> None:
        self._log = folder / "flower.log"
        self.process = start(
            "celery",
            ["-A", "workers", "flower", *arguments],
            environment=environment,
            folder=folder,
            output=self._log,
            forks=forks,
        )

    @property
    def log(self) -> str:
        """Everything that it has written."""
        return self._log.read_text()

    def listeners(self) -> set[tuple[str, int]]:
        """The addresses on which it listens."""
        return {
            (connection.laddr.ip, connection.laddr.port)
            for connection in psutil.Process(self.process.pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }

    def wait_until_it_listens(self) -> set[tuple[str, int]]:
        """Wait for its first address; returns all."""
        wait_until(
            lambda: self.process.poll() is not None or self.listeners(),
            LONG_ENOUGH,
            lambda: self.log,
        )
        assert self.process.poll() is None, self.log
        return self.listeners()


@pytest.fixture
def environment(redis_url: str, tmp_path: Path) -> dict[str, str]:
    """Flower needs Redis only."""
    return {
        **os.environ,
        "REDIS_URL": redis_url,
        "GRAPH_DB_URI": "bolt://graph.invalid",
        "VULN_DB_URI": "mongodb://mongo.invalid",
        "DATA_DIR": str(tmp_path / "data"),
    }


@contextmanager
def flower(
    folder: Path, environment: dict[str, str], *arguments: str, forks: bool = True
) -> Iterator[Flower]:
    """Flower, ended after the block; a fork does not have its command line."""
    started = Flower(folder, environment, *arguments, forks=forks)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def status(port: int, credentials: tuple[str, str] | None = None) -> int:
    """The status of a page that shows workers."""
    with httpx.Client(trust_env=False, timeout=LONG_ENOUGH) as browser:
        return browser.get(f"http://127.0.0.1:{port}/tasks", auth=credentials).status_code


def test_without_a_password_only_this_machine_reaches_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Flower listens on loopback, on the port of the settings, which may be in ``.env``."""
    port = unused_port()
    (tmp_path / ".env").write_text(f"FLOWER_PORT={port}\n")
    with flower(tmp_path, environment) as started:
        assert started.wait_until_it_listens() == {("127.0.0.1", port)}
        assert status(port) == 200


def test_every_queue_is_listed_without_a_worker(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """In a container Flower starts before the workers."""
    port = unused_port()
    environment["FLOWER_PORT"] = str(port)
    with flower(tmp_path, environment) as started:
        started.wait_until_it_listens()
        with httpx.Client(trust_env=False, timeout=LONG_ENOUGH) as browser:
            page = browser.get(f"http://127.0.0.1:{port}/broker").text
    assert all(name in page for name in queue_names(ecosystems()))


@pytest.mark.parametrize("place", ["environment", ".env", "file"])
def test_a_password_is_demanded(environment: dict[str, str], tmp_path: Path, place: str) -> None:
    """Flower asks for a password on every interface; no argument and no log contains it."""
    port = unused_port()
    given = {"FLOWER_PASSWORD": "secret-5", "FLOWER_USER": "ops", "FLOWER_PORT": str(port)}
    if place == "file":
        (tmp_path / "password").write_text(given.pop("FLOWER_PASSWORD"))
        given["FLOWER_PASSWORD_FILE"] = str(tmp_path / "password")
    if place != ".env":
        environment |= given
    else:
        (tmp_path / ".env").write_text("".join(f"{key}={given[key]}\n" for key in given))
    with flower(tmp_path, environment, forks=False) as started:
        assert {each for _, each in started.wait_until_it_listens()} == {port}
        assert status(port) == 401
        assert status(port, ("ops", "wrong")) == 401
        assert status(port, ("ops", "secret-5")) == 200
        assert "secret-5" not in " ".join(psutil.Process(started.process.pid).cmdline())
        assert "secret-5" not in started.log


def test_options_take_precedence(environment: dict[str, str], tmp_path: Path) -> None:
    """The command line's port and credentials are used; 0 chooses a free port."""
    environment |= {"FLOWER_PORT": "1", "FLOWER_PASSWORD": "unused"}
    with flower(tmp_path, environment, "--port=0", "--basic-auth=me:mine") as started:
        ((_, port), *_) = started.wait_until_it_listens()
        assert status(port, ("admin", "unused")) == 401
        assert status(port, ("me", "mine")) == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104
def test_it_refuses_to_listen_for_others_without_a_password(
    environment: dict[str, str], tmp_path: Path, address: str
) -> None:
    """Without a password, Flower exits with 78 and names the remedy."""
    with flower(tmp_path, environment, f"--address={address}") as started:
        assert started.process.wait(LONG_ENOUGH) == 78, started.log
    assert re.search(r"set FLOWER_PASSWORD", started.log)
    assert "Traceback" not in started.log


class Listed:
    """Flower's list of tasks, and a fleet that sends events to it."""

    def __init__(self, port: int, redis_url: str) -> None:
        self._address = f"http://127.0.0.1:{port}"
        app = Celery(broker=f"{redis_url}/1")
        self._events = app.events.Dispatcher(app.connection_for_write(), hostname="worker@here")

    def send(self, kind: str, uuid: str, **fields: Any) -> None:
        """An event of the worker, or of a publisher."""
        self._events.send(f"task-{kind}", uuid=uuid, **fields)

    def page(self) -> str:
        """The page without its rows, which a script of the page asks for."""
        with httpx.Client(trust_env=False, timeout=LONG_ENOUGH) as browser:
            return browser.get(f"{self._address}/tasks").text

    def counted(self) -> set[str]:
        """The kinds of task events that Flower has counted."""
        with httpx.Client(trust_env=False, timeout=LONG_ENOUGH) as browser:
            metrics = browser.get(f"{self._address}/metrics").text
        return set(
            re.findall(r'flower_events_total{.*type="(task-\w+)".*worker="worker@here"', metrics)
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows by the tasks' ids."""
        order: dict[str, str | int] = {
            "draw": 1,
            "start": 0,
            "length": 100,
            "order[0][column]": 0,
            "order[0][dir]": "desc",
            "columns[0][data]": "received",
        }
        with httpx.Client(trust_env=False, timeout=LONG_ENOUGH) as browser:
            answer = browser.get(
                f"{self._address}/tasks/datatable",
                params=order,
            ).json()
        return {row["uuid"]: row for row in answer["data"]}

    def wait(self, uuid: str, state: str) -> dict[str, Any]:
        """The row of the task when it has that state."""
        wait_until(
            lambda: self.rows().get(uuid, {}).get("state") == state,
            LONG_ENOUGH,
            lambda: str(self.rows()),
        )
        return self.rows()[uuid]


@pytest.fixture
def listed(environment: dict[str, str], redis_url: str, tmp_path: Path) -> Iterator[Listed]:
    """Flower that reads events; it may have missed those from before."""
    port = unused_port()
    environment |= {"FLOWER_PORT": str(port)}
    with flower(tmp_path, environment) as started:
        started.wait_until_it_listens()
        listed = Listed(port, redis_url)

        def reads_events() -> bool:
            listed.send("received", "probe", name="probe", args="()", kwargs="{}")
            return "probe" in listed.rows()

        wait_until(reads_events, LONG_ENOUGH, lambda: started.log)
        yield listed


NAME = "extraction.extract_package"


def test_the_list_shows_packages(listed: Listed) -> None:
    """The package URL, the other arguments, and the result or the reason of a failure."""
    columns = re.findall(r'<th data-column="(\w+)">([^<]+)</th>', listed.page())
    assert columns[:5] == [
        ("name", "Name"),
        ("args", "Package"),
        ("state", "State"),
        ("result", "Result"),
        ("kwargs", "Arguments"),
    ]
    kwargs = "{'ecosystem': 'npm', 'name': '@types/node', 'dependencies': 'latest', 'job_id': None}"
    listed.send("received", "good", name=NAME, args="()", kwargs=kwargs)
    listed.send("succeeded", "good", result="'7 versions'", runtime=0.1)
    row = listed.wait("good", "SUCCESS")
    assert row["args"] == "pkg:npm/%40types/node"
    assert row["kwargs"] == "dependencies=latest"
    assert row["result"] == "7 versions"
    listed.send("received", "bad", name=NAME, args="()", kwargs=kwargs)
    listed.send("failed", "bad", exception="WorkFailed('no versions')")
    assert listed.wait("bad", "FAILURE")["result"] == "WorkFailed('no versions')"


def test_foreign_arguments_are_shown_as_they_are(listed: Listed) -> None:
    """What is no dictionary, is cut off or names no package ends no page."""
    for number, kwargs in enumerate(["{'a': 1", "{" * 5000, "{'ecosystem': 'npm'}", "{1: 2}"]):
        listed.send("received", f"odd-{number}", name=NAME, args="()", kwargs=kwargs)
    assert listed.wait("odd-0", "RECEIVED")["kwargs"] == "{'a': 1"
    assert listed.wait("odd-2", "RECEIVED")["kwargs"] == "ecosystem=npm"
    assert listed.wait("odd-3", "RECEIVED")["kwargs"] == "1=2"
    assert listed.wait("odd-1", "RECEIVED")["kwargs"].startswith("{{")


def test_a_replayed_task_waits_again(listed: Listed) -> None:
    """It has the id of the failed one; it is not shown as failed until it ends."""
    listed.send("received", "again", name=NAME, args="()", kwargs="{}")
    listed.send("failed", "again", exception="WorkFailed('no versions')")
    assert listed.wait("again", "FAILURE")["result"]
    listed.send("received", "again", name=NAME, args="()", kwargs="{}")
    assert listed.wait("again", "RECEIVED")["result"] is None
    listed.send("started", "again")
    listed.wait("again", "STARTED")
    listed.send("failed", "again", exception="WorkFailed('again')")
    assert listed.wait("again", "FAILURE")["result"] == "WorkFailed('again')"


def test_a_task_with_one_event_is_listed_like_others(listed: Listed) -> None:
    """Workers merge the events of a task that begins and ends within a batch."""
    kwargs = "{'ecosystem': 'npm', 'name': 'six', 'dependencies': 'none'}"
    listed.send("failed", "whole", exception="WorkFailed('before')")
    listed.wait("whole", "FAILURE")
    now = time.time()
    listed.send(
        "succeeded",
        "whole",
        name=NAME,
        args="()",
        kwargs=kwargs,
        result="'done'",
        runtime=0.5,
        received=now - 2,
        started=now - 1,
    )
    row = listed.wait("whole", "SUCCESS")
    assert (row["args"], row["result"], row["name"]) == ("pkg:npm/six", "done", NAME)
    assert (row["received"], row["started"]) == (now - 2, now - 1)
    assert listed.counted() >= {"task-received", "task-started", "task-succeeded"}


def test_housekeeping_is_not_listed(listed: Listed) -> None:
    """The publisher's event is dropped; workers send none (``send_events``)."""
    for name in ("runs.sweep", "stream.process", "vulnerabilities.sync"):
        listed.send("sent", name, name=name, args="()", kwargs="{}")
    listed.wait("vulnerabilities.sync", "PENDING")
    assert {"runs.sweep", "stream.process"}.isdisjoint(listed.rows())
