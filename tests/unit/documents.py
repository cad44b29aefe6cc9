"""A registry whose documents are in memory, for readers without servers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.endpoints import load_endpoints
from ssc_ingest.errors import DigestMismatch, ResourceForbidden, ResourceNotFound
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.models import Package


@dataclass
class Documents:
    """A registry in memory: documents by path; a number is an error status."""

    by_path: Mapping[str, bytes | int]
    asked: list[str] = field(default_factory=list)

    async def get(self, url: str, **_: Any) -> Any:
        """Return the document at a URL."""
        path = unquote(urlsplit(url).path)
        self.asked.append(path)
        found = self.by_path.get(path, 404)
        if isinstance(found, bytes):
            return SimpleNamespace(
                url=url, body=found, headers={}, etag=None, not_modified=False, last_modified=None
            )
        if found == 404:
            raise ResourceNotFound("HTTP 404", url=url)
        raise ResourceForbidden(f"HTTP {found}", url=url)

    async def get_immutable(self, url: str, *, sha256: str | None = None, **_: Any) -> Any:
        """Return the document at a URL; checks its digest."""
        found = await self.get(url)
        if sha256 and hashlib.sha256(found.body).hexdigest() != sha256:
            raise DigestMismatch("the content does not have its announced SHA-256", url=url)
        return found


async def read(ecosystem: str, name: str, by_path: Mapping[str, bytes | int]) -> Package:
    """Read the package from these documents."""
    cls = ecosystems()[ecosystem]
    endpoints = load_endpoints(ecosystem, cls.identity.endpoints, None)
    reader = cls(cast("RegistryClient", Documents(by_path)), endpoints)
    package = await reader.fetch(FetchRequest(cls.ref(name)))
    assert isinstance(package, Package)
    return package
