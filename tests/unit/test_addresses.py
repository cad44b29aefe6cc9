"""Connections to hosts that are no base URL's: real sockets on loopback."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from ssc_ingest.http.addresses import is_global
from ssc_ingest.http.client import open_transport
from ssc_ingest.http.failures import RequestFailed
from ssc_ingest.http.transport import Transport
from ssc_ingest.settings import Settings

MIRROR = "mirror.example"


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[str]]]:
    """A server on loopback: its port, and the hosts for which it was asked."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers["Host"])
        return web.Response(text="inside")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Names of a DNS whose answers a test chooses."""
    zone = {MIRROR: "127.0.0.1"}
    ask = socket.getaddrinfo

    def resolve(host: str, *rest: object, **options: object) -> object:
        return ask(zone.get(host, host), *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return zone


async def ask(transport: Transport, url: str | None) -> None:
    """Send a request and follow every redirect."""
    while url:
        async with transport.send("GET", url) as answer:
            url = answer.redirect


async def test_a_base_url_may_resolve_to_anything(
    settings: Settings, server: tuple[int, list[str]], names: dict[str, str]
) -> None:
    """A base URL may name a mirror in the operator's network."""
    port, asked = server
    async with (
        open_transport(settings, [MIRROR.upper()]) as transport,
        transport.send("GET", f"http://{MIRROR}:{port}/") as answer,
    ):
        assert [chunk async for chunk in answer.chunks()] == [b"inside"]
    assert asked == [f"{MIRROR}:{port}"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "other.example", "[::ffff:127.0.0.1]", "127.1", "2130706433"],
)
async def test_other_hosts_may_not_be_inside(
    settings: Settings, server: tuple[int, list[str]], names: dict[str, str], host: str
) -> None:
    """Other addresses and names inside the network are forbidden, in any spelling."""
    names["other.example"] = "127.0.0.1"
    port, asked = server
    async with open_transport(settings, [MIRROR]) as transport:
        with pytest.raises(RequestFailed):
            await ask(transport, f"http://{host}:{port}/")
    assert not asked


async def test_a_redirect_may_not_lead_inside(
    settings: Settings, server: tuple[int, list[str]], names: dict[str, str]
) -> None:
    """Even a client that follows every redirect does not arrive."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{server[0]}/"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with open_transport(settings, [MIRROR]) as transport:
            with pytest.raises(RequestFailed):
                await ask(transport, f"http://{MIRROR}:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()
    assert not server[1]


async def test_each_connection_is_checked(
    settings: Settings, server: tuple[int, list[str]], names: dict[str, str]
) -> None:
    """A name that was global a moment ago is forbidden when it becomes an inner address."""
    port, asked = server
    names["moving.example"] = "192.0.2.1"  # reserved for documentation: not global either
    async with open_transport(settings, [MIRROR]) as transport:
        for address in ("192.0.2.1", "127.0.0.1", "169.254.169.254"):
            names["moving.example"] = address
            with pytest.raises(RequestFailed):
                await ask(transport, f"http://moving.example:{port}/")
    assert not asked


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:a00:1::", False),
        ("not an address", False),
    ],
)
def test_global_addresses(address: str, *, expected: bool) -> None:
    """Special-purpose addresses, and addresses that embed them, are not global."""
    assert is_global(address) is expected
