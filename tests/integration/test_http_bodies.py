"""Large, partial and compressed documents, from a server that breaks transfers.

An incomplete response is never taken for a document.
"""

import asyncio
import gzip
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from ssc_ingest.errors import (
    MalformedMetadata,
    RangeNotSatisfiable,
    RateLimited,
    RegistryUnavailable,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.client import TRIES, RegistryClient, open_transport
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.simulator.delivery import abort, part, response
from tests.simulator.ecosystem import Document

KILOBYTE = 1024
CAP = 64 * KILOBYTE

BODY = random.Random(7).randbytes(20 * KILOBYTE).hex().encode()
OTHER = random.Random(8).randbytes(20 * KILOBYTE).hex().encode()

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Host:
    """Sends responses in turn, repeats the last one for ever, records request headers."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to one request."""
        self.asked.append(dict(request.headers))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return await answer(request)

    @property
    def ranges(self) -> list[str | None]:
        """The range of each request."""
        return [headers.get("Range") for headers in self.asked]


def whole(body: bytes = BODY, *, ranges: bool = True, status: int = 200) -> Answer:
    """The document, or the requested part, with a strong validator."""
    document = Document.tagged(body, "application/octet-stream")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        found = Document(body, document.media_type, status, etag=document.etag, ranges=ranges)
        if request.headers.get("If-None-Match") == document.etag:
            return web.Response(status=304, headers={"ETag": str(document.etag)})
        return response(part(found, request.headers))

    return answer


def broken(keep: float, body: bytes = BODY, etag: str | None = None, **headers: str) -> Answer:
    """The headers and a share of the requested body; then the connection is reset."""
    document = Document.tagged(body)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        found = part(Document(body, etag=etag or document.etag, ranges=True), request.headers)
        sent = web.StreamResponse(status=found.status, headers={**found.headers, **headers})
        sent.headers["ETag"] = str(found.etag)
        sent.content_length = len(found.body)
        await sent.prepare(request)
        await sent.write(found.body[: int(len(found.body) * keep)])
        abort(request)
        return sent

    return answer


def chunked(body: bytes, **headers: str) -> Answer:
    """A complete response of unknown length."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        sent = web.StreamResponse(headers={k.replace("_", "-"): v for k, v in headers.items()})
        sent.enable_chunked_encoding()
        await sent.prepare(request)
        for start in range(0, len(body), 4 * KILOBYTE):
            await sent.write(body[start : start + 4 * KILOBYTE])
        await sent.write_eof()
        return sent

    return answer


def packed(body: bytes, encoding: str = "gzip") -> Answer:
    """A complete response whose body is declared as compressed."""
    return chunked(body, Content_Encoding=encoding, ETag='"packed"')


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


@asynccontextmanager
async def downloaded(client: RegistryClient, host: Host, **arguments: str) -> AsyncIterator[bytes]:
    """The contents of the file."""
    async with client.download(host.url, max_bytes=CAP, **arguments) as document:
        body = document.file.read()
        assert document.size == len(body)
        assert not document.not_modified
        yield body


# Downloads ------------------------------------------------------------------------------------


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


# Packed bodies --------------------------------------------------------------------------------

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


async def test_an_unrequested_part(client: RegistryClient, host: Host) -> None:
    """A part is not treated as the whole."""
    host.answers = [whole(BODY[:100], status=206)]
    with pytest.raises(RegistryUnavailable):
        await client.get(host.url, max_bytes=CAP)


# Parts ----------------------------------------------------------------------------------------


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
