"""Downloads from a server that breaks transfers.

An incomplete response is never taken for a document.
"""

import asyncio
import gzip
import re

import pytest
from aiohttp import web

from ssc_ingest.errors import (
    MalformedMetadata,
    RateLimited,
    RegistryUnavailable,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.client import TRIES, RegistryClient
from tests.integration.test_http_bodies.host import (
    BODY,
    CAP,
    OTHER,
    Answer,
    Host,
    broken,
    chunked,
    downloaded,
    packed,
    whole,
)
from tests.simulator.delivery import abort
from tests.simulator.ecosystem import Document


async def test_a_download(client: RegistryClient, host: Host) -> None:
    """The whole document, with the file at its start, and the headers."""
    host.answers = [whole()]
    async with client.download(host.url, max_bytes=CAP) as document:
        assert document.file.read() == BODY
        assert (document.size, document.not_modified) == (len(BODY), False)
        assert document.headers["ETag"]
    assert document.file.closed
    assert host.ranges == [None]


async def test_a_download_of_an_unchanged_document(client: RegistryClient, host: Host) -> None:
    """With its validator, an unchanged document is an empty file."""
    host.answers = [whole()]
    async with client.download(host.url, max_bytes=CAP) as document:
        etag = document.headers["etag"]
    async with client.download(host.url, max_bytes=CAP, etag=etag) as document:
        assert document.not_modified
        assert (document.file.read(), document.size) == (b"", 0)
    host.answers = [whole(OTHER)]
    async with downloaded(client, host, etag=etag) as body:
        assert body == OTHER


async def test_a_download_continues(client: RegistryClient, host: Host) -> None:
    """Bytes that arrived before the connection broke are not requested again."""
    host.answers = [broken(0.5), broken(0.5), whole()]
    async with downloaded(client, host) as body:
        assert body == BODY
    starts = [int(re.findall(r"\d+", wanted)[0]) for wanted in host.ranges if wanted]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(BODY)
    etag = Document.tagged(BODY).etag
    assert [asked.get("If-Range") for asked in host.asked] == [None, etag, etag]


def unfinished(body: bytes = BODY) -> Answer:
    """All bytes of the document, then a reset instead of the end."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        sent = web.StreamResponse(headers={"ETag": str(Document.tagged(body).etag)})
        sent.enable_chunked_encoding()
        await sent.prepare(request)
        await sent.write(body)
        await asyncio.sleep(0.2)  # so that the client has read them
        abort(request)
        return sent

    return answer


def no_rest(size: int) -> Answer:
    """A 416: the range starts at the document's end."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=416, text="<p>no", headers={"Content-Range": f"bytes */{size}"})

    return answer


async def test_a_download_of_which_nothing_is_missing(client: RegistryClient, host: Host) -> None:
    """A 416 for the rest means that the document was complete."""
    host.answers = [unfinished(), no_rest(len(BODY)), whole()]
    async with downloaded(client, host, accept="application/json") as body:
        assert body == BODY
    assert host.ranges == [None, f"bytes={len(BODY)}-"]


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1])
async def test_a_rest_that_is_refused(client: RegistryClient, host: Host, size: int) -> None:
    """A 416 with another size concerns another document, so the download restarts."""
    host.answers = [unfinished(), no_rest(size), whole(OTHER)]
    async with downloaded(client, host) as body:
        assert body == OTHER
    assert host.ranges == [None, f"bytes={len(BODY)}-", None]


async def test_a_download_of_a_changed_document(client: RegistryClient, host: Host) -> None:
    """If the document changes in between, the download restarts: parts are never mixed."""
    host.answers = [broken(0.5), whole(OTHER)]
    async with downloaded(client, host) as body:
        assert body == OTHER
    host.asked.clear()
    host.answers = [broken(0.5), broken(0.9, OTHER), whole(OTHER)]
    async with downloaded(client, host) as body:
        assert body == OTHER
    assert host.asked[2]["If-Range"] == Document.tagged(OTHER).etag


