"""The packages that a job follows, on real stores and a registry of a few crates."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.declared import declared
from ssc_ingest.errors import PackageNotFound
from ssc_ingest.models import Package, Purl, Requirement
from ssc_ingest.on_demand.jobs import Job
from ssc_ingest.on_demand.submit import request_for, submit
from ssc_ingest.resources import Resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.messages import TaskMessage
from tests.conftest import Cypher
from tests.integration.scripted import package_of, resources_with, version_of


@dataclass(frozen=True)
class Crate:
    """A crate: requirements of each version, oldest first, and features of all."""

    versions: tuple[Mapping[str, Mapping[str, Any]], ...]
    features: Mapping[str, list[str]] = field(default_factory=dict)


CRATES = {
    "app": Crate(
        versions=(
            {"ancient": {}},
            {"web": {"default_features": False}, "tools": {}, "unused": {"optional": True}},
        )
    ),
    "web": Crate(
        versions=({"tls": {"optional": True}, "http": {}, "json": {"optional": True}},),
        features={"default": ["json"], "secure": ["dep:tls"]},
    ),
    # It selects a feature of a crate whose requirements may have been followed already.
    "tools": Crate(versions=({"web": {"features": ["secure"], "default_features": False}},)),
    **{name: Crate(versions=({},)) for name in ("ancient", "tls", "http", "json", "unused")},
}


class FewCrates(Crates):
    """A registry with :data:`CRATES`."""

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read one of the crates; its repository if a caller named it."""
        if (crate := CRATES.get(request.ref.name)) is None:
            raise PackageNotFound(request.ref.purl)
        versions = tuple(
            version_of(
                request.ref,
                f"{n}.0.0",
                requirements=tuple(
                    Requirement(
                        self.ref(name),
                        "any",
                        optional=bool(facts.get("optional")),
                        declared=declared([facts]) if facts else None,
                    )
                    for name, facts in required.items()
                ),
                features=json.dumps(crate.features) if crate.features else None,
            )
            for n, required in enumerate(crate.versions, 1)
        )
        if request.etag:
            return NotModified(datetime.now(UTC))
        return package_of(
            request.ref,
            versions,
            vendor="somebody" if request.full else None,
            repository_url="https://example.org/crate" if request.full else None,
            etag="one",
        )


@pytest.fixture
async def resources(
    clean_redis: None, clean_graph: None, settings: Settings, servers: Servers
) -> AsyncIterator[Resources]:
    """Real empty stores, and the registry."""
    async with resources_with(FewCrates, settings, servers, "cargo") as resources:
        yield resources


async def carry_out(resources: Resources, name: str, dependencies: Any, order: int) -> Job:
    """Handle all messages of a new job, from the end (-1) or start (0) of a queue."""
    cargo = resources.ecosystems["cargo"]
    job_id = await submit(
        [request_for(cargo.ref(name), dependencies=dependencies)],
        jobs=resources.state.jobs,
        queues=resources.state.queues,
    )
    handler = resources.delivery_handler()
    while messages := [*await taken(resources, "urgent"), *await taken(resources, "fresh")]:
        for message in messages if order else reversed(messages):
            await handler.handle(message, redelivered=False)
    job = await resources.state.jobs.get(job_id)
    assert job
    assert job.finished
    return job


async def taken(resources: Resources, urgency: str) -> list[TaskMessage]:
    """Take all messages of a queue."""
    broker: Any = resources.state.queues._redis
    queue = f"cargo.{urgency}"
    texts = [json.loads(text) for text in await broker.lrange(queue, 0, -1)]
    await broker.delete(queue)
    return [decoded(text, queue) for text in texts]


def decoded(envelope: dict[str, Any], queue: str) -> TaskMessage:
    """A message in the form that a worker receives."""
    _, kwargs, _ = json.loads(base64.b64decode(envelope["body"]))
    headers = envelope["headers"]
    return TaskMessage(task=headers["task"], kwargs=kwargs, queue=queue, task_id=headers["id"])


def read(cypher: Cypher) -> set[str]:
    """The crates that were read, without stubs."""
    rows = cypher("MATCH (c:CargoPackage) WHERE c.moment IS NOT NULL RETURN c.name AS name")
    return {row["name"] for row in rows}


