"""Compressed bodies: whole, broken, damaged and far too large."""

import gzip

import pytest
from aiohttp import web

from ssc_ingest.errors import RegistryUnavailable, ResponseTooLarge
from ssc_ingest.http.client import TRIES, RegistryClient
from tests.integration.test_http_bodies.host import BODY, CAP, Answer, Host, downloaded, packed

ENDS_EARLY = {
    "in the middle": gzip.compress(BODY)[:9_000],
    "without its last byte": gzip.compress(BODY)[:-1],
    "without its checksum": gzip.compress(BODY)[:-8],
    "in the head": gzip.compress(BODY)[:5],
    "before it began": b"",
    "in a second member": gzip.compress(BODY[:500]) + gzip.compress(BODY[500:])[:900],
}


@pytest.mark.parametrize("body", ENDS_EARLY.values(), ids=ENDS_EARLY)
async def test_a_compressed_body_that_ends_early(
    client: RegistryClient, host: Host, body: bytes
) -> None:
    """The response is complete, the body is not: this is an error."""
    host.answers = [packed(body)]
    with pytest.raises(RegistryUnavailable):
        await client.get(host.url, max_bytes=CAP)
    assert len(host.asked) == TRIES
    with pytest.raises(RegistryUnavailable):
        async with downloaded(client, host):
            pass
    host.answers = [packed(gzip.compress(BODY))]
    assert (await client.get(host.url, max_bytes=CAP)).body == BODY


DAMAGED = {
    "no gzip": b"this is no gzip",
    "a wrong checksum": gzip.compress(BODY)[:-8] + bytes(8),
    "something else inside": gzip.compress(BODY)[:3_000] + bytes(300) + gzip.compress(BODY)[3_300:],
}


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_compressed_body(client: RegistryClient, host: Host, body: bytes) -> None:
    """A damaged body may be whole the next time."""
    host.answers = [packed(body), packed(gzip.compress(BODY))]
    assert (await client.get(host.url, max_bytes=CAP)).body == BODY
    assert len(host.asked) == 2


UNPACKED = {
    "gzip": packed(gzip.compress(BODY)),
    "x-gzip": packed(gzip.compress(BODY), "x-gzip"),
    "identity": packed(BODY, "identity"),
    "in upper case": packed(gzip.compress(BODY), "GZIP"),
    "several members": packed(gzip.compress(BODY[:700]) + gzip.compress(BODY[700:])),
    "padded": packed(gzip.compress(BODY) + bytes(512)),
}


@pytest.mark.parametrize("answer", UNPACKED.values(), ids=UNPACKED)
async def test_compressed_bodies(client: RegistryClient, host: Host, answer: Answer) -> None:
    """Every requested encoding is decoded."""
    host.answers = [answer]
    assert (await client.get(host.url, max_bytes=CAP)).body == BODY


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
async def test_an_encoding_that_was_not_offered(
    client: RegistryClient, host: Host, encoding: str
) -> None:
    """Bytes in an unknown encoding are an error."""
    host.answers = [packed(BODY, encoding)]
    with pytest.raises(RegistryUnavailable, match=encoding):
        await client.get(host.url, max_bytes=CAP)
    assert host.asked[0]["Accept-Encoding"] == "gzip"


async def test_a_compressed_body_without_end(client: RegistryClient, host: Host) -> None:
    """Bytes that decompress to nothing are counted, too."""
    host.answers = [packed(gzip.compress(b"") * 5_000)]
    with pytest.raises(ResponseTooLarge):
        await client.get(host.url, max_bytes=CAP)


async def test_a_bomb(client: RegistryClient, host: Host) -> None:
    """A bomb is decompressed only up to the limit."""
    host.answers = [packed(gzip.compress(bytes(CAP * 1000)))]
    with pytest.raises(ResponseTooLarge):
        await client.get(host.url, max_bytes=CAP)
    assert len(host.asked) == 1


async def test_a_response_without_body_is_not_decompressed(
    client: RegistryClient, host: Host
) -> None:
    """A 304 may have the encoding of the document that it does not send."""

    async def unchanged(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=304, headers={"Content-Encoding": "gzip", "ETag": '"a"'})

    host.answers = [unchanged]
    assert (await client.get(host.url, max_bytes=CAP, etag='"a"')).not_modified
