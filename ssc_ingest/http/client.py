"""Requests to registries: retries, rate limits, size limits, and all conversion of errors.

One :class:`.Transport` serves a whole process. A :class:`RegistryClient` uses it for one ecosystem
and sends requests only to the hosts of that ecosystem's endpoints.
"""

import asyncio
import hashlib
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import ParamSpec, TypeVar
from urllib.parse import urljoin

import truststore

from ssc_ingest import __version__
from ssc_ingest.errors import (
    DigestMismatch,
    DocumentOverloaded,
    MalformedMetadata,
    RangeNotSatisfiable,
    RegistryError,
    RegistryUnavailable,
    ResourceForbidden,
    ResourceNotFound,
)
from ssc_ingest.http import decoding
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.document_cache import Document, DocumentCache
from ssc_ingest.http.download import download
from ssc_ingest.http.failures import RequestFailed
from ssc_ingest.http.host_guard import HostGuard
from ssc_ingest.http.rate_limit import RateLimiter
from ssc_ingest.http.request_scope import current_scope, store_response, stored_response
from ssc_ingest.http.responses import Download, Response
from ssc_ingest.http.transport import LOOPBACK, Answer, Transport, origin
from ssc_ingest.metrics import Metrics
from ssc_ingest.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

PROJECT_URL = "https://github.com/securechaindev/securechain-ssc-ingestion"

GONE = frozenset({404, 410, 451})

TRIES = 3
"""Maximum number of times that a request is sent; then its task fails, which has its own
attempts."""

BRIEF = (RegistryUnavailable, DocumentOverloaded)
"""The errors that may be gone a moment later."""

FIRST_PAUSE = 0.5
"""Maximum seconds between the first two tries; doubled after each try."""

MAX_REDIRECTS = 5

MAX_PER_HOST = 32
"""Maximum concurrent requests of one process to one host."""


def user_agent(contact: str) -> str:
    """``SSC-Ingest/<version> (+<project URL>; <contact>)``, as registries request."""
    about = f"+{PROJECT_URL}; {contact}" if contact else f"+{PROJECT_URL}"
    return f"SSC-Ingest/{__version__} ({about})"


@asynccontextmanager
async def open_transport(
    settings: Settings, trusted: Iterable[str] = LOOPBACK
) -> AsyncIterator[Transport]:
    """The transport of a process: keep-alive, the system's trust store.

    Args:
        settings: the contact and the time-out.
        trusted: hosts of base URLs, which may resolve to any address; all others must resolve to
            global addresses.
    """
    async with Transport(
        truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        headers={
            "User-Agent": user_agent(settings.contact),
            "Accept-Encoding": decoding.ACCEPT_ENCODING,
        },
        timeout=settings.http_timeout_default,
        trusted=frozenset(host.lower() for host in trusted),
    ) as transport:
        yield transport


