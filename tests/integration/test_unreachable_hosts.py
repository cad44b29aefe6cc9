"""Unreachable hosts: real sockets that refuse, are silent, or do not speak TLS."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, suppress
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from ssc_ingest.errors import IngestError, RateLimited, RegistryUnavailable, RegistryUnreachable
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.rate_limit import MAX_UNREACHABLE, PROBE_TIME, PROBE_WAIT
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings

MEGABYTE = 1024 * 1024


class Client:
    """A registry's client of any host, with a time-out of half a second."""

    def __init__(self, state: State, settings: Settings, stack: AsyncExitStack) -> None:
        self.state, self._settings, self._stack = state, settings, stack

    async def get(self, url: str, rate: float = 100.0) -> bytes:
        """Request a document, at this number of requests a second."""
        quick = self._settings.model_copy(update={"http_timeout_default": 0.5})
        transport = await self._stack.enter_async_context(open_transport(quick))
        client = RegistryClient(transport, self.state.limiter, {urlsplit(url).netloc: rate})
        return (await client.get(url, max_bytes=MEGABYTE)).body

    async def failure(self, url: str, rate: float = 100.0) -> IngestError:
        """The error of a failing request."""
        with pytest.raises(IngestError) as caught:
            await self.get(url, rate)
        return caught.value

    async def pass_the_pause(self) -> None:
        """End all pauses of hosts."""
        for key in [key async for key in self.state.redis.scan_iter("pause:*")]:
            await self.state.redis.delete(key)


@pytest.fixture
async def client(state: State, settings: Settings) -> AsyncIterator[Client]:
    """A client."""
    async with AsyncExitStack() as stack:
        yield Client(state, settings, stack)


@pytest.fixture
def address() -> str:
    """``127.0.0.1:port`` without a listener."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        host, port = server.getsockname()
    return f"{host}:{port}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and sends nothing."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as server:
        host, port = server.getsockname()
        yield f"{host}:{port}"


@asynccontextmanager
async def answering(address: str, status: int = 200) -> AsyncIterator[list[str]]:
    """A server at the address; returns the requested paths."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        await asyncio.sleep(0.1)
        return web.Response(status=status, text="here")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    host, _, port = address.partition(":")
    await web.TCPSite(runner, host, int(port), reuse_address=True).start()
    try:
        yield asked
    finally:
        await runner.cleanup()


async def test_causes_are_told_apart(client: Client, address: str, silent: str) -> None:
    """Refused, unknown name, no TLS: each with the host, and without a second try."""
    refused = await client.failure(f"http://{address}/x")
    assert isinstance(refused, RegistryUnreachable)
    assert str(refused) == f"{address} refuses connections"
    unknown = await client.failure("http://registry.invalid/x")
    assert isinstance(unknown, RegistryUnreachable)
    assert "the name of registry.invalid cannot be resolved (DNS)" in str(unknown)
    timeout = await client.failure(f"http://{silent}/x")
    assert isinstance(timeout, RegistryUnavailable)
    assert str(timeout) == f"connected to {silent}, but no response in time"
    async with answering(address):
        await client.pass_the_pause()
        insecure = await client.failure(f"https://{address}/x")
    assert isinstance(insecure, RegistryUnreachable)
    assert f"no secure connection to {address} (TLS): " in str(insecure)


async def test_a_connection_that_is_not_accepted(client: Client) -> None:
    """Time-outs of connections have no document; the third one pauses the host."""
    with closing(socket.socket()) as full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # until the queue is full
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.settimeout(0)
            with suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        host = "{}:{}".format(*full.getsockname())
        error = await client.failure(f"http://{host}/x")
    assert isinstance(error, RegistryUnreachable)
    assert str(error) == f"no connection to {host} in time"


async def test_a_silent_document_and_a_silent_host(client: Client, silent: str) -> None:
    """Time-outs of one document do not pause the host; three documents do."""
    for _ in range(2):
        assert isinstance(await client.failure(f"http://{silent}/a"), RegistryUnavailable)
    assert isinstance(await client.failure(f"http://{silent}/b"), RegistryUnavailable)
    error = await client.failure(f"http://{silent}/c")
    assert isinstance(error, RegistryUnreachable)
    assert str(error) == f"connected to {silent}, but no response in time"


async def test_gateways_without_their_registry(client: Client, address: str) -> None:
    """502 and 504 of different documents are an outage, too."""
    async with answering(address, 502) as asked:
        for path in "ab":
            assert isinstance(await client.failure(f"http://{address}/{path}"), RegistryUnavailable)
        error = await client.failure(f"http://{address}/c")
        assert isinstance(error, RegistryUnreachable)
        assert str(error) == f"HTTP 502 from the gateway of {address}"
        assert len(asked) == 7


async def test_an_outage_and_its_end(client: Client, address: str) -> None:
    """Pauses grow; after each, one request tests the host; its response ends the outage."""
    url = f"http://{address}/x"
    pauses = []
    for _ in range(9):
        error = await client.failure(url)
        assert isinstance(error, RegistryUnreachable)
        pauses.append(round(error.retry_after))
        again = await client.failure(url)
        assert isinstance(again, RegistryUnreachable)
        assert str(again) == f"{address} refuses connections"
        await client.pass_the_pause()
    assert pauses == [1, 2, 4, 8, 16, 32, MAX_UNREACHABLE, MAX_UNREACHABLE, MAX_UNREACHABLE]
    use = (await client.state.limiter.use([address]))[address]
    assert use.unreachable == f"{address} refuses connections"

    async with answering(address) as asked:
        found = await asyncio.gather(
            *(client.get(f"{url}{n}") for n in range(20)), return_exceptions=True
        )
        refused = [each for each in found if isinstance(each, RegistryUnreachable)]
        assert len(refused) == 19
        assert {each.retry_after for each in refused} == {PROBE_WAIT}
        assert len(asked) == 1
        assert await asyncio.gather(*(client.get(f"{url}{n}") for n in range(20))) == [b"here"] * 20
    use = (await client.state.limiter.use([address]))[address]
    assert (use.unreachable, use.paused_until) == (None, None)
    error = await client.failure(url)
    assert isinstance(error, RegistryUnreachable)
    assert round(error.retry_after) == 1


async def test_any_answer_shows_that_a_host_is_reached(client: Client, address: str) -> None:
    """An error response of the host shows that it is reached, too."""
    await client.failure(f"http://{address}/x")
    await client.pass_the_pause()
    async with answering(address, 500) as asked:
        assert isinstance(await client.failure(f"http://{address}/x"), RegistryUnavailable)
        assert len(asked) == 3


async def test_our_own_rate_is_not_the_hosts_fault(client: Client) -> None:
    """A request without a token waits for its turn."""
    rate = 0.01  # so that no token comes meanwhile
    while (await client.state.limiter.take("registry.invalid", rate=rate, urgent=True)).granted:
        pass
    error = await client.failure("http://registry.invalid/x", rate)
    assert isinstance(error, RateLimited)
    assert str(error) == "waits for its turn (rate limit of registry.invalid)"


async def test_a_worker_that_dies_with_the_probe_does_not_close_the_host(client: Client) -> None:
    """The probe and the reason expire, so that another worker's request is the next probe."""
    host, state = "registry.invalid", client.state
    await state.limiter.unreachable(host, "no such host")
    assert await state.redis.ttl(f"unreachable:{host}") > 0
    await client.pass_the_pause()
    assert (await state.limiter.take(host, rate=1, urgent=True)).probe
    assert 0 < await state.redis.ttl(f"probe:{host}") <= PROBE_TIME
