"""Requests to registries: a misbehaving real HTTP server, and the fleet's rate limit."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from ssc_ingest import __version__
from ssc_ingest.errors import (
    DocumentOverloaded,
    MalformedMetadata,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.client import TRIES, RegistryClient, open_transport
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import Purl
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

MEGABYTE = 1024 * 1024


@pytest.fixture
async def client(
    simulator: Simulator, state: State, settings: Settings
) -> AsyncIterator[RegistryClient]:
    """A client with access to the simulator, short time-outs and a User-Agent."""
    quick = settings.model_copy(
        update={"http_timeout_default": 0.5, "contact": "security@example.org"}
    )
    async with open_transport(quick) as transport:
        yield RegistryClient(transport, state.limiter, {urlsplit(simulator.url).netloc: 1.0})


@pytest.fixture
def url(simulator: Simulator) -> str:
    """A document of some kilobytes."""
    name = simulator.packages("npm", 1, start=5)[0].name
    return f"{simulator.environment()['NPM_REGISTRY_URL']}/{name.replace('/', '%2f')}"


async def pass_the_pause(state: State) -> None:
    """End all pauses of hosts."""
    for key in [key async for key in state.redis.scan_iter("pause:*")]:
        await state.redis.delete(key)


async def test_a_document_and_its_validator(client: RegistryClient, url: str) -> None:
    """The response has an ETag; a request with it gets no body."""
    first = await client.get(url, max_bytes=MEGABYTE, accept="application/json")
    assert first.status == 200
    assert first.body.startswith(b"{")
    assert first.etag
    second = await client.get(url, max_bytes=MEGABYTE, etag=first.etag)
    assert second.not_modified
    assert second.body == b""


async def test_the_user_agent(client: RegistryClient, simulator: Simulator, url: str) -> None:
    """Registries see the program, its version and the contact."""
    await client.get(url, max_bytes=MEGABYTE)
    agent = simulator.requests()[-1]["user_agent"]
    assert agent.startswith(f"SSC-Ingest/{__version__} (+https://")
    assert agent.endswith("; security@example.org)")


@pytest.mark.parametrize("status", [404, 410, 451])
async def test_gone(client: RegistryClient, simulator: Simulator, url: str, status: int) -> None:
    """A request for a missing document is not repeated."""
    simulator.fault("status", status=status)
    with pytest.raises(ResourceNotFound) as caught:
        await client.get(url, max_bytes=MEGABYTE)
    assert caught.value.url == url
    assert simulator.counts().total == 1


FAILURES: dict[str, tuple[str, dict[str, Any]]] = {
    "500": ("status", {"status": 500}),
    "502": ("status", {"status": 502}),
    "reset at once": ("reset", {"at": "head"}),
    "reset in the middle": ("reset", {"at": "body"}),
    "truncated": ("truncate", {}),
    "silent": ("stall", {"seconds": 60.0}),
    "redirect in a circle": ("redirect", {}),
}


@pytest.mark.parametrize(("kind", "fields"), FAILURES.values(), ids=FAILURES)
async def test_temporary_failures(
    client: RegistryClient,
    simulator: Simulator,
    url: str,
    kind: str,
    fields: dict[str, Any],
) -> None:
    """Each is retried and finally raises one typed error: never an empty document."""
    simulator.fault(kind, **fields)
    with pytest.raises(RegistryUnavailable):
        await client.get(url, max_bytes=MEGABYTE)
    assert simulator.counts().total >= TRIES
    simulator.clear_faults()
    assert (await client.get(url, max_bytes=MEGABYTE)).body.startswith(b"{")


async def test_a_failure_that_passes(
    client: RegistryClient, simulator: Simulator, url: str
) -> None:
    """A response after two failures is a success."""
    simulator.fault("status", status=500, times=TRIES - 1)
    assert (await client.get(url, max_bytes=MEGABYTE)).body.startswith(b"{")
    assert simulator.counts().total == TRIES


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "30", 30),
        (503, "7", 7),
        (429, None, 60),
        (429, "nonsense", 60),
    ],
)
async def test_a_paused_host(
    client: RegistryClient,
    simulator: Simulator,
    url: str,
    *,
    status: int,
    retry_after: str | None,
    seconds: float,
) -> None:
    """All workers pause the host for the stated time, or for a time of ours."""
    fields = {"retry_after": retry_after} if retry_after else {}
    simulator.fault("status", status=status, times=1, **fields)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            await client.get(url, max_bytes=MEGABYTE)
        assert caught.value.retry_after == pytest.approx(seconds, abs=2)
    assert simulator.counts().total == 1


@pytest.mark.parametrize("retry_after", [None, "0"])
async def test_a_503_concerns_its_document(
    client: RegistryClient, simulator: Simulator, url: str, retry_after: str | None
) -> None:
    """Other documents are read, unless the host's last ten responses have 503 for five of them."""
    fields = {"retry_after": retry_after} if retry_after else {}
    simulator.fault("status", status=503, path="-broken", **fields)
    for _ in range(2):
        for number in range(4):
            with pytest.raises(DocumentOverloaded) as caught:
                await client.get(f"{url}-broken{number % 2}", max_bytes=MEGABYTE)
            assert caught.value.retry_after == pytest.approx(5, abs=1)
        assert (await client.get(url, max_bytes=MEGABYTE)).status == 200
    documents = [client.get(f"{url}-broken{number}", max_bytes=MEGABYTE) for number in range(5)]
    for error in await asyncio.gather(*documents, return_exceptions=True):
        assert isinstance(error, RateLimited)
    with pytest.raises(RateLimited, match="is paused"):
        await client.get(url, max_bytes=MEGABYTE)


