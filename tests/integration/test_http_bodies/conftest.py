"""The server, and a client that may ask it."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.integration.test_http_bodies.host import Host


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A running server."""
    host = Host()
    runner = web.ServerRunner(web.Server(host.answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        name, port = runner.addresses[0][:2]
        host.url = f"http://{name}:{port}/document"
        yield host
    finally:
        await runner.cleanup()


@pytest.fixture
async def client(host: Host, state: State, settings: Settings) -> AsyncIterator[RegistryClient]:
    """A client that may send requests to the server."""
    async with open_transport(settings) as transport:
        yield RegistryClient(transport, state.limiter, {urlsplit(host.url).netloc: 1.0})
