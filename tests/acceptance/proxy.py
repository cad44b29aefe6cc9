"""A TCP proxy before a server, which cuts connections, makes them silent, or demands TLS."""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit, urlunsplit


class Mode(Enum):
    """How the proxy treats new connections."""

    FORWARD = auto()
    SILENT = auto()
    """It accepts them, and forwards nothing."""
    REFUSE = auto()
    """It closes them at once, with a reset."""


class Proxy:
    """Forwards bytes between clients and one server, in a thread of its own."""

    def __init__(self, uri: str, tls: ssl.SSLContext | None = None) -> None:
        """``tls``: clients must speak TLS to the proxy, which has this certificate."""
        parts = urlsplit(uri)
        assert parts.hostname
        assert parts.port
        self._server = (parts.hostname, parts.port)
        self._mode = Mode.FORWARD
        self._ways: set[_Way] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener: asyncio.Server = self._run(
            asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        )
        port = self._listener.sockets[0].getsockname()[1]
        self.uri = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))

    def cut(self) -> None:
        """Reset all connections; new ones are forwarded."""
        self._loop.call_soon_threadsafe(self._cut)

    def refuse(self) -> None:
        """Reset all connections, and new ones, too."""
        self._mode = Mode.REFUSE
        self.cut()

    def silence(self) -> None:
        """No connection transports anything, as if the cable were cut.

        The present ones never do again (half-open), new ones not before :meth:`restore`.
        """
        self._mode = Mode.SILENT
        self._loop.call_soon_threadsafe(self._silence)

    def restore(self) -> None:
        """Forward new connections again."""
        self._mode = Mode.FORWARD

    def close(self) -> None:
        """Reset all connections and end."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._listener.close()
        self._cut()
        here = asyncio.current_task()
        if others := [task for task in asyncio.all_tasks() if task is not here]:
            await asyncio.wait(others)  # they end with their connections

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _cut(self) -> None:
        for way in self._ways:
            way.abort()

    def _silence(self) -> None:
        for way in self._ways:
            way.is_silent = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.REFUSE:
            writer.transport.abort()
            return
        way = _Way(writer, is_silent=self._mode is Mode.SILENT)
        self._ways.add(way)
        try:
            await way.forward(reader, self._server)
        finally:
            self._ways.discard(way)


class _Way:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, *, is_silent: bool) -> None:
        self.is_silent = is_silent
        self._writers = [client]

    def abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def forward(self, reader: asyncio.StreamReader, server: tuple[str, int]) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(*server)
            self._writers.append(to_server)
            await asyncio.gather(
                self._pump(reader, to_server), self._pump(from_server, self._writers[0])
            )
        except OSError:
            pass
        finally:
            self.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.is_silent:
                target.write(data)
                await target.drain()
        if self.is_silent:
            return  # the other side does not learn that this one has closed
        raise ConnectionResetError


@contextmanager
def proxy_to(uri: str, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy before the server at this address."""
    proxy = Proxy(uri, tls)
    try:
        yield proxy
    finally:
        proxy.close()
