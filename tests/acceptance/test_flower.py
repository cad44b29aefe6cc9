"""``celery -A workers flower`` alone: it obeys the settings of this program."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.fleet import LONG_ENOUGH, wait_until
from tests.ports import unused_port


class Flower:
    """A process that an operator started."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self._log = folder / "flower.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "workers", "flower", *arguments],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
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
def flower(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[Flower]:
    """Flower, ended after the block."""
    started = Flower(folder, environment, *arguments)
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


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_password_is_demanded(environment: dict[str, str], tmp_path: Path, place: str) -> None:
    """Flower asks for a password on every interface; no argument and no log contains it."""
    port = unused_port()
    given = {"FLOWER_PASSWORD": "secret-5", "FLOWER_USER": "ops", "FLOWER_PORT": str(port)}
    if place == "environment":
        environment |= given
    else:
        (tmp_path / ".env").write_text("".join(f"{key}={given[key]}\n" for key in given))
    with flower(tmp_path, environment) as started:
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
