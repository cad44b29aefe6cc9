"""Sends a response, or a fault, on the socket of a request."""

import asyncio
import gzip
import re
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import orjson
from aiohttp import web

from tests.simulator.ecosystem import Document
from tests.simulator.faults import Fault
from tests.simulator.weight import heavier

MEGABYTE = 1024 * 1024
PADDING = b" " * (64 * 1024)

ERROR_PAGE = Document(
    b"<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry</h1>"
    b"<p>Something went wrong. Our engineers have been told.</p></body></html>\n",
    "text/html; charset=UTF-8",
)

Make = Callable[[], Document]
"""Makes the true answer to the request."""


def conditional(document: Document, headers: Mapping[str, str]) -> Document:
    """304 if the client already has this document (RFC 9110, 13.1.2: weak comparison)."""
    wanted = headers.get("If-None-Match")
    if wanted is None or document.etag is None:
        return document
    tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
    if document.etag not in tags and "*" not in tags:
        return document
    return Document(b"", document.media_type, 304, document.headers, document.etag)


def part(document: Document, headers: Mapping[str, str]) -> Document:
    """The requested part, if the document has parts (RFC 9110, 14: one range).

    If a condition no longer holds (``If-Range``), the whole document. The body is in memory.
    """
    whole = document.whole()
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").replace(" ", ""))
    if not document.ranges or whole.status != web.HTTPOk.status_code:
        return whole
    whole = replace(whole, headers={**whole.headers, "Accept-Ranges": "bytes"})
    if (
        wanted is None
        or wanted[0] == "bytes=-"
        or headers.get("If-Range", whole.etag) != whole.etag
    ):
        return whole
    size = len(whole.body)
    first, last = int(wanted[1] or max(0, size - int(wanted[2] or 0))), size - 1
    if wanted[1] and wanted[2]:
        last = min(last, int(wanted[2]))
    if first > last:
        found = {**whole.headers, "Content-Range": f"bytes */{size}"}
        return replace(whole, body=b"", status=416, headers=found, etag=None)
    found = {**whole.headers, "Content-Range": f"bytes {first}-{last}/{size}"}
    return replace(whole, body=whole.body[first : last + 1], status=206, headers=found)


async def deliver(request: web.BaseRequest, document: Document) -> web.StreamResponse:
    """Respond with the document, a part of it, or 304."""
    document = conditional(document, request.headers)
    if document.pieces is None or document.ranges or request.method == "HEAD":
        return response(part(document, request.headers))
    answer = await _begin(request, document, None)
    for piece in document.pieces():
        await answer.write(piece)
        await asyncio.sleep(0)
    await answer.write_eof()
    return answer


def response(document: Document) -> web.Response:
    """The document as an HTTP answer."""
    headers = {"Content-Type": document.media_type, **document.headers}
    if document.etag is not None:
        headers["ETag"] = document.etag
    body = document.body
    if document.gzipped and body:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, 1, mtime=0)
    return web.Response(body=body, status=document.status, headers=headers)


async def fail(request: web.BaseRequest, fault: Fault, make: Make) -> web.StreamResponse:
    """Respond with the fault."""
    if send := BY_HAND.get(fault.kind):
        return await send(request, fault, make())
    if fault.kind == "stall":
        await asyncio.sleep(fault.seconds)
        return response(make())
    if fault.kind == "heavy":
        true = make()
        body = heavier(true.body, int(fault.megabytes * MEGABYTE))
        return response(replace(true, body=body, etag=None))
    return response(_replacement(request, fault, make))


def _replacement(request: web.BaseRequest, fault: Fault, make: Make) -> Document:
    """Faults that are complete HTTP answers."""
    status = fault.status or 200
    match fault.kind:
        case "status":
            headers = dict(fault.headers)
            if fault.retry_after is not None:
                headers["Retry-After"] = fault.retry_after
            return Document(fault.payload or b"", "text/plain", fault.status or 503, headers)
        case "redirect":
            location = fault.location or request.path_qs
            return Document(b"", "text/html", fault.status or 302, {"Location": location})
        case "html":
            return ERROR_PAGE
        case "empty":
            return Document(b"", make().media_type, status)
        case "body":
            body = fault.payload or b""
            media_type = fault.media_type or make().media_type
            return Document(body, media_type, status, fault.headers)
    true = make()
    match fault.kind:
        case "media-type":
            body, media_type = true.body, fault.media_type or "application/octet-stream"
        case "not-json":
            media_type = true.media_type
            body = true.body[: int(len(true.body) * fault.keep)] + b"\nupstream closed\x00"
        case "wrong-types":
            body, media_type = _each_object(true.body, fault.keys, _other_type), true.media_type
        case _:
            body, media_type = _each_object(true.body, fault.keys, None), true.media_type
    return Document(body, media_type, true.status, true.headers)


