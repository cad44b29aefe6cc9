"""Packages whose extraction takes longer than the time limit."""

import asyncio

import pytest
import redis.asyncio as redis

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.document_cache import LARGE
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import Package
from tests.contract.test_maven_fetch.repository import Repository, requirements
from tests.unit.maven_folder import bill, dependencies, dependency, managed

VERSIONS = 40


@pytest.fixture
def large(repository: Repository) -> Repository:
    """A package of which every version imports its own large bill of materials."""
    names = [str(number) for number in range(VERSIONS)]
    repository.publish("g:a", *names)
    filling = [dependency(f"some.group:artifact-{n}", "1.2.3") for n in range(LARGE // 80)]
    for name in names:
        repository.add(f"g:bill:{name}", managed(*filling, dependency("x:a", f"7.{name}")))
        own = managed(bill("g:bill", name)) + dependencies(dependency("x:a"))
        repository.add(f"g:a:{name}", own)
    assert len(repository.documents[repository.path("g:bill:0")]) > LARGE
    return repository


async def test_a_long_reading_ends(
    workers: list[Maven], large: Repository, cache: redis.Redis
) -> None:
    """After any number of interruptions, each execution continues where the last one stopped."""
    package, executions = None, 0
    while package is None:
        maven = workers[executions % 2]
        executions += 1
        ref, before = maven.ref("g:a"), large.asked.total()
        checkpoint = await FetchCheckpoint.load(cache, ref.purl)

        with request_scope(RequestScope(checkpoint=checkpoint)):
            reading = asyncio.ensure_future(maven.fetch(FetchRequest(ref)))
            while not reading.done() and large.asked.total() < before + 20:
                await asyncio.wait([reading], timeout=0.001)
            if reading.done():
                package = reading.result()
            else:
                assert checkpoint.has_grown
            reading.cancel()
            await asyncio.wait([reading])
        await checkpoint.save(cache, ref.purl)
        assert sum(len(d.body) for d in checkpoint.documents.values() if d) < LARGE
    assert isinstance(package, Package)
    assert executions > 3
    for name in map(str, range(VERSIONS)):
        assert requirements(package, name) == {"x:a": f"[7.{name}]"}
        # Requests that were under way are sent again.
        assert large.asked[large.path(f"g:a:{name}")] <= 2
    assert sum(large.asked.values()) < 1.5 * (1 + 2 * VERSIONS)
    assert (await cache.info("memory"))["used_memory"] < 16 * 1024 * 1024
