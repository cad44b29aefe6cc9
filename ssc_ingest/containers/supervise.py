"""Runs one process in a container: ``python -m ssc_ingest.containers.supervise COMMAND...``.

Docker restarts a container whose process ends, for whatever reason, and does nothing about an
unhealthy one. This supervisor does the opposite where that helps:

- A process that ends with 78 (a setting is wrong) is not restarted. The supervisor says so once and
  waits, so the container is shown as unhealthy until its configuration is corrected.
- A worker whose ``/healthz`` fails three times in a row is stopped. Docker then starts the
  container again; its tasks are delivered to other workers meanwhile. ``/healthz`` never fails
  because a server is unavailable.

All other ends of the process end the supervisor, with the same exit code. SIGTERM and SIGINT are
passed on.
"""

import argparse
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from ssc_ingest.containers.probe import NotListening, problem

EX_CONFIG = 78
"""Exit code of a process that cannot start with its configuration (sysexits.h)."""

FAILURES = 3
"""Consecutive failed checks until the process is stopped."""

STOP_TIMEOUT = 40.0
"""Seconds for the process to end; above SHUTDOWN_GRACE, below compose's ``stop_grace_period``."""


class Supervisor:
    """One process, its checks, and the signals to both.

    Args:
        command: program and arguments.
        port: of the process's monitoring endpoint; ``None``: it has none.
        every: seconds between checks.
    """

    def __init__(self, command: Sequence[str], *, port: int | None, every: float) -> None:
        self._command = command
        self._port = port
        self._every = every
        self._stop = threading.Event()
        self._unhealthy = False

    def run(self) -> int:
        """Run the process until it ends; returns the exit code of the container."""
        received: list[int] = []
        process: subprocess.Popen[bytes] | None = None

        def pass_on(number: int, _frame: object) -> None:
            received.append(number)
            self._stop.set()
            if process and process.poll() is None:
                process.send_signal(number)

        # Before the process starts, which inherits no handler: no signal is lost in between.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, pass_on)
        process = subprocess.Popen(self._command)  # noqa: S603 - the container's own command
        if received:
            process.send_signal(received[0])
        if self._port:
            threading.Thread(target=self._watch, args=(process, self._port), daemon=True).start()
        code = process.wait()
        if code == EX_CONFIG and not self._stop.is_set():
            _say(
                "the configuration is wrong (see above), so a restart would not help: correct it, "
                "then recreate this container (docker compose up --detach)"
            )
            self._stop.wait()
        if self._unhealthy:
            return 1
        return code if code >= 0 else 128 - code

    def _watch(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        """Stop the process when it does not work any more."""
        failures = 0
        reason: str | None = None
        while failures < FAILURES:
            if self._stop.wait(self._every):
                return
            try:
                reason = problem(port, "/healthz")
            except NotListening:
                reason = None  # it starts, or its port was taken
            failures = failures + 1 if reason else 0
        self._unhealthy = True
        _say(f"restarting, because the process does not work: {reason}")
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()


def _say(text: str) -> None:
    sys.stderr.write(f"supervise: {text}\n")
    sys.stderr.flush()


def main() -> None:
    """Supervise the command of the arguments, and exit like it."""
    parser = argparse.ArgumentParser(
        prog="python -m ssc_ingest.containers.supervise", description="Run one process."
    )
    parser.add_argument("--port", type=int, help="its port with /healthz, if it has one")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between checks")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND...")
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("name the command to run")
    try:
        code = Supervisor(arguments.command, port=arguments.port, every=arguments.every).run()
    except OSError as error:
        sys.exit(f"{arguments.command[0]}: {error.strerror}")
    sys.exit(code)


if __name__ == "__main__":
    main()
