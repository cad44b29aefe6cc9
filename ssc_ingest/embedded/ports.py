"""Ports on the loopback interface."""

import socket

LOOPBACK = "127.0.0.1"


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
