"""The workers' event loop: connections that are reset while idle, also through proxies."""

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.http.client import open_transport
from ssc_ingest.http.failures import RequestFailed
from ssc_ingest.resources import open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from workers.process.event_loop import new_event_loop

AT_ONCE = struct.pack("ii", 1, 0)
"""Linger for no time: closing is a reset."""

LOOK_EVERY = 0.1
LONG_ENOUGH = 60


class Resetting:
    """Forwards bytes until it resets its connections, like a firewall that lost its state."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._serving = threading.Event()
        self.resets = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        self._serving.set()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._serving.clear()

    async def reset(self) -> None:
        """Reset all connections, and wait until the loop has noticed."""
        before = self.resets
        self._serving.clear()
        async with asyncio.timeout(LONG_ENOUGH):
            while self.resets == before:  # noqa: ASYNC110 - threads know nothing of events
                await asyncio.sleep(LOOK_EVERY)
        await asyncio.sleep(3 * LOOK_EVERY)  # what else is connected
        self._serving.set()
        await asyncio.sleep(LOOK_EVERY)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            while self._serving.is_set():
                ready, _, _ = select.select([client, server], [], [], LOOK_EVERY)
                for source in ready:
                    if not (data := source.recv(65536)):
                        return
                    (server if source is client else client).sendall(data)
            self.resets += 1
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine like a worker."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


@pytest.mark.usefixtures("clean_redis")
def test_redis(settings: Settings, redis_servers: Servers) -> None:
    """The next command uses a new connection, without an error."""

    async def ask(proxy: Resetting) -> None:
        async with open_state(settings, replace(redis_servers, redis_url=proxy.uri)) as state:
            for _ in range(3):
                await state.redis.set("key", "value")
                assert await state.queues.delayed() == 0
                await proxy.reset()

    with Resetting(redis_servers.redis_url) as proxy:
        run(ask(proxy))


@pytest.mark.usefixtures("clean_graph")
def test_graph(settings: Settings, servers: Servers) -> None:
    """The next read uses a new connection, without an error."""
    ref = ecosystem("pypi").ref("rich")

    async def ask(proxy: Resetting) -> None:
        async with open_driver(replace(servers, graph_uri=proxy.uri), settings) as driver:
            reader = GraphReader(driver)
            for _ in range(3):
                assert await reader.package_state(ref) is None
                await proxy.reset()

    with Resetting(servers.graph_uri) as proxy:
        run(ask(proxy))


def test_registries_behind_a_proxy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection to the proxy becomes one to the registry, with TLS."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            heard.append(client.recv(65536))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            heard.append(client.recv(65536))

    async def ask() -> None:
        async with open_transport(settings) as transport:
            with pytest.raises(RequestFailed):
                async with transport.send("GET", "https://registry.example/simple/"):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        proxy = threading.Thread(target=serve, args=(listener,), daemon=True)
        proxy.start()
        run(ask())
        proxy.join(LONG_ENOUGH)
    assert heard[0].startswith(b"CONNECT registry.example:443 ")
    assert heard[1].startswith(b"\x16\x03")  # a handshake of TLS