@pytest.mark.parametrize("order", [0, -1])
async def test_a_job_follows_the_packages_that_an_installation_pulls(
    resources: Resources, cypher: Cypher, order: int
) -> None:
    """Features selected by other crates count, in any order of reading.

    The direct requirements of all versions are extracted in addition, and not followed.
    """
    job = await carry_out(resources, "app", "latest", order)
    assert read(cypher) == {"app", "web", "tools", "http", "tls", "ancient", "unused"}
    assert job.seen == 5
    assert (job.direct, job.filling, job.unfilled) == (2, 0, 0)
    rows = cypher("MATCH (c:CargoPackage {name: 'json'}) RETURN c.moment AS moment")
    assert rows == [{"moment": None}]


async def test_direct_requirements_have_a_limit_of_their_own(
    resources: Resources, cypher: Cypher
) -> None:
    """Requirements of the newest versions come first; the others are reported."""
    limited = resources.settings.model_copy(
        update={"job_max_packages": 1, "job_max_direct_requirements": 2}
    )
    job = await carry_out(replace(resources, settings=limited), "app", "latest", 0)
    assert (job.seen, job.left_over) == (1, 2)
    assert (job.direct, job.filling, job.unfilled) == (2, 0, 2)
    assert len(read(cypher)) == 3
    assert "ancient" not in read(cypher)


async def test_nothing_is_filled_for_jobs_that_follow_nothing(
    resources: Resources, cypher: Cypher
) -> None:
    """With ``none``, no requirement is extracted."""
    job = await carry_out(resources, "app", "none", 0)
    assert (job.seen, job.direct) == (1, 0)
    assert read(cypher) == {"app"}


async def test_a_job_of_all_versions_leaves_the_urgent_queues(resources: Resources) -> None:
    """One large job must not delay others; requested packages stay urgent."""
    cargo = resources.ecosystems["cargo"]
    await submit(
        [request_for(cargo.ref("app"), dependencies="all")],
        jobs=resources.state.jobs,
        queues=resources.state.queues,
    )
    (root,) = await taken(resources, "urgent")
    await resources.delivery_handler().handle(root, redelivered=False)
    assert await taken(resources, "urgent") == []
    followed = {message.kwargs["name"] for message in await taken(resources, "fresh")}
    assert followed == {"web", "tools", "unused", "ancient"}


async def test_a_missing_direct_requirement_is_done(resources: Resources) -> None:
    """A missing requirement stays a stub, without a failure of the job or a dead letter."""
    jobs = resources.state.jobs
    purl = Purl("pkg:cargo/lost")
    assert await jobs.fill("job", [purl], resources.budget, redelivered=False) == [purl]
    message = TaskMessage(
        task="extraction.extract_package",
        kwargs={"ecosystem": "cargo", "name": "lost", "dependencies": "none", "fills": "job"},
        queue="cargo.fresh",
    )
    await resources.delivery_handler().handle(message, redelivered=False)
    assert await resources.state.redis.scard("job:job:filling") == 0
    assert await resources.state.dead_letters.count() == 0


@pytest.mark.parametrize("refresh", [False, True])
async def test_a_crate_that_was_a_requirement_has_a_repository_once_it_is_named(
    resources: Resources, cypher: Cypher, *, refresh: bool
) -> None:
    """The crate was read without a repository.

    Neither its presence in the graph nor its validator keep it so.
    """
    await carry_out(resources, "app", "all", 0)
    links = "MATCH (p {name: $name}) RETURN p.vendor AS vendor, p.repository_url AS url"
    name = "tools"
    assert cypher(links, name=name) == [{"vendor": "n/a", "url": "n/a"}]

    cargo = resources.ecosystems["cargo"]
    await submit(
        [request_for(cargo.ref(name), dependencies="none", refresh=refresh)],
        jobs=resources.state.jobs,
        queues=resources.state.queues,
    )
    handler = resources.delivery_handler()
    for message in await taken(resources, "urgent"):
        await handler.handle(message, redelivered=False)

    assert cypher(links, name=name) == [{"vendor": "somebody", "url": "https://example.org/crate"}]
