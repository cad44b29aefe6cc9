"""Asking registries: retries, rate limits, size caps, and one place for all that can go wrong.

One ``httpx.AsyncClient`` serves a whole process; a :class:`RegistryClient` is one ecosystem's
view of it, which reaches the hosts of that ecosystem's endpoints and no others.
"""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from urllib.parse import urljoin, urlsplit

import aiohttp
import httpx
import truststore
from httpx_aiohttp import HttpxAiohttpClient
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from ssc_ingest import __version__
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedMetadata,
    RangeNotSatisfiable,
    RateLimited,
    RegistryError,
    RegistryOverloaded,
    RegistryPaused,
    RegistryUnavailable,
    ResourceNotFound,
)
from ssc_ingest.http import decoding
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.document_cache import Document, DocumentCache
from ssc_ingest.http.download import download
from ssc_ingest.http.rate_limit import RateLimiter
from ssc_ingest.http.request_scope import current_scope, keep_answer, kept_answer
from ssc_ingest.http.responses import Download, Response, retry_after
from ssc_ingest.metrics import Metrics
from ssc_ingest.settings import Settings

PROJECT_URL = "https://github.com/securechaindev/securechain-ssc-ingestion"

GONE = frozenset({404, 410, 451})

TRIES = 3
"""Times one request is sent before the failure reaches the task, which has attempts of its own."""

FIRST_PAUSE = 0.5
"""Seconds, at most, between the first try and the second; twice as many after each."""

PAUSE_AFTER = {429: 60.0, 503: 5.0}
"""Seconds that a host is left alone when it names no time; doubled from pause to pause."""

MIN_PAUSE = 1.0
"""Seconds; hosts that name less, such as ``Retry-After: 0``, name nothing."""

CONNECT_TIMEOUT = 10
"""Seconds."""

MAX_REDIRECTS = 5

MAX_PER_HOST = 32
"""Requests of one process that one host sees at the same time."""

MAX_CONNECTIONS = 1000
"""Connections of one process; what matters is how many one host has."""


def user_agent(contact: str) -> str:
    """``SSC-Ingest/<version> (+<project URL>; <contact>)``, as registries ask for."""
    about = f"+{PROJECT_URL}; {contact}" if contact else f"+{PROJECT_URL}"
    return f"SSC-Ingest/{__version__} ({about})"


