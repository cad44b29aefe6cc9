"""A server that sends large, partial, compressed and broken documents."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from ssc_ingest.http.client import RegistryClient
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


@asynccontextmanager
async def downloaded(client: RegistryClient, host: Host, **arguments: str) -> AsyncIterator[bytes]:
    """The contents of the file."""
    async with client.download(host.url, max_bytes=CAP, **arguments) as document:
        body = document.file.read()
        assert document.size == len(body)
        assert not document.not_modified
        yield body
