"""``ssc-ingest up``: one foreground process tree that leaves no process behind."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest

from ssc_ingest.servers import Servers
from tests.acceptance.fleet import LONG_ENOUGH
from tests.acceptance.forks import run_forked, start
from tests.simulator.client import Simulator

START = 240.0
"""Seconds; a machine that does other things at the same time is slow."""


class Up:
    """A running ``ssc-ingest up``, with its output so far.

    All its processes are programs that import what they use. It is itself a fork that has imported
    it, unless ``forks`` is false.
    """

    def __init__(
        self, *arguments: str, environment: Mapping[str, str], folder: Path, forks: bool = True
    ) -> None:
        self.environment = environment
        self.log = folder / "up.log"
        self._folder = folder
        self.process = start(
            "ssc-ingest",
            ["up", *arguments],
            environment=environment,
            folder=folder,
            output=self.log,
            forks=forks,
        )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until its output contains the text."""
        deadline = time.monotonic() + START
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def children(self) -> dict[str, psutil.Process]:
        """All its descendants, by command line."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return {" ".join(child.cmdline()): child for child in below}

    def child(self, words: str) -> psutil.Process:
        """The child with these words in its command line."""
        (found,) = [child for line, child in self.children().items() if words in line]
        return found

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The program in a second terminal."""
        return run_forked(
            *arguments, environment=self.environment, folder=self._folder, timeout=LONG_ENOUGH
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """Settings of a program that has only its own servers."""
    return {
        **os.environ,
        "DATA_DIR": str(tmp_path / "data"),
        "FLOWER_PASSWORD": "secret",
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture
def connected(
    servers: Servers, clean_redis: None, clean_graph: None, simulator: Simulator, tmp_path: Path
) -> dict[str, str]:
    """Settings of a program whose servers run elsewhere, with simulated registries."""
    return {
        **os.environ,
        **simulator.environment(),
        "GRAPH_DB_URI": servers.graph_uri,
        "REDIS_URL": servers.redis_url,
        "VULN_DB_URI": servers.vulnerabilities_uri,
        "DATA_DIR": str(tmp_path / "data"),
        "FLOWER_PORT": "0",
        "WEB_PORT": "0",
    }


def _gone(processes: Mapping[str, psutil.Process]) -> Callable[[], list[str]]:
    return lambda: [line for line, child in processes.items() if child.is_running()]


def _until_empty(remaining: Callable[[], list[str]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while remaining():
        assert time.monotonic() < deadline, remaining()
        time.sleep(0.1)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_up_with_its_own_servers(alone: dict[str, str], tmp_path: Path, taken_port: int) -> None:
    """``up`` starts everything, prints its addresses, serves other commands, and stops in order."""
    alone["FLOWER_PORT"] = str(taken_port)
    with Up(environment=alone, folder=tmp_path, forks=False) as up:
        up.wait_for("everything is ready")
        for name in ("Valkey", "MongoDB", "Neo4j", "worker", "worker-urgent", "control", "beat"):
            assert re.search(rf"^  {name} is ready.* \d+\.\d s$", up.output, re.MULTILINE), name
        # Flower: on another port than the one that is taken, on loopback, with the password.
        (flower,) = re.findall(r"flower is ready: http://127\.0\.0\.1:(\d+)", up.output)
        assert int(flower) != taken_port
        with httpx.Client(base_url=f"http://127.0.0.1:{flower}", trust_env=False) as browser:
            assert browser.get("/workers").status_code == 401
            assert "pypi.urgent" in browser.get("/broker", auth=("admin", "secret")).text
        # The overview page: likewise, but everybody may read it.
        (page,) = re.findall(r"web is ready: (http://127\.0\.0\.1:\d+)", up.output)
        with httpx.Client(base_url=page, trust_env=False, timeout=LONG_ENOUGH) as browser:
            assert "worker-urgent@" in browser.get("/").text
            assert browser.get("/login").status_code == 401
            assert browser.get("/login", auth=("admin", "secret")).status_code == 303
        everything = " ".join(line for line in up.children())
        assert "secret" not in everything
        # A second terminal finds it; so does the broker's own tool.
        status = json.loads(up.run("status", "--json").stdout)
        assert status["servers"]["graph"]["uri"] in up.output
        hostnames = {worker["hostname"].partition("@")[0] for worker in status["workers"]}
        assert hostnames == {"worker", "worker-urgent", "control"}
        assert up.run("check", "--offline").returncode == 0
        # A second one on the same data is refused, and names the first.
        second = up.run("up")
        assert second.returncode == 1
        assert str(up.process.pid) in second.stderr
        assert "is in use" not in second.stdout, "once is enough"
        assert "Traceback" not in second.stderr

        processes = up.children()
        assert len(processes) >= 8
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(LONG_ENOUGH) == 0, up.output
        assert _gone(processes)() == []
        assert "stopped after" in up.output
        assert "Traceback" not in up.output
        assert up.run("status").returncode == 78


def test_children_that_die_are_restarted(
    connected: dict[str, str], tmp_path: Path, hangups: list[int]
) -> None:
    """Each killed child is reported with its signal and restarted; all stop in order as before.

    They do so although SIGHUP follows, as at the end of a login session.
    """
    words = {
        "worker-urgent": "--hostname=worker-urgent@",
        "control": "--hostname=control@",
        "beat": " beat",
        "flower": " flower ",
        "web": " web ",
    }
    with Up(environment=connected, folder=tmp_path) as up:
        up.wait_for("everything is ready")
        assert "Neo4j is ready" not in up.output
        # Only the worker of bulk queues leaves the processor to the others.
        own = psutil.Process().nice()
        assert up.child("--hostname=worker@").nice() > own
        for name, line in words.items():
            assert up.child(line).nice() == own
            up.child(line).kill()
            up.wait_for(f"{name} ended by signal 9")
        for name in words:
            up.wait_for(f"{name} works again")
        processes = up.children()
        up.process.send_signal(signal.SIGTERM)
        up.wait_for("stopping in order")
        up.process.send_signal(signal.SIGHUP)
        assert up.process.wait(LONG_ENOUGH) == 0
        assert _gone(processes)() == []


def test_a_worker_that_cannot_start_any_more(
    connected: dict[str, str], tmp_path: Path, cypher: Any
) -> None:
    """The worker is not tried for ever: the cause comes first and last, and all others stop."""
    with Up(environment=connected, folder=tmp_path) as up:
        up.wait_for("everything is ready")
        processes = up.children()
        cypher("CREATE (:SscIngestMigration)")
        up.child("--hostname=worker-urgent@").kill()
        assert up.process.wait(LONG_ENOUGH) == 1
        cause = "worker-urgent ended with status 78"
        assert up.output.count(cause) == 2
        assert up.output.index(cause) < up.output.index("stopping in order")
        assert _gone(processes)() == []


@pytest.mark.soak
def test_servers_that_are_killed_under_load(
    alone: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    """Valkey, MongoDB and Neo4j come back at their addresses, and the job ends complete.

    When it is killed itself, its servers and workers end a moment later.
    """
    names = [package.purl for package in simulator.packages("npm", 40, start=200)]
    environment = {
        **alone,
        **simulator.environment(),
        "VISIBILITY_TIMEOUT": "30",
        "TASK_TIMEOUT": "20",
        "FLOWER_PORT": "0",
    }
    simulator.fault("slow", seconds=0.5)
    with Up(environment=environment, folder=tmp_path) as up:
        up.wait_for("everything is ready")
        done = up.run("extract", "--dependencies", "none", "--json", *names)
        job_id = json.loads(done.stdout)["job_id"]
        for server, words in (
            ("Valkey", "valkey-server"),
            ("MongoDB", "secantus"),
            ("Neo4j", "org.neo4j"),
        ):
            up.child(words).kill()
            up.wait_for(f"{server} ended by signal 9")
            up.wait_for(f"{server} works again")

        deadline = time.monotonic() + START
        while not (job := json.loads(up.run("jobs", "show", job_id, "--json").stdout))["finished"]:
            assert time.monotonic() < deadline, up.output
            time.sleep(1)
        assert job["counts"]["extracted"] == len(names)
        assert job["failed"] == {}
        processes = up.children()
        assert any("java" in line for line in processes)
        assert any(" worker" in line for line in processes)
        up.process.kill()
        up.process.wait()
        _until_empty(_gone(processes), LONG_ENOUGH)


def test_demo_without_a_terminal(
    connected: dict[str, str], simulator: Simulator, tmp_path: Path, cypher: Any
) -> None:
    """The packages are in the graph, suggestions are shown, and it exits with 0."""
    package = simulator.packages("npm", 1, start=50)[0]
    with Up("--demo", package.purl, environment=connected, folder=tmp_path) as up:
        assert up.process.wait(START) == 0, up.output
        for step in ("[1/4]", "[2/4]", "[3/4]", "[4/4]"):
            assert step in up.output
        assert f"show {package.purl}" in up.output
        assert "celery -A workers call extraction.extract_package" in up.output
        assert "everything is ready" in up.output
        assert "Traceback" not in up.output
    (found,) = cypher("MATCH (p:NPMPackage {purl: $purl}) RETURN p.moment AS m", purl=package.purl)
    assert found["m"] is not None


def test_demo_without_a_network(connected: dict[str, str], tmp_path: Path) -> None:
    """The fleet starts nevertheless; failed packages are reported, and the exit code is not 0."""
    nowhere = {
        name: "http://127.0.0.1:9"
        for name in connected
        if re.fullmatch(r"(PYPI|NPM|CARGO)_\w+_URL", name)
    }
    with Up("--demo", environment={**connected, **nowhere}, folder=tmp_path) as up:
        assert up.process.wait(START) == 69, up.output
        assert "is there a network?" in up.output
        assert "everything is ready" in up.output
