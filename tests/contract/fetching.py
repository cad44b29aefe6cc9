"""Reads packages from the simulated registries and compares them with the correct data."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
import redis.asyncio as redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest
from ssc_ingest.ecosystems.endpoints import load_endpoints, setting_names
from ssc_ingest.errors import RateLimited
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.http import rate_limit
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import Package, Requirement, Version
from ssc_ingest.resources import Resources, open_resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests import facts
from tests.limiters import open_limiter
from tests.simulator.client import Simulator
from tests.simulator.registries import BY_NAME
from tests.simulator.truth import PackageTruth, VersionTruth

AnyEcosystem = TypeVar("AnyEcosystem", bound=Ecosystem)


@asynccontextmanager
async def opened(
    cls: type[AnyEcosystem], simulator: Simulator, settings: Settings, redis_url: str
) -> AsyncIterator[AnyEcosystem]:
    """The ecosystem, reading the simulated registry under the fleet's rate limits."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in simulator.environment().items():
            environment.setenv(name, value)
        endpoints = load_endpoints(cls.identity.name, cls.identity.endpoints, None)
    async with open_limiter(redis_url) as limiter, open_transport(settings) as http:
        yield cls(RegistryClient(http, limiter, endpoints.hosts), endpoints)


@asynccontextmanager
async def extracting(
    ecosystem: Ecosystem, settings: Settings, servers: Servers
) -> AsyncIterator[Resources]:
    """The resources of extractions with this ecosystem into the test graph."""
    about = ecosystem.identity
    async with open_resources(settings, servers, env_file=None) as resources:
        await ensure_schema(resources.driver, [about.label])
        yield replace(resources, ecosystems={about.name: ecosystem})


@contextmanager
def rate_of(cls: type[Ecosystem], rate: float) -> Iterator[None]:
    """Apply this rate limit to the registry, although it is on loopback."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rate_limit, "is_loopback", lambda _: False)
        for endpoint in cls.identity.endpoints:
            patched.setenv(setting_names(cls.identity.name, endpoint)[1], str(rate))
        yield


@dataclass
class Reading:
    """One fetch and the number of its requests."""

    package: Package
    requests: int


async def read_in_turn(
    ecosystem: Ecosystem, cache: redis.Redis, name: str
) -> AsyncIterator[Package | None]:
    """Read a package in several executions under the rate limit; all but the last yield None."""
    ref = ecosystem.ref(name)
    while True:
        checkpoint = await FetchCheckpoint.load(cache, ref.purl)
        try:
            with request_scope(RequestScope(checkpoint=checkpoint)):
                package = await ecosystem.fetch(FetchRequest(ref))
        except RateLimited as refused:
            await checkpoint.save(cache, ref.purl)
            yield None
            await asyncio.sleep(refused.retry_after)
        else:
            assert isinstance(package, Package)
            yield package
            return


async def read(ecosystem: Ecosystem, name: str, **arguments: Any) -> Reading:
    """Fetch a package that has changed."""
    with request_scope(RequestScope()) as scope:
        package = await ecosystem.fetch(FetchRequest(ecosystem.ref(name), **arguments))
    assert isinstance(package, Package)
    return Reading(package, scope.requests)


def as_truth(package: Package) -> PackageTruth:
    """A completely read package, in the simulator's form."""
    assert package.vendor is not None
    assert package.repository_url is not None
    return PackageTruth(
        ecosystem=package.ref.ecosystem,
        purl=package.ref.purl,
        name=package.ref.name,
        registry_name=package.ref.registry_name,
        vendor=package.vendor,
        repository_url=package.repository_url,
        latest=package.latest,
        versions=tuple(map(version_as_truth, package.versions)),
        dist_tags=json.loads(package.dist_tags) if package.dist_tags else None,
    )


def version_as_truth(version: Version) -> VersionTruth:
    """A version with read or unknown requirements, in the simulator's form.

    The simulator has no requirements for releases whose registry states none.
    """
    assert version.requirements is not None or version.requirements_unknown
    requirements = version.requirements or ()
    purl_type = version.purl.removeprefix("pkg:").partition("/")[0]
    told = any(
        BY_NAME[name].tells_facts
        for name, cls in ecosystems().items()
        if cls.identity.purl_type == purl_type and name in BY_NAME
    )
    constraints = {str(r.package.purl): r.constraints for r in requirements}
    assert len(constraints) == len(requirements)
    return VersionTruth(
        name=version.name,
        purl=version.purl,
        release_date=version.release_date,
        yanked=version.yanked,
        requirements=constraints,
        facts=facts.values({f: getattr(version, f) for f in facts.OF_VERSIONS}) if told else None,
        edges={str(r.package.purl): v for r in requirements if (v := _edge(r))} if told else None,
        unknown=version.requirements_unknown,
    )


def _edge(requirement: Requirement) -> dict[str, Any]:
    return facts.values({name: getattr(requirement, name) for name in facts.OF_REQUIREMENTS})
