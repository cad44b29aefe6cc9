"""A web server on loopback with responses set by a test."""

import gzip
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web

from ssc_ingest.ecosystems.endpoints import load_endpoints
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.settings import Settings
from tests.contract.fetching import AnyEcosystem
from tests.limiters import open_limiter


@dataclass(frozen=True)
class Answer:
    """A response; ``promised`` bytes are announced if more than the body has."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    promised: int = 0
    ranges: bool = False
    """Whether parts are served on request."""


@dataclass
class Loopback:
    """Documents by path (with its query, if it matters), and the number of requests by path.

    Documents with status 200 have an ETag each.
    """

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    gone: Answer = Answer(b"not found", 404, "text/plain")

    def serve(self, path: str, body: str | bytes, **fields: object) -> None:
        """Answer requests for the path with this body."""
        content = body.encode() if isinstance(body, str) else body
        self.answers[path] = replace(Answer(content), **fields)  # type: ignore[arg-type]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.asked[request.path] += 1
        answer = self.answers.get(request.path_qs) or self.answers.get(request.path, self.gone)
        headers = {"Content-Type": answer.media_type, **answer.headers}
        if answer.status == 200:
            headers["ETag"] = f'"{hashlib.md5(answer.body, usedforsecurity=False).hexdigest()}"'
            if request.headers.get("If-None-Match") == headers["ETag"]:
                return web.Response(status=304, headers=headers)
        if answer.ranges and "Range" in request.headers:
            start, stop, _ = request.http_range.indices(len(answer.body))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(answer.body)}"
            return web.Response(status=206, body=answer.body[start:stop], headers=headers)
        if not answer.promised:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        headers["Content-Length"] = str(answer.promised)
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        await response.write(answer.body)
        assert request.transport
        request.transport.close()
        return response


def packed(megabytes: int) -> bytes:
    """This number of megabytes of blanks, compressed with gzip."""
    return gzip.compress(b" " * (megabytes * 1024 * 1024), compresslevel=1)


@asynccontextmanager
async def loopback() -> AsyncIterator[Loopback]:
    """A running server without documents."""
    server = Loopback("")
    runner = web.ServerRunner(web.Server(server.answer))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def reading(
    cls: type[AnyEcosystem],
    settings: Settings,
    redis_url: str,
    **urls: str,
) -> AsyncIterator[AnyEcosystem]:
    """The ecosystem, with these base URLs by endpoint."""
    with pytest.MonkeyPatch.context() as environment:
        for key, url in urls.items():
            environment.setenv(f"{cls.identity.name}_{key}_url".upper(), url)
        endpoints = load_endpoints(cls.identity.name, cls.identity.endpoints, None)
    async with open_limiter(redis_url) as limiter, open_transport(settings) as http:
        yield cls(RegistryClient(http, limiter, endpoints.hosts), endpoints)