async def test_a_brief_503_delays_nothing(
    client: RegistryClient, simulator: Simulator, url: str
) -> None:
    """The document is requested again within the same attempt."""
    simulator.fault("status", status=503, path="-brief$", times=2)
    with pytest.raises(ResourceNotFound):  # the simulator's answer
        await client.get(f"{url}-brief", max_bytes=MEGABYTE)
    assert simulator.counts().total == 3


async def test_eight_good_answers_forget_a_503(
    client: RegistryClient, simulator: Simulator, state: State, url: str
) -> None:
    """Only the last ten responses of a host count."""
    simulator.fault("status", status=503, path="-broken$")
    for _ in range(4):
        with pytest.raises(DocumentOverloaded):
            await client.get(f"{url}-broken", max_bytes=MEGABYTE)
        for _ in range(8):
            await client.get(url, max_bytes=MEGABYTE)
    for _ in range(2):
        await client.get(url, max_bytes=MEGABYTE)
    assert [key async for key in state.redis.scan_iter("answers:*")] == []


async def test_responses_to_concurrent_requests_count_alike(
    state: State, settings: Settings
) -> None:
    """Five 503 among many responses are few, also if all requests were sent before the first."""
    answers = {str(number): asyncio.Event() for number in range(23)}
    arrived = asyncio.Semaphore(0)

    async def answer(request: web.BaseRequest) -> web.Response:
        number = request.path.strip("/")
        arrived.release()
        await answers[number].wait()
        return web.Response(status=503 if int(number) % 5 == 0 else 200)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = "{}:{}".format(*runner.addresses[0][:2])
    try:
        async with open_transport(settings) as transport:
            client = RegistryClient(transport, state.limiter, {host: 1.0})
            requests = {
                number: asyncio.create_task(
                    client.get(f"http://{host}/{number}", max_bytes=MEGABYTE)
                )
                for number in answers
            }
            for _ in requests:
                await arrived.acquire()
            failures = []
            for number, request in requests.items():
                answers[number].set()
                try:
                    assert (await request).status == 200
                except DocumentOverloaded:
                    failures.append(number)
            assert failures == ["0", "5", "10", "15", "20"]
            assert (await client.get(f"http://{host}/1", max_bytes=MEGABYTE)).status == 200
    finally:
        await runner.cleanup()


async def test_a_refused_document(client: RegistryClient, simulator: Simulator, url: str) -> None:
    """One 403 concerns its document: it is not requested again, and others are read."""
    simulator.fault("status", status=403, path="-secret$")
    for _ in range(7):
        with pytest.raises(ResourceForbidden, match=r"127.0.0.1:\d+ refuses this document"):
            await client.get(f"{url}-secret", max_bytes=MEGABYTE)
    assert simulator.counts().total == 7
    assert (await client.get(url, max_bytes=MEGABYTE)).status == 200


async def test_a_host_that_refuses_us(
    client: RegistryClient, simulator: Simulator, state: State, url: str
) -> None:
    """Five 403 in a row for different documents pause it like a 429."""
    simulator.fault("status", status=403, path="-secret")
    for number in range(4):
        with pytest.raises(ResourceForbidden):
            await client.get(f"{url}-secret{number}", max_bytes=MEGABYTE)
    await client.get(url, max_bytes=MEGABYTE)
    for number in range(4):
        with pytest.raises(ResourceForbidden):
            await client.get(f"{url}-secret{number}", max_bytes=MEGABYTE)
    asked = simulator.counts().total
    for seconds in (60, 120):
        with pytest.raises(RateLimited) as caught:
            await client.get(f"{url}-secret4", max_bytes=MEGABYTE)
        assert caught.value.retry_after == pytest.approx(seconds, abs=2)
        with pytest.raises(RateLimited):
            await client.get(url, max_bytes=MEGABYTE)
        asked += 1
        assert simulator.counts().total == asked
        await pass_the_pause(state)
    # It is asked for one document only, and the pauses do not grow any more.
    assert (await client.get(url, max_bytes=MEGABYTE)).status == 200
    with pytest.raises(ResourceForbidden):
        await client.get(f"{url}-secret5", max_bytes=MEGABYTE)


