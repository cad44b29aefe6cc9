"""A scripted registry, real stores, and a worker that executes queued tasks."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import redis.asyncio as aioredis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.resources import Resources
from ssc_ingest.runs.engine import Engine
from ssc_ingest.runs.kinds import Kind
from ssc_ingest.runs.lease import RunLease
from ssc_ingest.runs.model import Run
from ssc_ingest.runs.store import keys
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import BackfillImportNames
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT_NAMES, queue_names
from ssc_ingest.work.results import Result
from tests.integration.scripted import resources_with
from tests.integration.test_runs.registry import Content, Scripted


class Bench:
    """Runs of one registry, executed step by step."""

    def __init__(self, resources: Resources, content: Content, broker: Any) -> None:
        self.resources = resources
        self.state = resources.state
        self.runs = resources.state.runs
        self.content = content
        self.handler = resources.delivery_handler()
        self.names = resources.names_deliveries()
        self._broker = broker

    def set(self, **settings: Any) -> None:
        """Change settings."""
        changed = self.resources.settings.model_copy(update=settings)
        self.resources = replace(self.resources, settings=changed)
        self.handler = self.resources.delivery_handler()
        self.names = self.resources.names_deliveries()

    async def start(
        self, kind: Kind, limit: int | None = None, backfill: BackfillImportNames | None = None
    ) -> Run:
        """Start a new run."""
        run, is_new = await self.runs.start(kind, "pypi", limit=limit, backfill=backfill)
        assert is_new
        return run

    def engine(self, run: Run, **options: float) -> Engine:
        """An engine that executes the run."""
        return Engine(self.resources.run_services("pypi"), run, **{"poll": 0.01, **options})

    async def get(self, run: Run) -> Run:
        """The current state of the run."""
        found = await self.runs.get(run.id)
        assert found
        return found

    async def messages(self, *queues: str) -> list[TaskMessage]:
        """Take all queued messages."""
        found = []
        for queue in queues or queue_names(ecosystems()):
            while raw := await self._broker.rpop(queue):
                message = json.loads(raw)
                headers = message["headers"]
                _, kwargs, _ = json.loads(base64.b64decode(message["body"]))
                found.append(
                    TaskMessage(
                        task=headers["task"],
                        task_id=headers["id"],
                        kwargs=kwargs,
                        queue=queue,
                        attempts=headers["attempts"],
                        since=headers["since"],
                        published_at=headers["published_at"],
                    )
                )
        return found

    async def handle(self, message: TaskMessage) -> Result:
        """Execute one task."""
        if message.task == EXTRACT_NAMES:
            return await self.names.handle(message)
        return await self.handler.handle(message, redelivered=False)

    async def work(self) -> list[Result]:
        """Execute all queued tasks, and those that become due at once."""
        results = []
        while messages := await self.messages():
            results += await asyncio.gather(*map(self.handle, messages))
        return results

    async def until(self, run: Run, condition: Callable[[Run], bool]) -> None:
        """Wait until the run satisfies a condition."""
        async with asyncio.timeout(300):
            while not condition(await self.get(run)):  # noqa: ASYNC110 - it is in Redis
                await asyncio.sleep(0.005)

    async def work_until(self, engine: "asyncio.Task[Run]") -> Run:
        """Execute queued tasks until the run is executed."""
        while not engine.done():
            await self.work()
            await asyncio.sleep(0.01)
        return engine.result()

    async def carry_out(self, run: Run, **options: float) -> Run:
        """Execute a run, and its packages' tasks."""
        return await self.work_until(asyncio.create_task(self.engine(run, **options).carry_out()))

    async def hurry(self) -> None:
        """Make all delayed work due."""
        names = await self._broker.zrange("delayed", 0, -1)
        for name in names:
            await self._broker.zadd("delayed", {name: 0})
        await self.state.queues.move_due()

    async def lapse(self, run: Run) -> None:
        """Expire the lease, as if its worker was killed a minute ago."""
        await self.state.redis.delete(keys(run.id)[3])


@pytest.fixture
async def bench(
    clean_redis: None, clean_graph: None, settings: Settings, servers: Servers
) -> AsyncIterator[Bench]:
    """An empty graph, empty queues, and a registry without packages."""
    content = Content()
    async with (
        resources_with(partial(Scripted, content=content), settings, servers) as resources,
        aioredis.Redis.from_url(servers.redis(1), decode_responses=True) as broker,
    ):
        yield Bench(resources, content, broker)


class Killed(BaseException):
    """The process is killed at this point."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process does not release its lease."""

    async def keep(self: RunLease) -> None:
        pass

    monkeypatch.setattr(RunLease, "_let_go", keep)
