"""Ports on the loopback interface."""

import errno
import socket
import sys

LOOPBACK = "127.0.0.1"

MARKS = "\0ssc-ingest port {port}"
"""Names of reservations: sockets outside of the file system, which Linux has. They are visible
where the port is, and the kernel removes them when their process ends, however it ends."""

RANDOM_PORTS = 20
"""Number of free ports to try; each may be reserved, while the server of it is down."""


def is_listening(port: int) -> bool:
    """Whether a program accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def choose_port(preferred: int) -> int:
    """``preferred`` if it is free, else a port chosen by the system.

    Another program may take it before the server listens; callers then try another one.
    """
    for port in (preferred, 0):
        with socket.socket() as candidate:
            # Like servers, treat ports with connections in TIME_WAIT as free.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((LOOPBACK, port))
            except (OSError, OverflowError):  # in use, or not a port number
                continue
            return int(candidate.getsockname()[1])
    raise OSError(f"no free port on {LOOPBACK}")


class ReservedPort:
    """A port that no other supervisor of this program chooses, until it is released.

    A server that has died leaves its port free until it runs again. If another ``ssc-ingest up``
    took the port for its own server, the clients of the first one would use the wrong data.
    """

    def __init__(self, preferred: int) -> None:
        """Reserve ``preferred`` if it is free, else a port chosen by the system."""
        self._mark: socket.socket | None = None
        for candidate in (preferred, *(RANDOM_PORTS * (0,))):
            self.number = choose_port(candidate)
            if self._reserve():
                return
        raise OSError(f"no free port on {LOOPBACK}")

    def _reserve(self) -> bool:
        if sys.platform != "linux":
            return True
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(MARKS.format(port=self.number))
        except OSError as error:
            mark.close()
            # Without another reason, a sandbox forbids such sockets: work without them.
            return error.errno != errno.EADDRINUSE
        self._mark = mark
        return True

    def release(self) -> None:
        """Let others choose it. Safe to repeat."""
        if self._mark:
            self._mark.close()
