"""Reads import names of live registries at the program's default rates, and counts the bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.document_cache import Document
from ssc_ingest.http.rate_limit import Permission, RateLimiter
from ssc_ingest.http.responses import Download, Response
from ssc_ingest.settings import load_settings

AnyEcosystem = TypeVar("AnyEcosystem", bound=Ecosystem)


@dataclass
class Traffic:
    """The requests since the last :meth:`clear`; bytes of bodies by URL."""

    sizes: dict[str, int] = field(default_factory=dict)
    requests: int = 0

    def clear(self) -> None:
        """Forget what was counted."""
        self.sizes, self.requests = {}, 0

    def add(self, url: str, size: int) -> None:
        """Count a response."""
        self.sizes[url] = self.sizes.get(url, 0) + size
        self.requests += 1


class CountingClient(RegistryClient):
    """A client that counts its responses."""

    traffic: Traffic

    async def get(self, url: str, **options: Any) -> Response:
        """As in the base class."""
        response = await super().get(url, **options)
        self.traffic.add(url, len(response.body))
        return response

    async def get_immutable(self, url: str, **options: Any) -> Document:
        """As in the base class."""
        document = await super().get_immutable(url, **options)
        self.traffic.add(url, len(document.body))
        return document

    def download(self, url: str, **options: Any) -> AbstractAsyncContextManager[Download]:
        """As in the base class."""
        return _counted(super().download(url, **options), self.traffic)


class Pace(RateLimiter):
    """Sends one request after the other, at the host's rate; a process alone needs no Redis."""

    def __init__(self) -> None:
        self._free: dict[str, float] = {}

    async def take(self, host: str, *, rate: float, **_: Any) -> Permission:
        """As in the base class."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._free.get(host, 0.0))
        self._free[host] = start + 1 / rate
        return Permission("ok", start - now)

    async def pause(self, host: str, seconds: float, *, doubling: bool = False) -> float:
        """A host that refuses ends the comparison."""
        raise ConnectionRefusedError(f"{host} asks for a pause of {seconds} s ({doubling=})")

    async def unreachable(self, host: str, cause: str) -> float:
        """So does one that cannot be reached."""
        raise ConnectionError(f"{host}: {cause}")


@asynccontextmanager
async def _counted(
    opening: AbstractAsyncContextManager[Download], traffic: Traffic
) -> AsyncIterator[Download]:
    async with opening as found:
        traffic.add(found.url, found.size)
        yield found


@asynccontextmanager
async def reading(cls: type[AnyEcosystem]) -> AsyncIterator[tuple[AnyEcosystem, Traffic]]:
    """The ecosystem, reading its live registry."""
    endpoints = load_endpoints(cls.identity.name, cls.identity.endpoints, None)
    async with open_transport(load_settings(None), host_names([endpoints])) as transport:
        client = CountingClient(transport, Pace(), endpoints.hosts)
        client.traffic = Traffic()
        yield cls(client, endpoints), client.traffic