async def test_a_success_resets_the_pauses(
    client: RegistryClient, simulator: Simulator, state: State, url: str
) -> None:
    """Documents that always respond with 503 do not lengthen their host's pauses."""
    simulator.fault("status", status=503, path="-broken")
    for _ in range(3):
        documents = [client.get(f"{url}-broken{number}", max_bytes=MEGABYTE) for number in range(5)]
        errors = await asyncio.gather(*documents, return_exceptions=True)
        pauses = [error.retry_after for error in errors if isinstance(error, RateLimited)]
        assert len(pauses) == 5
        assert max(pauses) == pytest.approx(5, abs=1)
        await pass_the_pause(state)
        await client.get(url, max_bytes=MEGABYTE)


async def test_retry_after_as_a_date(
    client: RegistryClient, simulator: Simulator, url: str
) -> None:
    """``Retry-After`` may be a date."""
    moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 90))
    simulator.fault("status", status=429, retry_after=moment)
    with pytest.raises(RateLimited) as caught:
        await client.get(url, max_bytes=MEGABYTE)
    assert caught.value.retry_after == pytest.approx(90, abs=5)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("oversized", {"megabytes": 3.0}),
        ("oversized", {"megabytes": 3.0, "chunked": True}),
        ("bomb", {"megabytes": 50.0}),
    ],
    ids=["announced", "chunked", "compressed"],
)
async def test_larger_than_the_cap(
    client: RegistryClient,
    simulator: Simulator,
    url: str,
    kind: str,
    fields: dict[str, Any],
) -> None:
    """The decompressed size of a body is counted as it arrives; the request is not repeated."""
    simulator.fault(kind, **fields)
    with pytest.raises(ResponseTooLarge):
        await client.get(url, max_bytes=MEGABYTE)
    assert simulator.counts().total == 1


async def test_a_page_instead_of_a_document(
    client: RegistryClient, simulator: Simulator, url: str
) -> None:
    """An error page is never data, whatever its status."""
    simulator.fault("html")
    with pytest.raises(MalformedMetadata):
        await client.get(url, max_bytes=MEGABYTE, accept="application/json")


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/", "https://example.org/x"])
async def test_redirects_stay_on_known_hosts(
    client: RegistryClient, simulator: Simulator, url: str, location: str
) -> None:
    """A registry cannot redirect us to an unknown host."""
    simulator.fault("redirect", location=location)
    with pytest.raises(RegistryError, match="not a host of this ecosystem"):
        await client.get(url, max_bytes=MEGABYTE)
    assert simulator.counts().total == 1


async def test_a_wrong_digest_is_a_broken_transfer(client: RegistryClient, url: str) -> None:
    """Contents with another digest than announced may be right the next time."""
    with pytest.raises(RegistryUnavailable, match="SHA-256"):
        await client.get_immutable(url, max_bytes=MEGABYTE, sha256="0" * 64)


async def test_the_next_execution_uses_the_checkpoint(
    client: RegistryClient, simulator: Simulator, state: State, url: str
) -> None:
    """The next execution has the immutable documents of this one, and knows the missing ones."""
    purl = Purl("pkg:npm/x")
    missing = f"{url}-that-nobody-has"
    first = FetchCheckpoint()
    with request_scope(RequestScope(checkpoint=first)) as scope:
        body = await client.get_immutable(url, max_bytes=MEGABYTE)
        with pytest.raises(ResourceNotFound):
            await client.get_immutable(missing, max_bytes=MEGABYTE)
    assert scope.requests == 2
    await first.save(state.cache, purl)

    carried = await FetchCheckpoint.load(state.cache, purl)
    with request_scope(RequestScope(checkpoint=carried)) as scope:
        assert await client.get_immutable(url, max_bytes=MEGABYTE) == body
        with pytest.raises(ResourceNotFound):
            await client.get_immutable(missing, max_bytes=MEGABYTE)
    assert scope.requests == 0
    assert simulator.counts().total == 2

    await carried.discard(state.cache, purl)
    assert (await FetchCheckpoint.load(state.cache, purl)).documents == {}


async def test_a_scope_may_wait_longer(
    client: RegistryClient, simulator: Simulator, url: str
) -> None:
    """A request to a silent server fails after the time-out of its scope."""
    simulator.latency(1500)
    with pytest.raises(RegistryUnavailable, match="no response in time"):
        await client.get(url, max_bytes=MEGABYTE)
    with request_scope(RequestScope(timeout=60)):
        assert (await client.get(url, max_bytes=MEGABYTE)).status == 200