class RegistryClient:
    """The client of one ecosystem for its registry."""

    def __init__(
        self,
        transport: Transport,
        limiter: RateLimiter,
        hosts: Mapping[str, float],
        documents: DocumentCache | None = None,
        *,
        registry: str = "",
        metrics: Metrics | None = None,
    ) -> None:
        """A client for ``hosts`` only.

        Args:
            transport: the process's.
            limiter: the fleet's rate limiter.
            hosts: maximum requests a second, by ``name[:port]``.
            documents: the cache of documents that workers share; without it none are shared.
            registry: the ecosystem's name, which operators use to pause it.
            metrics: counts requests and waits.
        """
        self._registry = registry
        self._metrics = metrics or Metrics()
        self._documents = documents
        self._transport = transport
        self._guard = HostGuard(limiter, self._metrics)
        self._hosts = hosts
        self._slots = {host: asyncio.Semaphore(MAX_PER_HOST) for host in hosts}

    @property
    def user_agent(self) -> str:
        """The User-Agent of requests to registries."""
        return str(self._transport.headers["User-Agent"])

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str | None = None,
        etag: str | None = None,
        byte_range: str | None = None,
    ) -> Response:
        """GET a document.

        Args:
            url: on one of the ecosystem's hosts.
            max_bytes: limit of the decoded body, checked while it arrives.
            accept: the requested media type; an HTML page instead of it is an error.
            etag: makes the request conditional; a response with status 304 has no body.
            byte_range: the requested part, as in ``Range: bytes=<byte_range>``. The response has
                status 206, or 200 with the whole document if the server does not support ranges.

        Raises:
            RangeNotSatisfiable: the document has no such part (416).
            ResourceNotFound: 404, 410, 451.
            ResourceForbidden: 403.
            RateLimited: 429, or several 403 in a row; the host is paused.
            AwaitsTurn: our rate limit for the host is reached.
            RegistryOverloaded: 503; the host is paused.
            DocumentOverloaded: 503 for this document, after :data:`TRIES` tries.
            RegistryUnreachable: no connection, or several time-outs in a row; the host is paused
                and tested with one request at a time.
            RegistryPaused: an operator has paused the registry.
            RegistryUnavailable: other statuses, time-outs, broken or truncated transfers, after
                :data:`TRIES` tries.
            ResponseTooLarge: more than ``max_bytes``.
            MalformedMetadata: an HTML page instead of the media type in ``accept``.
        """
        headers = _headers(accept, etag)
        if byte_range:
            headers |= {"Range": f"bytes={byte_range}", "Accept-Encoding": "identity"}
            return await _with_retries(self._get, url, headers, max_bytes)
        question = f"{accept or '*/*'} {url}"
        if kept := stored_response(question):
            return kept
        answer = await _with_retries(self._get, url, headers, max_bytes)
        store_response(question, answer)
        return answer

    def download(
        self, url: str, *, max_bytes: int, accept: str | None = None, etag: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """GET a document that is too large for memory into a private temporary file.

        A broken transfer is resumed if the document has not changed.
        Arguments and errors are those of :meth:`get`.
        """
        return download(self._open, _with_retries, url, _headers(accept, etag), max_bytes)

    async def get_immutable(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str | None = None,
        sha256: str | None = None,
        shared: bool = False,
        reduce: Callable[[bytes], bytes] = bytes,
    ) -> Document:
        """GET immutable content; a delayed extraction does not request it again.

        Args:
            url: on one of the ecosystem's hosts.
            max_bytes: limit of the decoded body.
            accept: as for :meth:`get`.
            sha256: its digest, if announced.
            shared: many packages use this document, so all workers cache it.
            reduce: removes what the caller does not read, before the document is kept.

        Raises:
            DigestMismatch: the content does not have the announced digest.
        """
        scope = current_scope()
        kept = (scope and scope.checkpoint) or FetchCheckpoint()
        if url in kept.documents:
            if (document := kept.documents[url]) is None:
                raise ResourceNotFound("was missing a moment ago", url=url)
            return document
        if shared and self._documents and (document := await self._documents.get(url)):
            return document
        try:
            answer = await _with_retries(self._get, url, _headers(accept, None), max_bytes)
        except ResourceNotFound:
            kept.keep(url, None)
            raise
        if sha256 and hashlib.sha256(answer.body).hexdigest() != sha256.lower():
            raise DigestMismatch("the content does not have its announced SHA-256", url=url)
        document = Document(reduce(answer.body), answer.last_modified)
        if shared and self._documents and await self._documents.put(url, document):
            kept.has_grown = True
        else:
            kept.keep(url, document)
        return document

    async def _get(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Response:
        async with self._open(url, headers) as answer:
            body = await decoding.read(answer, answer.url, max_bytes)
            return Response(answer.url, answer.status, body, answer.headers)

    @asynccontextmanager
    async def _open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """The response (200, 206, 304) with an unread body; follows redirects.

        With an ``If-Range`` header, status 416 is also returned.
        """
        for _ in range(MAX_REDIRECTS + 1):
            async with self._sent(url, headers) as answer:
                if answer.redirect is None:
                    yield answer
                    return
                url = _joined(url, answer.redirect)
        raise RegistryUnavailable(f"more than {MAX_REDIRECTS} redirects", url=url)

    @asynccontextmanager
    async def _sent(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """Send one request when the rate limiter permits it."""
        _, host, _ = origin(url)
        if host not in self._hosts:
            raise RegistryError(
                f"{host} is not a host of this ecosystem; allowed are: {', '.join(self._hosts)}",
                url=url,
            )
        permission = await self._guard.permission(host, self._hosts[host], self._registry, url)
        timeout = None
        if scope := current_scope():
            await scope.count_request()
            timeout = scope.timeout
        answered = False
        try:
            async with (
                self._slots[host],
                self._transport.send("GET", url, headers=headers, timeout=timeout) as answer,
            ):
                answered = True
                self._metrics.answered(host, answer.status)
                await self._guard.check_answer(answer, host, url, permission)
                if answer.redirect is None:
                    _check_document(answer, host, url, headers)
                yield answer
        except RequestFailed as error:
            if not answered:
                await self._guard.check_failure(error.failure, host, url, permission)
            raise


def _joined(url: str, location: str) -> str:
    """The address that a redirect names."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise MalformedMetadata(f"redirects to what is not a URL: {error}", url=url) from error


def _check_document(answer: Answer, host: str, url: str, headers: Mapping[str, str]) -> None:
    """Check that this is the document, or "not modified".

    Raises:
        RegistryError: the status or content type says otherwise.
    """
    accept = headers.get("Accept")
    status = answer.status
    if status in GONE:
        raise ResourceNotFound(f"HTTP {status}", url=url)
    if status == HTTPStatus.FORBIDDEN:
        raise ResourceForbidden(f"{host} refuses this document (HTTP 403)", url=url)
    if status == HTTPStatus.NOT_MODIFIED:
        return
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        if "If-Range" in headers:
            return  # perhaps the transfer is already complete
        raise RangeNotSatisfiable("the document has no such part", url=url)
    part = status == HTTPStatus.PARTIAL_CONTENT and "Range" in headers
    if status != HTTPStatus.OK and not part:
        raise RegistryUnavailable(f"HTTP {status} from {host}", url=url, status=status)
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    if accept and media_type == "text/html" and "html" not in accept:
        raise MalformedMetadata(f"an HTML page instead of {accept}", url=url)


def _headers(accept: str | None, etag: str | None) -> dict[str, str]:
    wanted = {"Accept": accept, "If-None-Match": etag}
    return {name: value for name, value in wanted.items() if value}


async def _with_retries(
    function: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs
) -> T:
    """Call a function again after a failure that may be brief, after random pauses.

    Most requests succeed at once, so a loop is all that a success costs.
    """
    for pauses in range(TRIES - 1):
        try:
            return await function(*arguments, **named)
        except BRIEF:
            await asyncio.sleep(random.uniform(0, FIRST_PAUSE * 2**pauses))  # noqa: S311
    return await function(*arguments, **named)
