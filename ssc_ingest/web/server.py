"""The web server: a socket of our own, uvicorn, and an orderly end."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from ssc_ingest.errors import ConfigurationError

BACKLOG = 128

MAX_CONNECTIONS = 100
"""Connections beyond this number are answered with 503."""

GRACE = 4
"""Seconds for requests in progress to end after a stop signal."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        """Serve until SIGINT, SIGTERM or SIGHUP; a second signal ends requests in progress.

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
        with _stopped_by_signals(server):
            asyncio.run(server.serve(sockets=[self._socket]))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: :func:`_stopped_by_signals` handles them, without raising them again."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        server.force_exit = server.should_exit
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