async def test_a_download_without_ranges(client: RegistryClient, host: Host) -> None:
    """A server without ranges sends everything again."""
    host.answers = [broken(0.5), whole(ranges=False)]
    async with downloaded(client, host) as body:
        assert body == BODY


@pytest.mark.parametrize("etag", ['W/"weak"', "unquoted"])
async def test_a_download_without_a_strong_validator(
    client: RegistryClient, host: Host, etag: str
) -> None:
    """The rest may belong to other bytes, so the download restarts."""
    host.answers = [broken(0.5, etag=etag), whole()]
    async with downloaded(client, host) as body:
        assert body == BODY
    assert host.ranges == [None, None]


async def test_a_wrong_part_of_a_download(client: RegistryClient, host: Host) -> None:
    """A part that begins elsewhere is not appended."""

    async def wrong(request: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Range": f"bytes 7-{len(BODY) - 1}/{len(BODY)}"}
        return web.Response(status=206, body=BODY[7:], headers=headers)

    host.answers = [broken(0.5), wrong]
    with pytest.raises(RegistryUnavailable):
        async with downloaded(client, host):
            pass


async def test_a_download_that_always_breaks(client: RegistryClient, host: Host) -> None:
    """After some tries it is an error, and no file is left."""
    host.answers = [broken(0.5)]
    with pytest.raises(RegistryUnavailable):
        async with downloaded(client, host):
            pass
    assert len(host.asked) == TRIES


@pytest.mark.parametrize(
    "answer",
    [whole(bytes(CAP + 1)), chunked(bytes(CAP + 1)), packed(gzip.compress(bytes(CAP * 100)))],
    ids=["announced", "not announced", "packed"],
)
async def test_a_download_above_the_cap(client: RegistryClient, host: Host, answer: Answer) -> None:
    """A download above the limit is not read to its end, and not repeated."""
    host.answers = [answer]
    with pytest.raises(ResponseTooLarge):
        async with downloaded(client, host):
            pass
    assert len(host.asked) == 1


async def test_a_rest_above_the_cap(client: RegistryClient, host: Host) -> None:
    """Bytes of earlier tries count."""
    large = bytes(CAP - 1)

    async def more(request: web.BaseRequest) -> web.StreamResponse:
        start = int(re.findall(r"\d+", request.headers["Range"])[0])
        end = start + CAP
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{end}"}
        return web.Response(status=206, body=bytes(CAP), headers=headers)

    host.answers = [broken(0.5, large), more]
    with pytest.raises(ResponseTooLarge):
        async with downloaded(client, host):
            pass


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, ResourceNotFound),
        (410, ResourceNotFound),
        (500, RegistryUnavailable),
        (503, RateLimited),
    ],
)
async def test_downloads_that_are_refused(
    client: RegistryClient, host: Host, status: int, error: type[Exception]
) -> None:
    """Refused downloads raise the same errors as other requests."""
    host.answers = [whole(b"no", status=status)]
    with pytest.raises(error):
        async with downloaded(client, host):
            pass


async def test_an_error_page_is_no_download(client: RegistryClient, host: Host) -> None:
    """An error page with status 200 is not stored."""
    host.answers = [chunked(b"<html></html>", Content_Type="text/html")]
    with pytest.raises(MalformedMetadata):
        async with downloaded(client, host, accept="application/json"):
            pass


async def test_a_compressed_download(client: RegistryClient, host: Host) -> None:
    """A compressed download is decompressed.

    After a break it restarts, because ranges do not match.
    """
    host.answers = [
        broken(0.5, gzip.compress(BODY), **{"Content-Encoding": "gzip"}),
        packed(gzip.compress(BODY)),
    ]
    async with downloaded(client, host) as body:
        assert body == BODY
    assert host.ranges == [None, None]
