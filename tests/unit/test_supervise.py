"""The supervisor of a container's process, and the cheap health check, as real processes."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SUPERVISE = [sys.executable, "-m", "ssc_ingest.containers.supervise"]
HEALTH = [sys.executable, "-m", "ssc_ingest.health", "worker"]

LONG_ENOUGH = 60

PATIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
time.sleep(600)
"""
"""A process that ends in order when it is told to."""


@contextmanager
def endpoint(status: int, text: str) -> Iterator[int]:
    """A monitoring endpoint with one answer to everything; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def supervised(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The supervisor with these arguments; it is killed at the end, its process first."""
    with subprocess.Popen(
        [*SUPERVISE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(1)", 1),
        ("import os; os.kill(os.getpid(), 9)", 137),
    ],
)
def test_the_process_ends_the_container(program: str, code: int) -> None:
    """The container ends with the process's exit code, so Docker starts it again."""
    with supervised(sys.executable, "-c", program) as process:
        assert process.wait(LONG_ENOUGH) == code


def test_a_wrong_configuration_waits_for_a_person() -> None:
    """Exit code 78 does not end the container; a stop signal does."""
    with supervised(sys.executable, "-c", "raise SystemExit(78)") as process:
        assert process.stderr
        assert "the configuration is wrong" in process.stderr.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_ENOUGH) == 78


def test_a_stop_signal_reaches_the_process() -> None:
    """The process receives the signal, and ends in its own time and way."""
    with supervised(sys.executable, "-c", PATIENT) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_ENOUGH) == 7
        assert process.stderr
        assert process.stderr.read() == ""


def test_an_unhealthy_process_is_restarted() -> None:
    """After three failed checks it gets a stop signal; the exit code asks Docker for a restart."""
    with (
        endpoint(503, "the loop hangs") as port,
        supervised(
            f"--port={port}", "--every=0.05", sys.executable, "-c", PATIENT
        ) as process,
    ):  # fmt: skip
        assert process.wait(LONG_ENOUGH) == 1
        assert process.stderr
        assert "does not work: the loop hangs" in process.stderr.read()


def test_a_process_without_an_endpoint_is_left_alone() -> None:
    """A process that starts, or whose port was taken, is not stopped."""
    with endpoint(200, "ok") as port:
        pass  # nothing listens there any more
    program = "import time; time.sleep(1)"
    with supervised(f"--port={port}", "--every=0.01", sys.executable, "-c", program) as process:
        assert process.wait(LONG_ENOUGH) == 0


def test_a_missing_program_is_told() -> None:
    """The error is one line and has no traceback."""
    with supervised("no-such-program") as process:
        assert process.wait(LONG_ENOUGH) == 1
        assert process.stderr
        assert process.stderr.read() == "no-such-program: No such file or directory\n"


@pytest.mark.parametrize(("status", "text"), [(200, ""), (503, "it starts\n")])
def test_health_check_asks_the_endpoint(status: int, text: str) -> None:
    """Docker gets the exit code, and `docker inspect` shows the reason."""
    with endpoint(status, text) as port:
        checked = subprocess.run(
            [*HEALTH, f"--port={port}"], capture_output=True, text=True, check=False
        )
    assert (checked.returncode, checked.stderr) == (int(status != 200), text)


def test_health_check_imports_little() -> None:
    """A check runs every few seconds in every container: no Redis, no pydantic."""
    program = """
import sys
from ssc_ingest import health
sys.argv = ["health", "--port=1"]
try:
    health.main()
except SystemExit:
    pass
assert not {"redis", "pydantic", "celery", "asyncio"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