@asynccontextmanager
async def open_transport(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The process's one HTTP client: keep-alive, the system's trust store.

    Its connections are aiohttp's, which cost a quarter of the processor time of httpx's own.
    Proxies of the environment are used, but never for loopback.
    """
    loopback = ("all://127.0.0.1", "all://localhost", "all://[::1]")
    async with HttpxAiohttpClient(
        verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        headers={
            "User-Agent": user_agent(settings.contact),
            "Accept-Encoding": decoding.ACCEPT_ENCODING,
        },
        timeout=_timeout(settings.http_timeout_default),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
        mounts=dict.fromkeys(loopback),
    ) as transport:
        yield transport


class RegistryClient:
    """One ecosystem's way to its registry."""

    def __init__(
        self,
        transport: httpx.AsyncClient,
        limiter: RateLimiter,
        hosts: Mapping[str, float],
        documents: DocumentCache | None = None,
        *,
        registry: str = "",
        metrics: Metrics | None = None,
    ) -> None:
        """A client of ``hosts``, and of no others.

        Args:
            transport: the process's HTTP client.
            limiter: the fleet's.
            hosts: requests per second, by ``name[:port]``.
            documents: what workers share; without it every extraction reads for itself.
            registry: the ecosystem's name, under which an operator can pause it.
            metrics: where requests and waits are counted.
        """
        self._registry = registry
        self._metrics = metrics or Metrics()
        self._documents = documents
        self._transport = transport
        self._limiter = limiter
        self._hosts = hosts
        self._recovering: set[str] = set()
        """Hosts that have told this process to wait, and nothing else since."""
        self._slots = {host: asyncio.Semaphore(MAX_PER_HOST) for host in hosts}

    @property
    def user_agent(self) -> str:
        """As whom registries are asked."""
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
            max_bytes: cap on the decoded body; counted while it arrives.
            accept: the media type wanted; an HTML page instead of it is an error.
            etag: makes the request conditional; status 304 then comes back without a body.
            byte_range: the part wanted, as in ``Range: bytes=<byte_range>``. The answer then has
                status 206, or 200 and everything where the server knows no parts.

        Raises:
            RangeNotSatisfiable: the document has no such part (416).
            ResourceNotFound: 404, 410, 451.
            RateLimited: 429 or 503, or our own limit for the host; the host is paused.
            RegistryPaused: by an operator.
            RegistryUnavailable: other statuses, time-outs, broken or truncated transfers,
                after :data:`TRIES` tries.
            ResponseTooLarge: more than ``max_bytes``.
            MalformedMetadata: a page where ``accept`` named a document.
        """
        headers = _headers(accept, etag)
        if byte_range:
            headers |= {"Range": f"bytes={byte_range}", "Accept-Encoding": "identity"}
            return await _retrying()(self._get, url, headers, max_bytes)
        question = f"{accept or '*/*'} {url}"
        if kept := kept_answer(question):
            return kept
        answer: Response = await _retrying()(self._get, url, headers, max_bytes)
        keep_answer(question, answer)
        return answer

    def download(
        self, url: str, *, max_bytes: int, accept: str | None = None, etag: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """GET a document that is too large for memory into a private temporary file.

        A transfer that breaks off goes on where it was, if the document is still the same.
        Arguments and errors are those of :meth:`get`.
        """
        return download(self._open, _retrying(), url, _headers(accept, etag), max_bytes)

    async def get_immutable(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str | None = None,
        sha256: str | None = None,
        shared: bool = False,
    ) -> Document:
        """GET content that never changes under its URL; read once even if the work is deferred.

        Args:
            url: on one of the ecosystem's hosts.
            max_bytes: cap on the decoded body.
            accept: as for :meth:`get`.
            sha256: its digest, where it was announced.
            shared: many packages need this document, so all workers keep it.

        Raises:
            DigestMismatch: the content does not have the announced digest.
        """
        scope = current_scope()
        kept = (scope and scope.carryover) or FetchCheckpoint()
        if url in kept.documents:
            if (document := kept.documents[url]) is None:
                raise ResourceNotFound("was not there a moment ago", url=url)
            return document
        if shared and self._documents and (document := await self._documents.get(url)):
            return document
        try:
            answer: Response = await _retrying()(self._get, url, _headers(accept, None), max_bytes)
        except ResourceNotFound:
            kept.keep(url, None)
            raise
        if sha256 and hashlib.sha256(answer.body).hexdigest() != sha256.lower():
            raise DigestMismatch("the content does not have its announced SHA-256", url=url)
        document = Document(answer.body, answer.last_modified)
        if not (shared and self._documents and await self._documents.put(url, document)):
            kept.keep(url, document)
        return document

    async def _get(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Response:
        async with self._open(url, headers) as answer:
            final = str(answer.url)
            body = await decoding.read(answer, final, max_bytes)
            return Response(final, answer.status_code, body, answer.headers)

    @asynccontextmanager
    async def _open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """The answer (200, 206, 304), its body unread; redirects are followed.

        With ``If-Range`` among the headers, 416 is such an answer, too.
        """
        for _ in range(MAX_REDIRECTS + 1):
            async with self._sent(url, headers) as answer:
                if not answer.has_redirect_location:
                    yield answer
                    return
                url = urljoin(url, str(answer.headers["location"]))
        raise RegistryUnavailable(f"more than {MAX_REDIRECTS} redirects", url=url)

    @asynccontextmanager
    async def _sent(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """One request, with the fleet's permission."""
        host = urlsplit(url).netloc
        if host not in self._hosts:
            raise RegistryError(
                f"{host} is not a host of this ecosystem; allowed are: {', '.join(self._hosts)}",
                url=url,
            )
        scope = current_scope()
        permission = await self._limiter.take(
            host,
            rate=self._hosts[host],
            urgent=scope is None or scope.urgent,
            begun=scope is None or scope.begun,
            registry=self._registry,
        )
        if not permission.granted:
            self._metrics.refused(host)
            if permission.held:
                raise RegistryPaused(
                    f"an operator has paused {self._registry}",
                    retry_after=permission.delay,
                    url=url,
                )
            raise RateLimited(
                f"{host} is paused or at its rate limit", retry_after=permission.delay, url=url
            )
        if permission.delay:
            self._metrics.delayed(host, permission.delay)
        await asyncio.sleep(permission.delay)
        if scope:
            scope.requests += 1
        timeout = _timeout(scope.timeout) if scope and scope.timeout else httpx.USE_CLIENT_DEFAULT
        with _translated(url):
            async with (
                self._slots[host],
                self._transport.stream("GET", url, headers=headers, timeout=timeout) as answer,
            ):
                self._metrics.answered(host, answer.status_code)
                if not answer.has_redirect_location:
                    await self._check(answer, host, url, headers)
                yield answer

    async def _check(
        self, answer: httpx.Response, host: str, url: str, headers: Mapping[str, str]
    ) -> None:
        accept = headers.get("Accept")
        status = answer.status_code
        if status in GONE:
            raise ResourceNotFound(f"HTTP {status}", url=url)
        if status in PAUSE_AFTER:
            self._metrics.asked_to_wait(host, status)
            self._recovering.add(host)
            named = retry_after(answer.headers.get("retry-after")) or 0
            paused = await self._limiter.pause(
                host,
                named if named >= MIN_PAUSE else PAUSE_AFTER[status],
                doubling=named < MIN_PAUSE,
            )
            error = RateLimited if status == httpx.codes.TOO_MANY_REQUESTS else RegistryOverloaded
            raise error(f"HTTP {status} from {host}", retry_after=paused, url=url)
        if host in self._recovering and status < httpx.codes.INTERNAL_SERVER_ERROR:
            self._recovering.discard(host)
            await self._limiter.recovered(host)
        if status == httpx.codes.NOT_MODIFIED:
            return
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if "If-Range" in headers:
                return  # a transfer that has all of the document, perhaps
            raise RangeNotSatisfiable("the document has no such part", url=url)
        part = status == httpx.codes.PARTIAL_CONTENT and "Range" in headers
        if status != httpx.codes.OK and not part:
            raise RegistryUnavailable(f"HTTP {status}", url=url, status=status)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        if accept and media_type == "text/html" and "html" not in accept:
            raise MalformedMetadata(f"an HTML page instead of {accept}", url=url)


def _headers(accept: str | None, etag: str | None) -> dict[str, str]:
    wanted = {"Accept": accept, "If-None-Match": etag}
    return {name: value for name, value in wanted.items() if value}


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=CONNECT_TIMEOUT)


def _retrying() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(RegistryUnavailable),
        stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=5),
        reraise=True,
    )


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Errors of httpx and of aiohttp become ours; all of them may be gone at the next try."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise MalformedMetadata(f"not a URL: {error}", url=url) from error
    except httpx.TimeoutException as error:
        raise RegistryUnavailable(f"no answer in time ({type(error).__name__})", url=url) from error
    except (httpx.HTTPError, aiohttp.ClientError) as error:  # not all of these are translated
        reason = str(error) or type(error).__name__
        raise RegistryUnavailable(reason, url=url) from error
