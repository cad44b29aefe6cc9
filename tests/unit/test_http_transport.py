"""The HTTP transport, against servers and proxies on loopback."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.http.client import open_transport
from ssc_ingest.http.failures import RequestFailed
from ssc_ingest.http.responses import Headers
from ssc_ingest.settings import Settings


@asynccontextmanager
async def listening(answer: web.Response | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """A server: its address, and what it was asked for, with the proxy's credentials if any."""
    asked: list[str] = []

    async def respond(request: web.BaseRequest) -> web.Response:
        asked.append(f"{request.raw_path} {request.headers.get('Proxy-Authorization', '')}".strip())
        return answer or web.Response(text="here", headers={"Set-Cookie": "a=b"})

    runner = web.ServerRunner(web.Server(respond))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "{}:{}".format(*runner.addresses[0][:2]), asked
    finally:
        await runner.cleanup()


async def body(settings: Settings, url: str) -> bytes:
    """The body of a response."""
    async with open_transport(settings) as transport, transport.send("GET", url) as answer:
        return b"".join([chunk async for chunk in answer.chunks()])


def test_headers() -> None:
    """Names are case-insensitive; repeated headers are joined, as a list in one header would be."""
    headers = Headers([("ETag", '"1"'), ("Vary", "a"), ("VARY", "b")])
    assert (headers["etag"], headers.get("vary"), headers.get("x")) == ('"1"', "a, b", None)
    assert dict(headers) == {"etag": '"1"', "vary": "a, b"}
    assert "Etag" in headers


async def test_headers_that_are_not_ascii(settings: Settings) -> None:
    """Such a value is text that every store accepts."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        request.transport.write(
            b"HTTP/1.1 200 OK\r\nA: \xc3\xa9\r\nB: \xe9\r\nContent-Length: 0\r\n\r\n"
        )
        return web.Response()

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = "http://{}:{}/".format(*runner.addresses[0][:2])
        async with open_transport(settings) as transport, transport.send("GET", url) as found:
            assert (found.headers["a"], found.headers["b"]) == ("é", "é")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("url", ["http://", "http://h:port/", "nothing", "http://[::1/"])
async def test_what_is_not_a_url(settings: Settings, url: str) -> None:
    """It is an error of the document that names it."""
    with pytest.raises(MalformedMetadata):
        await body(settings, url)


async def test_a_proxy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for other hosts' documents, with its credentials, and resolves their names."""
    credentials = b64encode(b"user:p@ss").decode()
    async with listening() as (proxy, asked):
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@{proxy}")
        assert await body(settings, "http://registry.example/simple/") == b"here"
        monkeypatch.setenv("http_proxy", proxy)
        assert await body(settings, "http://10.0.0.1/x") == b"here"
    assert asked == [
        f"http://registry.example/simple/ Basic {credentials}",
        "http://10.0.0.1/x",
    ]


async def test_hosts_without_a_proxy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback never has one; ``NO_PROXY`` names others."""
    async with listening() as (proxy, through_proxy), listening() as (server, asked):
        monkeypatch.setenv("all_proxy", f"http://{proxy}")
        assert await body(settings, f"http://{server}/a") == b"here"
        monkeypatch.setenv("no_proxy", "registry.invalid")
        with pytest.raises(RequestFailed, match="cannot be resolved"):
            await body(settings, "http://registry.invalid/")
        assert await body(settings, "http://other.invalid/") == b"here"
    assert asked == ["/a"]
    assert through_proxy == ["http://other.invalid/"]
