"""Packages made by hand, and real stores with a registry that answers with them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.models import Package, PackageRef, Version, VersionName
from ssc_ingest.resources import Resources, open_resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings


def version_of(ref: PackageRef, name: str, **fields: Any) -> Version:
    """A version of a package, released now, that requires nothing unless a field says so."""
    values: dict[str, Any] = {"release_date": datetime.now(UTC), "requirements": ()}
    purl = ecosystem(ref.ecosystem).version_purl(ref, name)
    return Version(name=VersionName(name), purl=purl, **(values | fields))


def package_of(ref: PackageRef, versions: Sequence[str | Version], **fields: Any) -> Package:
    """A package, read now, of an unknown vendor; the last version is its latest."""
    found = tuple(
        version_of(ref, version) if isinstance(version, str) else version for version in versions
    )
    values: dict[str, Any] = {
        "vendor": "n/a",
        "repository_url": "n/a",
        "latest": found[-1].name,
        "fetched_at": datetime.now(UTC),
    }
    return Package(ref=ref, versions=found, **(values | fields))


@asynccontextmanager
async def resources_with(
    registry: Callable[[RegistryClient, Endpoints], Ecosystem],
    settings: Settings,
    servers: Servers,
    name: str = "pypi",
) -> AsyncIterator[Resources]:
    """Clients of the stores, with this registry in place of the ecosystem's own."""
    async with open_resources(settings, servers, env_file=None) as resources:
        own = resources.ecosystems[name]
        await ensure_schema(resources.driver, [own.identity.label])
        scripted = registry(own.client, own.endpoints)
        yield replace(resources, ecosystems={**resources.ecosystems, name: scripted})
