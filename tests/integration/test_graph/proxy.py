"""A TCP proxy before the graph that breaks connections at a chosen moment."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""Bolt's COMMIT message, in its chunk."""


class Proxy:
    """Forwards bytes; ``cut_after(message)`` breaks the connection that sends that message."""

    def __init__(self, host: str, port: int) -> None:
        self.uri = ""
        self.cuts = 0
        self._server = (host, port)
        self._message: bytes | None = None

    def cut_after(self, message: bytes) -> None:
        """Forward the next such message, and close its connection before the response."""
        self._message = message

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        from_server, to_server = await asyncio.open_connection(*self._server)
        cut = asyncio.Event()

        def watch(data: bytes) -> bool:
            if self._message is None or self._message not in data:
                return False
            self._message = None
            self.cuts += 1
            cut.set()
            return True

        tasks = [
            asyncio.create_task(_pump(reader, to_server, watch)),
            asyncio.create_task(_pump(from_server, writer, lambda _: cut.is_set())),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if cut.is_set():
            writer.transport.abort()
            await asyncio.sleep(0.2)  # the server commits what it was sent
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for side in (writer, to_server):
            side.transport.abort()


async def _pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, stop: Callable[[bytes], bool]
) -> None:
    while data := await source.read(65536):
        last = stop(data)
        target.write(data)
        await target.drain()
        if last:
            return


@asynccontextmanager
async def proxy_to(uri: str) -> AsyncIterator[Proxy]:
    """A proxy before the server at ``uri``."""
    parts = urlsplit(uri)
    proxy = Proxy(parts.hostname or "", parts.port or 7687)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.uri = f"bolt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
