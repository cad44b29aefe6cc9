"""An ingestion through which worker processes and Redis are killed."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from ssc_ingest.resources import State
from ssc_ingest.runs.model import Run
from tests.acceptance.fleet import Fleet, WorkerProcess
from tests.acceptance.outages import OwnRedis, sweeping
from tests.acceptance.work import assert_graph_is_the_registry
from tests.graph_truth import Cypher
from tests.simulator.client import Simulator


@dataclass
class Endurance:
    """One ingestion of PyPI by a fleet of worker processes."""

    fleet: Fleet
    state: State
    redis: OwnRedis
    workers: int = 2
    told: Callable[[Run], None] = lambda _: None
    """Is called with the run as it stands, all the while."""
    killed: list[str] = field(default_factory=list)

    async def ingest(self, packages: int, *, kills: int, seed: int, seconds: float) -> Run:
        """Run an ingestion with this number of kills and a restart of Redis at random points.

        Returns:
            The ended run.
        """
        rng = random.Random(seed)
        points = sorted(rng.uniform(0.05, 0.9) for _ in range(kills + 1))
        restarts_redis = rng.randrange(kills + 1)
        running = [await self._start(number) for number in range(self.workers)]
        self.fleet.send("ingestion.ingest", ecosystem="pypi")
        async with asyncio.timeout(seconds), sweeping(self.fleet):
            for position, point in enumerate(points):
                await self._until(lambda run, p=point: run.done >= p * packages or run.ended)  # type: ignore[misc]
                if position == restarts_redis:
                    await asyncio.to_thread(self.redis.restart)
                    self.killed.append("redis")
                    continue
                # The first kill hits the worker that executes the run, the others any worker.
                victim = rng.randrange(self.workers)
                if len(self.killed) == ("redis" in self.killed):
                    victim = next(n for n, w in enumerate(running) if _carries_out(w))
                running[victim].kill()
                self.killed.append(running[victim].name)
                running[victim] = await self._start(victim)
            return await self._until(lambda run: run.ended)

    async def _start(self, number: int) -> WorkerProcess:
        name = f"worker-{number}-{len(self.killed)}@test"
        return await asyncio.to_thread(self.fleet.start, name=name)

    async def _until(self, condition: Callable[[Run], bool]) -> Run:
        while True:
            try:
                found = await self.state.runs.newest(1)
            except RedisError:
                found = []
            if found:
                self.told(found[0])
                if condition(found[0]):
                    return found[0]
            await asyncio.sleep(0.1)


def _carries_out(worker: WorkerProcess) -> bool:
    return "run_begins" in worker.log.read_text()


def assert_all_is_there(cypher: Cypher, simulator: Simulator, ecosystem: str, label: str) -> int:
    """Check that the graph has exactly the registry's packages; returns their number."""
    count = assert_graph_is_the_registry(cypher, simulator, ecosystem)
    (row,) = cypher(f"MATCH (p:{label}) RETURN count(p) AS n, count(p.moment) AS read")
    assert row == {"n": count, "read": count}
    return count
