"""Outcomes of deliveries in the job, the metrics, cooldowns and dead letters."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from neo4j import AsyncDriver
from redis.asyncio import Redis

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import IngestError, InvalidArguments, StoreUnavailable
from ssc_ingest.graph import transaction
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package, Purl, Requirement
from ssc_ingest.on_demand.jobs import Job, new_job_id
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.resources import Resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import Progress, TaskMessage
from ssc_ingest.work.results import Delayed, Done
from tests.conftest import Cypher
from tests.integration.scripted import package_of, resources_with, version_of
from workers.process.isolation import IsolationBusy, WorkerCrashed

LARGE = Purl("pkg:pypi/large")

VERSIONS, REQUIREMENTS = 12, 25
"""Of the package: in each version so many requirements."""


class Scripted(PyPI):
    """A registry with one package."""

    reads_import_names = False

    async def fetch(self, *_: Any, **__: Any) -> Package:
        """Read the package ``large``."""
        ref = self.ref("large")
        required = tuple(Requirement(self.ref(f"part{n}"), "any") for n in range(REQUIREMENTS))
        return package_of(
            ref, [version_of(ref, str(n), requirements=required) for n in range(VERSIONS)]
        )


@pytest.fixture
async def resources(
    clean_redis: None, clean_graph: None, settings: Settings, servers: Servers
) -> AsyncIterator[Resources]:
    """Real empty stores, and the scripted registry."""
    async with resources_with(Scripted, settings, servers) as resources:
        yield resources


def counted(resources: Resources, ending: str, ecosystem: str = "pypi") -> float:
    """The number of an ecosystem's packages with this outcome in the metrics."""
    labels = {"ecosystem": ecosystem, "ending": ending}
    return resources.metrics.registry.get_sample_value("ssc_packages_total", labels) or 0.0


async def enter(resources: Resources, **arguments: Any) -> TaskMessage:
    """Create a job for the package; returns its message."""
    job_id = new_job_id()
    request = ExtractPackage(
        ecosystem="pypi", name="large", job_id=job_id, **{"dependencies": "none", **arguments}
    )
    await resources.state.jobs.enter(
        job_id, LARGE, request=request.keywords(), dependencies=request.dependencies
    )
    return job_message(LARGE, request)


async def job_of(resources: Resources, message: TaskMessage) -> Job:
    """The job of a message."""
    job = await resources.state.jobs.get(str(message.kwargs["job_id"]))
    assert job
    return job


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InvalidArguments("the arguments are keywords"), id="positional-arguments"),
        pytest.param(
            IsolationBusy("another suspicious task runs alone at the moment"),
            id="busy-isolation-child",
        ),
    ],
)
async def test_what_says_nothing_about_the_package_starts_no_cooldown(
    resources: Resources, error: IngestError
) -> None:
    """The task is a dead letter and its job counts it; staleness runs still read the package."""
    message = await enter(resources)
    await resources.delivery_handler().give_up(message, error)
    assert await resources.state.dead_letters.count() == 1
    assert list((await job_of(resources, message)).failed) == [LARGE]
    assert await resources.state.cooldowns.active([LARGE]) == set()
    assert counted(resources, "failed") == 1


async def test_a_crash_is_counted_and_starts_a_cooldown(resources: Resources) -> None:
    """A task that kills its process has the same effects as other failures."""
    message = await enter(resources)
    await resources.delivery_handler().give_up(message, WorkerCrashed("status -9"))
    job = await job_of(resources, message)
    assert (job.finished, job.counts["failed"]) == (True, 1)
    assert await resources.state.cooldowns.active([LARGE]) == {LARGE}
    assert counted(resources, "failed") == 1


async def test_a_message_without_an_ecosystem_is_counted(resources: Resources) -> None:
    """A message without an ecosystem is counted for an unknown ecosystem."""
    message = replace(await enter(resources), kwargs={"name": "large"})
    await resources.delivery_handler().handle(message, redelivered=False)
    assert await resources.state.dead_letters.count() == 1
    assert counted(resources, "failed", "unknown") == 1


async def test_a_package_beyond_the_budget_is_counted(resources: Resources) -> None:
    """A requirement beyond the job's budget of requests is left over."""
    resources = replace(
        resources, settings=resources.settings.model_copy(update={"job_max_requests": 0})
    )
    job_id = new_job_id()
    followed = await resources.state.jobs.follow(
        job_id, [LARGE], replace(resources.budget, requests=1), redelivered=False
    )
    assert followed == [LARGE]
    request = ExtractPackage(ecosystem="pypi", name="large", job_id=job_id)
    await resources.delivery_handler().handle(job_message(LARGE, request), redelivered=False)
    assert counted(resources, "left_over") == 1


@asynccontextmanager
async def locked(driver: AsyncDriver) -> AsyncIterator[None]:
    """Another transaction holds the package's node during the block, and is rolled back."""
    async with driver.session() as session, await session.begin_transaction() as blocking:
        await blocking.run("MERGE (:PyPIPackage {purl: $purl})", purl=LARGE)
        yield
        await blocking.rollback()


async def take_delayed(servers: Servers, task_id: str) -> TaskMessage:
    """The delayed message of a task, in the form that a worker receives."""
    async with Redis.from_url(servers.redis(1), decode_responses=True) as broker:
        entry = await broker.hget("delayed:messages", task_id)
    message = json.loads(str(entry).partition("\n")[2])
    headers = message["headers"]
    _, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    return TaskMessage(
        task=headers["task"],
        task_id=headers["id"],
        kwargs=kwargs,
        queue="pypi.urgent",
        attempts=headers["attempts"],
        since=headers["since"],
        progress=Progress.decode(headers["progress"]),
    )


@pytest.mark.parametrize("rows", [100, 50_000], ids=["first-of-several", "only-transaction"])
async def test_counts_are_those_of_all_pieces(
    resources: Resources,
    cypher: Cypher,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
) -> None:
    """An attempt is cancelled during a transaction, which commits nevertheless.

    In all cases, the job counts the package as extracted, with the counts of all attempts.
    """
    monkeypatch.setattr(transaction, "ROWS_PER_PACKAGE", rows)
    message = await enter(resources)
    hasty = resources.settings.model_copy(update={"task_timeout": 1.0})
    async with locked(resources.driver):
        result = (
            await replace(resources, settings=hasty)
            .delivery_handler()
            .handle(message, redelivered=False)
        )
        assert isinstance(result, Delayed)
        assert result.error_type == StoreUnavailable.__name__
    await resources.writer.close()  # what was under way is written

    delayed = await take_delayed(servers, message.task_id)
    async with GraphWriter(resources.driver) as writer:
        handler = replace(resources, writer=writer).delivery_handler()
        result = await handler.handle(delayed, redelivered=False)
    assert result == Done(summary="extracted, 0 followed")
    job = await job_of(resources, message)
    assert job.counts["present"] == 0
    assert job.counts["extracted"] == 1
    assert job.counts["versions"] == VERSIONS
    assert job.counts["requirements"] == VERSIONS * REQUIREMENTS
    (row,) = cypher("MATCH (:Version)-[r:REQUIRE]->() RETURN count(r) AS edges")
    assert row["edges"] == VERSIONS * REQUIREMENTS
