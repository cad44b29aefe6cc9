"""Sockets of the event loop."""

import asyncio
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from typing import Any


def close_unconnected() -> None:
    """Close a socket whose connect is cancelled.

    PyMongo leaves it open when a client is closed while one of its monitors connects. Python closes
    it later, with a warning that fails whichever test then runs.
    """
    connect = BaseSelectorEventLoop.sock_connect

    async def sock_connect(loop: BaseSelectorEventLoop, sock: socket.socket, address: Any) -> None:
        try:
            await connect(loop, sock, address)
        except asyncio.CancelledError:
            sock.close()
            raise

    BaseSelectorEventLoop.sock_connect = sock_connect  # type: ignore[assignment,method-assign]
