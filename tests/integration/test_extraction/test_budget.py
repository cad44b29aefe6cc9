"""The budget of requests of a job, with real requests from concurrent extractions."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import MalformedMetadata, PackageNotFound
from ssc_ingest.models import Package, Purl
from ssc_ingest.on_demand.jobs import Job, new_job_id
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.resources import Resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.results import GaveUp
from tests.contract.loopback import Loopback, loopback
from tests.integration.scripted import package_of, resources_with

BUDGET = 40

EACH = 7
"""Requests for each package."""


class Dear(PyPI):
    """A registry whose packages cost :data:`EACH` requests; some are missing or malformed."""

    requests_per_package = 3.0
    reads_import_names = False

    async def fetch(self, request: FetchRequest) -> Package:
        """Read a package."""
        name = request.ref.name
        for n in range(EACH):
            await self.client.get(self.endpoints.url("index", f"{name}/{n}"), max_bytes=100)
        if name.startswith("missing"):
            raise PackageNotFound(request.ref.purl)
        if name.startswith("malformed"):
            raise MalformedMetadata("no JSON")
        return package_of(request.ref, ["1"])


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    """The documents of all packages."""
    async with loopback() as server:
        server.gone = replace(server.gone, status=200, body=b"{}")
        yield server


@pytest.fixture
def environment(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry is the server, and is not spared."""
    monkeypatch.setenv("PYPI_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("PYPI_INDEX_RATE", "1000")


@pytest.fixture
async def resources(
    environment: None, clean_redis: None, clean_graph: None, settings: Settings, servers: Servers
) -> AsyncIterator[Resources]:
    """Real empty stores, and the registry."""
    limits = settings.model_copy(update={"job_max_requests": BUDGET})
    async with resources_with(Dear, limits, servers) as resources:
        yield resources


async def begin(resources: Resources, *names: str) -> str:
    """A job for the named package ``root`` that follows these packages."""
    job_id = new_job_id()
    request = ExtractPackage(ecosystem="pypi", name="root", dependencies="all")
    await resources.state.jobs.enter(
        job_id, Purl("pkg:pypi/root"), request=request.keywords(), dependencies="all"
    )
    purls = [Purl(f"pkg:pypi/{name}") for name in names]
    followed = await resources.state.jobs.follow(job_id, purls, resources.budget, redelivered=False)
    assert followed == purls
    return job_id


async def carry_out(resources: Resources, job_id: str, *names: str) -> Job:
    """Extract packages of the job at the same time; returns the job."""
    handler = resources.delivery_handler()
    messages = [
        job_message(
            Purl(f"pkg:pypi/{name}"), ExtractPackage(ecosystem="pypi", name=name, job_id=job_id)
        )
        for name in names
    ]
    await asyncio.gather(*[handler.handle(message, redelivered=False) for message in messages])
    job = await resources.state.jobs.get(job_id)
    assert job
    return job


async def test_concurrent_packages_do_not_exceed_the_budget(
    resources: Resources, server: Loopback
) -> None:
    """A package that needs more than is left is left over; the job counts all its requests."""
    names = [f"part{n}" for n in range(12)]
    job_id = await begin(resources, *names)
    job = await carry_out(resources, job_id, *names)
    assert server.asked.total() <= BUDGET
    assert job.counts["requests"] == server.asked.total()
    assert job.counts["extracted"] + job.counts["left_over"] == len(names)
    assert job.left_over == job.counts["left_over"] > 0


async def test_what_is_missing_or_fails_is_counted(resources: Resources, server: Loopback) -> None:
    """Requests for missing and failed packages count, so later packages are left over."""
    names = [f"{kind}{n}" for kind in ("missing", "malformed") for n in range(2)]
    later = ["part0", "part1", "part2"]
    job_id = await begin(resources, *names, *later)
    job = await carry_out(resources, job_id, *names)
    assert (job.counts["missing"], job.counts["failed"]) == (2, 2)
    assert job.counts["requests"] == server.asked.total() == 4 * EACH
    for name in later:
        job = await carry_out(resources, job_id, name)
    assert server.asked.total() == job.counts["requests"] == BUDGET
    assert (job.counts["extracted"], job.counts["left_over"]) == (1, 2)


async def test_a_named_package_is_read_beyond_the_budget(
    resources: Resources, server: Loopback
) -> None:
    """A named package is read beyond the budget; the job counts its requests."""
    job_id = await begin(resources, "missing0")
    few = replace(resources, settings=resources.settings.model_copy(update={"job_max_requests": 1}))
    job = await carry_out(few, job_id, "root")
    assert (job.counts["extracted"], job.counts["requests"]) == (1, EACH)
    job = await carry_out(few, job_id, "missing0")
    assert (job.counts["left_over"], server.asked.total()) == (1, EACH)


async def test_a_malformed_named_package_is_counted(resources: Resources, server: Loopback) -> None:
    """A dead letter has the requests of all attempts."""
    job_id = new_job_id()
    request = ExtractPackage(ecosystem="pypi", name="malformed", job_id=job_id)
    message = job_message(Purl("pkg:pypi/malformed"), request)
    result = await resources.delivery_handler().handle(message, redelivered=False)
    assert isinstance(result, GaveUp)
    job = await resources.state.jobs.get(job_id)
    assert job
    assert (job.counts["failed"], job.counts["requests"]) == (1, EACH)
    assert server.asked.total() == EACH
