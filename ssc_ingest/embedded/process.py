"""Child processes that never outlive the process that started them.

.. code-block:: python

    with ProcessGroup() as group:
        child = group.start("beat", ["celery", "-A", "workers", "beat"], on_line=print)
        ...
        child.stop(grace=20)

A group is a POSIX process group led by a small watchdog process (:mod:`.watchdog`). The whole
group, including grandchildren, ends about a quarter of a second after the parent, even if the
parent ends by ``kill -9``. The group is not the terminal's foreground group: Ctrl-C reaches only
the parent, which stops its children in order.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from ssc_ingest.embedded.errors import ServerFailed

WATCHDOG = Path(__file__).with_name("watchdog.py")
REMEMBERED_LINES = 40

OnLine = Callable[[str], None]


class ProcessGroup:
    """Starts children and kills them all when it is closed, or when this process ends."""

    def __init__(self, *, inherit: Sequence[int] = ()) -> None:
        """Start the watchdog.

        Args:
            inherit: file descriptors that the watchdog and all children keep open. A lock on one of
                them is released when the last of these processes ends.
        """
        self._inherit = tuple(inherit)
        self._children: list[ChildProcess] = []
        self._watchdog = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", str(WATCHDOG), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=self._inherit,
            process_group=0,
        )

    @property
    def id(self) -> int:
        """The id of the process group; ``kill -9 -- -ID`` kills it."""
        return self._watchdog.pid

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        on_line: OnLine | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        niceness: int = 0,
    ) -> "ChildProcess":
        """Start a child in the group.

        Args:
            name: its name in messages.
            command: program and arguments; no shell.
            on_line: called on a separate thread with each line of the child's standard output and
                error, without the newline. It must be fast, because it blocks the child's output.
            environment: replaces the inherited environment.
            folder: working directory.
            niceness: how much more than this process it leaves the processor to others.

        Raises:
            ServerFailed: the program cannot be started.
        """
        try:
            popen = subprocess.Popen(  # noqa: S603 - the caller names the program
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env=environment,
                cwd=folder,
                pass_fds=self._inherit,
                process_group=self.id,
            )
        except OSError as error:
            raise ServerFailed(f"{name} cannot be started: {error}", name=name) from error
        lower_priority(popen.pid, niceness)
        child = ChildProcess(name, popen, on_line)
        self._children.append(child)
        return child

    def close(self) -> None:
        """Kill the rest of the group, grandchildren included."""
        if self._watchdog.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it is empty
                os.killpg(self.id, signal.SIGKILL)
            self._watchdog.wait()
        for child in self._children:
            child.stop(grace=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lower_priority(pid: int, niceness: int) -> None:
    """Let a process that has just been started leave the processor to others.

    Linux keeps the value per thread, and new threads and children inherit it. So this comes before
    the process has any. It is not done between fork and exec, where a parent with threads may run
    no Python.
    """
    if niceness:
        with contextlib.suppress(OSError):  # it has ended
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, pid, own + niceness)


class ChildProcess:
    """A running child; made by :meth:`ProcessGroup.start`. Safe to use from several threads."""

    def __init__(self, name: str, popen: subprocess.Popen[str], on_line: OnLine | None) -> None:
        self.name = name
        self.pid = popen.pid
        self._popen = popen
        self._recent: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._reader = threading.Thread(
            target=self._read, args=(on_line,), name=f"output of {name}", daemon=True
        )
        self._reader.start()

    def _read(self, on_line: OnLine | None) -> None:
        with self._popen.stdout or contextlib.nullcontext(()) as output:
            for line in output:
                text = line.rstrip()
                self._recent.append(text)
                if on_line:
                    # An error such as a full disk or closed terminal must not block the child's
                    # pipe.
                    with contextlib.suppress(OSError, SystemExit):
                        on_line(text)

    @property
    def returncode(self) -> int | None:
        """The exit status (negative: the signal), ``None`` while it runs. Never blocks."""
        return self._popen.poll()

    def recent_output(self) -> str:
        """The last lines of the child's output; complete after its end."""
        if self.returncode is not None:
            # A grandchild may keep the pipe open: do not wait forever.
            self._reader.join(timeout=1)
        return "\n".join(list(self._recent))

    def not_ready(self, timeout: float) -> ServerFailed:
        """The error for a child that does not become ready."""
        return ServerFailed(
            f"{self.name} was not ready after {timeout:g} s; it wrote:\n{self.recent_output()}",
            name=self.name,
        )

    def failure(self) -> ServerFailed:
        """The error for a child that exited."""
        code = self.returncode
        ended = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
        return ServerFailed(
            f"{self.name} ended {ended} (process {self.pid}); it wrote:\n{self.recent_output()}",
            name=self.name,
        )

    def terminate(self) -> None:
        """Send SIGTERM; returns at once."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.kill()

    def stop(self, *, grace: float) -> bool:
        """Send SIGTERM, and SIGKILL after ``grace`` seconds.

        Returns:
            Whether it ended within the grace.
        """
        self.terminate()
        return self.wait(grace)

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, but not longer; returns whether it has ended."""
        try:
            self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self, grace: float) -> bool:
        """Wait for the end of a terminated child; kill it after ``grace`` seconds.

        Returns:
            Whether it ended within the grace.
        """
        try:
            self._popen.wait(timeout=max(0.0, grace))
        except subprocess.TimeoutExpired:
            self.kill()
            self._popen.wait()
            return False
        finally:
            self._reader.join(timeout=1)
        return True
