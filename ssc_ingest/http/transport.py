"""The HTTP transport of a process: aiohttp, with guarded addresses and one kind of error.

Nothing else in the program knows aiohttp's client. It follows no redirects, sends no cookies and
decodes no bodies; :mod:`.client` and :mod:`.decoding` do what registries need of that.
"""

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver

from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.http.addresses import AddressForbidden, GuardedResolver, check_numeric
from ssc_ingest.http.failures import RequestFailed, explain
from ssc_ingest.http.responses import Headers

CONNECT_TIMEOUT = 10
"""Seconds."""

MAX_CONNECTIONS = 1000
"""Maximum connections of one process; the limit per host is stricter."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")

_PLAIN_ORIGIN = re.compile(r"https?://[a-z0-9.:-]+(?=[/?#]|\Z)")
"""The beginning of nearly every URL: all that decides about its origin."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Answer:
    """A response whose body is not read yet."""

    def __init__(self, url: str, response: aiohttp.ClientResponse) -> None:
        self.url = url
        """The requested one."""
        self.status = response.status
        self.headers = Headers((_text(name), _text(value)) for name, value in response.raw_headers)
        self._content = response.content

    @property
    def redirect(self) -> str | None:
        """The address to which the server redirects."""
        return self.headers.get("location") if self.status in _REDIRECTS else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives: not decoded, and not limited."""
        while chunk := await self._content.readany():
            yield chunk


class Transport:
    """Sends requests over persistent connections.

    Uses the proxies of the environment, except for loopback addresses. A proxy resolves names
    itself, so it decides what may be reached through it.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        headers: Mapping[str, str],
        timeout: float,
        trusted: AbstractSet[str],
    ) -> None:
        """Open it with ``async with``.

        Args:
            context: verifies certificates.
            headers: of every request.
            timeout: seconds without data until a request fails.
            trusted: host names and numeric addresses in lower case that may be inside the
                operator's network; all others must be global.
        """
        self.headers = headers
        self._context = context
        self._timeout = timeout
        self._trusted = trusted
        self._proxies = getproxies()
        self._proxy_of: dict[tuple[str, str], _Proxy | None] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._direct = await self._session(GuardedResolver(self._trusted))
        self._proxied = await self._session(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - of each read, not of the whole
    ) -> AsyncIterator[Answer]:
        """Send a request; its connection is released at the end of the block.

        Raises:
            RequestFailed: no response, or its body broke off inside the block.
            MalformedMetadata: this is not a URL.
        """
        scheme, netloc, host = origin(url)
        try:
            session, proxy = self._direct, self._proxy(scheme, netloc, host)
            if proxy:
                session = self._proxied
                if scheme == "http":  # otherwise they are for the tunnel
                    headers = {**(headers or {}), **proxy.headers}
            elif host not in self._trusted:
                check_numeric(host)
            async with session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                timeout=_timeout(timeout or self._timeout),
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
            ) as response:
                yield Answer(url, response)
        except aiohttp.InvalidURL as error:
            raise MalformedMetadata(f"not a URL: {error}", url=url) from error
        except (aiohttp.ClientError, AddressForbidden) as error:
            raise RequestFailed(explain(error, netloc), url=url) from error

    async def _session(self, resolver: AbstractResolver | None) -> aiohttp.ClientSession:
        if resolver:
            self._stack.push_async_callback(resolver.close)
        connector = aiohttp.TCPConnector(
            ssl=self._context, limit=MAX_CONNECTIONS, resolver=resolver
        )
        return await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                headers=self.headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        )

    def _proxy(self, scheme: str, netloc: str, host: str) -> "_Proxy | None":
        """The proxy for an origin, decided once."""
        if not self._proxies or host in LOOPBACK:
            return None
        key = (scheme, netloc)
        if key not in self._proxy_of:
            address = self._proxies.get(scheme) or self._proxies.get("all")
            is_used = address and not proxy_bypass(netloc.rpartition("@")[2])
            self._proxy_of[key] = _Proxy.at(address) if address and is_used else None
        return self._proxy_of[key]


@dataclass(frozen=True, slots=True)
class _Proxy:
    url: str
    headers: Mapping[str, str]
    """Its credentials, if it has any."""

    @classmethod
    def at(cls, address: str) -> "_Proxy":
        """A proxy by its address in the environment."""
        parts = urlsplit(address if "://" in address else f"http://{address}")
        user, at, place = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        credentials = aiohttp.encode_basic_auth(unquote(name), unquote(password))
        return cls(
            urlunsplit(parts._replace(netloc=place)),
            {"Proxy-Authorization": credentials} if at else {},
        )


def origin(url: str) -> tuple[str, str, str]:
    """The scheme, ``name[:port]`` and the name of a URL.

    Raises:
        MalformedMetadata: this is not a URL.
    """
    plain = _PLAIN_ORIGIN.match(url)
    try:
        return _split(plain[0] if plain else url)
    except ValueError as error:
        raise MalformedMetadata(f"not a URL: {error}", url=url) from error


@lru_cache(maxsize=256)
def _split(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc, (parts.hostname or "").lower()


@lru_cache(maxsize=64)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=seconds, sock_connect=CONNECT_TIMEOUT, sock_read=seconds)


def _text(raw: bytes) -> str:
    """What a server has sent: mostly ASCII, else UTF-8 or Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
