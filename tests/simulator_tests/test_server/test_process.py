"""The simulator's process: deterministic, of constant size, and ended with its parent."""

import os
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from tests.simulator.client import ROOT, Simulator
from tests.simulator_tests.test_server.documents import IMPATIENT

pytest_plugins = ("tests.simulator.fixtures",)


def test_two_processes_serve_the_same_bytes(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """Documents depend only on the options (and some on the address)."""
    with Simulator.start(packages=1000, seed=7) as other:
        for url in urls.values():
            one = http.get(url).content.replace(simulator.url.encode(), b"")
            two = http.get(url.replace(simulator.url, other.url)).content
            assert one == two.replace(other.url.encode(), b"")


def test_memory_at_a_hundred_thousand_packages(http: httpx.Client) -> None:
    """The process does not grow with the number of requested packages."""
    with Simulator.start(packages=100_000, versions="5", requirements="3") as simulator:
        assert simulator.process
        process = psutil.Process(simulator.process.pid)

        def ask(first: int) -> int:
            for index in range(first, first + 700):
                name = names[index]
                assert http.get(f"{base}/{name}").status_code == httpx.codes.OK
            return process.memory_info().rss

        base = simulator.environment()["NPM_REGISTRY_URL"]
        names = [found.name for found in simulator.packages("npm", 2100, start=50_000)]
        warm = ask(0)
        ask(700)
        assert ask(1400) - warm < 16 * 1024 * 1024


def test_it_stops_cleanly() -> None:
    """SIGTERM ends the process with code 0, even while a response is delayed."""
    with Simulator.start(packages=10) as simulator:
        simulator.fault("stall", seconds=600)
        name = simulator.packages("npm", 1)[0].name
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                f"{simulator.environment()['NPM_REGISTRY_URL']}/{name}",
                timeout=IMPATIENT,
                trust_env=False,
            )
    assert simulator.process
    assert simulator.process.returncode == 0


def test_it_dies_with_its_parent() -> None:
    """Killing the process that started it ends the simulator."""
    program = (
        "from tests.simulator.client import Simulator\n"
        "simulator = Simulator.start(packages=10)\n"
        "print(simulator.process.pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        simulator = psutil.Process(int(parent.stdout.readline()))
        assert simulator.is_running()
        os.kill(parent.pid, signal.SIGKILL)
        assert has_ended(simulator)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process that is not our child ends soon; it may become a zombie."""
    for _ in range(100):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_invalid_options() -> None:
    """A simulator that cannot start prints the reason and leaves no process."""
    with pytest.raises(ValueError, match="is not a number, a range"):
        Simulator.start(versions="many")
    with Simulator.start(packages=1) as simulator:
        port = int(simulator.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="did not start"):
            Simulator.start(packages=1, port=port)


def test_the_rate_can_be_measured() -> None:
    """The load generator gets a response to each of its requests."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulator.load", "--packages", "200"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 10