def _each_object(body: bytes, keys: list[str], change: Callable[[Any], Any] | None) -> bytes:
    """Change or remove fields of a JSON document or of JSON lines; ``a.b`` is ``b`` in ``a``.

    In a list, fields of each element. Text that is not JSON becomes bytes that are not text.
    """
    lines = [body] if body.count(b"\n") < 2 else body.rstrip(b"\n").split(b"\n")
    try:
        documents = [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError:
        return b"\xff\xfe\x00" + body[::-1]
    for document in chain.from_iterable(d if isinstance(d, list) else [d] for d in documents):
        for key in keys or list(document):
            *path, last = key.split(".")
            place = document
            for step in path:
                place = place.get(step, {})
            if last in place:
                if change is None:
                    del place[last]
                else:
                    place[last] = change(place[last])
    return b"\n".join(orjson.dumps(document) for document in documents)


def _other_type(value: Any) -> Any:
    """A value of another type."""
    match value:
        case dict():
            return ["unexpected"]
        case list():
            return "unexpected"
        case str():
            return 17
    return {"unexpected": True}


async def _begin(
    request: web.BaseRequest, document: Document, length: int | None, **headers: str
) -> web.StreamResponse:
    """Send only the head. A ``length`` of None is chunked."""
    if document.etag is not None:
        headers["ETag"] = document.etag
    answer = web.StreamResponse(
        status=document.status,
        headers={"Content-Type": document.media_type, **document.headers, **headers},
    )
    if length is not None:
        answer.content_length = length
    await answer.prepare(request)
    return answer


def abort(request: web.BaseRequest) -> None:
    """Reset the connection: the client gets RST, not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _reset(request: web.BaseRequest, fault: Fault, document: Document) -> web.StreamResponse:
    answer: web.StreamResponse = web.Response()
    if fault.at == "body":
        answer = await _begin(request, document, len(document.body) + 1)
        await answer.write(document.body[: int(len(document.body) * fault.keep)])
    abort(request)
    return answer


async def _truncate(
    request: web.BaseRequest, fault: Fault, document: Document
) -> web.StreamResponse:
    length = len(document.body)
    answer = await _begin(request, document, max(length, 1))
    await answer.write(document.body[: min(int(length * fault.keep), length - 1)])
    if request.transport is not None:
        request.transport.close()
    return answer


async def _slow(request: web.BaseRequest, fault: Fault, document: Document) -> web.StreamResponse:
    body, pieces = document.body, 10
    size = max(1, -(-len(body) // pieces))
    answer = await _begin(request, document, len(body))
    for start in range(0, len(body), size):
        await answer.write(body[start : start + size])
        await asyncio.sleep(fault.seconds / pieces)
    await answer.write_eof()
    return answer


async def _oversized(
    request: web.BaseRequest, fault: Fault, document: Document
) -> web.StreamResponse:
    padding = int(fault.megabytes * MEGABYTE)
    if fault.kind == "bomb":
        answer = await _begin(request, document, None, **{"Content-Encoding": "gzip"})
        pieces = _compressed(padding, document.body)
    else:
        length = None if fault.chunked else padding + len(document.body)
        answer = await _begin(request, document, length)
        pieces = _padded(padding, document.body)
    async for piece in pieces:
        await answer.write(piece)
    await answer.write_eof()
    return answer


async def _padded(padding: int, body: bytes) -> AsyncIterator[bytes]:
    while padding > 0:
        yield PADDING[:padding]
        padding -= len(PADDING)
    yield body


async def _compressed(padding: int, body: bytes) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    async for piece in _padded(padding, body):
        if squeezed := packer.compress(piece):
            yield squeezed
        await asyncio.sleep(0)
    yield packer.flush()


Send = Callable[[web.BaseRequest, Fault, Document], Awaitable[web.StreamResponse]]

BY_HAND: Mapping[str, Send] = {
    "reset": _reset,
    "truncate": _truncate,
    "slow": _slow,
    "oversized": _oversized,
    "bomb": _oversized,
}
"""Faults that do more to the socket than sending one whole answer."""
