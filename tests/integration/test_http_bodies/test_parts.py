"""Parts of documents, and responses that are not what was asked for."""

import pytest
from aiohttp import web

from ssc_ingest.errors import (
    MalformedMetadata,
    RangeNotSatisfiable,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.http.client import RegistryClient
from tests.integration.test_http_bodies.host import BODY, CAP, Host, whole


async def test_an_unrequested_part(client: RegistryClient, host: Host) -> None:
    """A part is not treated as the whole."""
    host.answers = [whole(BODY[:100], status=206)]
    with pytest.raises(RegistryUnavailable):
        await client.get(host.url, max_bytes=CAP)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("0-99", BODY[:100]), ("100-", BODY[100:]), ("-50", BODY[-50:]), ("5-999999", BODY[5:])],
)
async def test_a_part(client: RegistryClient, host: Host, wanted: str, found: bytes) -> None:
    """Status 206, the part and its position; never compressed."""
    host.answers = [whole()]
    answer = await client.get(host.url, max_bytes=CAP, byte_range=wanted)
    assert (answer.status, answer.body) == (206, found)
    assert answer.headers["content-range"].endswith(f"/{len(BODY)}")
    assert host.ranges == [f"bytes={wanted}"]
    assert host.asked[0]["Accept-Encoding"] == "identity"


async def test_a_server_without_ranges(client: RegistryClient, host: Host) -> None:
    """The response is the whole document, and its status says so."""
    host.answers = [whole(ranges=False)]
    answer = await client.get(host.url, max_bytes=CAP, byte_range="100-")
    assert (answer.status, answer.body) == (200, BODY)


async def test_a_part_beyond_the_end(client: RegistryClient, host: Host) -> None:
    """The document has become shorter: that is an error at once."""
    host.answers = [whole()]
    with pytest.raises(RangeNotSatisfiable):
        await client.get(host.url, max_bytes=CAP, byte_range=f"{len(BODY)}-")
    assert len(host.asked) == 1


async def test_a_part_above_the_cap(client: RegistryClient, host: Host) -> None:
    """A part has its own limit."""
    host.answers = [whole()]
    assert len((await client.get(host.url, max_bytes=100, byte_range="0-99")).body) == 100
    with pytest.raises(ResponseTooLarge):
        await client.get(host.url, max_bytes=100, byte_range="0-100")


@pytest.mark.parametrize("location", ["http://[", "//[::1"])
async def test_a_redirect_to_what_is_not_a_url(
    client: RegistryClient, host: Host, location: str
) -> None:
    """It is an error of the document, and not repeated."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location})

    host.answers = [answer]
    with pytest.raises(MalformedMetadata, match="not a URL"):
        await client.get(host.url, max_bytes=CAP)
    assert len(host.asked) == 1
