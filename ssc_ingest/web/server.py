"""The web server: a socket of our own, uvicorn, and an orderly end."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.stop_signals import StopSignals

BACKLOG = 128

MAX_CONNECTIONS = 100
"""Connections beyond this number are answered with 503."""

GRACE = 4
"""Seconds for requests in progress to end after a stop signal."""


class WebServer:
    """Listens on an address and a port; serves until a signal.

    Raises:
        ConfigurationError: the port is in use, or the address is not one of this machine.
    """

    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._socket = _listen(address, port)
        self.port = int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"http://{host}:{self.port}"

    def serve(self, app: ASGIApp, *, ready: Callable[[], None]) -> None:
        """Serve until one of :class:`StopSignals`; a second one ends requests in progress.

        Args:
            app: the application.
            ready: called when the server answers.
        """
        config = uvicorn.Config(
            app,
            log_config=None,  # our own configuration of logging stays
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=GRACE,
            ws="none",
        )
        server = _Server(config, ready)
        with StopSignals(server.stop, server.hurry):
            asyncio.run(server.serve(sockets=[self._socket]))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    def stop(self) -> None:
        """End when the requests in progress have ended, or after :data:`GRACE`."""
        self.should_exit = True

    def hurry(self) -> None:
        """End at once."""
        self.force_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: :class:`StopSignals` handles them, without raising them again."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Address already in use: another program listens on port {port} of {address}; "
                "choose another one with --port or WEB_PORT"
            ) from error
        raise ConfigurationError(
            f"WEB_ADDRESS={address!r}, WEB_PORT={port}: cannot listen there: {error.strerror}"
        ) from error
