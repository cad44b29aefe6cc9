"""Packages that somebody asks for while 100,000 bulk tasks wait: from the request to the graph.

A fleet as ``up`` starts it (a worker of all queues, one of urgent work, control) works on the bulk
tasks. Packages are requested by an entry of the stream, by a task, and by the command line. Each
request's time is divided at the moments that are visible from outside: the request has been made,
a worker begins to read the registry (``moment`` of the package), the package is in the graph.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from neo4j import AsyncDriver, AsyncGraphDatabase

from benchmarks.like_up import start_others, start_worker
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import load_settings
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT, queue_name
from tests.acceptance.fleet import Fleet
from tests.acceptance.producer import LABELS, STREAMS, Message, of_main, send
from tests.servers import servers_of
from tests.simulator.client import Simulator

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))
CALLED = "npm"
BULK = ("npm", "cargo", "rubygems")
BATCH = 1000
MOST_CANDIDATES = 1000
"""Packages that may be requested; those of the bulk tasks come after them."""

IS_READ = """
MATCH (p:NPMPackage {purl: $purl}) WHERE p.moment IS NOT NULL
RETURN datetime({datetime: p.moment, timezone: 'Z'}).epochMillis AS moment
"""

Ask = Callable[[str], Awaitable[None]]


class Bench:
    """The fleet, and three ways to ask it."""

    def __init__(
        self, fleet: Fleet, servers: Servers, state: State, driver: AsyncDriver, folder: Path
    ) -> None:
        self._fleet = fleet
        self._servers = servers
        self._state = state
        self._driver = driver
        self._folder = folder

    async def by_stream(self, name: str) -> None:
        """As other services ask."""
        message = Message(STREAMS[0], of_main(LABELS[CALLED], name))
        await asyncio.to_thread(send, self._servers.stream(0), [message])

    async def by_task(self, name: str) -> None:
        """As another program with Celery asks, to the default queue, which control forwards."""
        kwargs = {"ecosystem": CALLED, "name": name}
        await asyncio.to_thread(self._fleet.stranger.send_task, EXTRACT, kwargs=kwargs)

    async def by_queue(self, name: str) -> None:
        """The same to the urgent queue."""
        await self._state.queues.publish([message_of(CALLED, name, "urgent")])

    async def by_command(self, name: str) -> None:
        """As a person asks; the time of the command itself is part of it.

        That person has another terminal, and so a session of its own. Linux divides the processor
        among sessions (autogroups), not among all processes of all sessions.
        """
        command = [PROGRAM, "extract", f"pkg:npm/{name}"]
        await asyncio.to_thread(
            subprocess.run, command, env=self._fleet.environment, cwd=self._folder,
            capture_output=True, check=True, start_new_session=True,
        )  # fmt: skip

    async def is_read(self, purl: str) -> bool:
        """Whether the graph has the package, as a requirement of an earlier one."""
        return bool((await self._driver.execute_query(IS_READ, purl=purl)).records)

    async def steps(self, ask: Ask, purl: str, name: str) -> "Steps":
        """Ask for a package, and wait until it is in the graph and the request has ended."""

        async def request() -> float:
            await ask(name)
            return time.time()

        began = time.time()
        asking = asyncio.create_task(request())
        while not (records := (await self._driver.execute_query(IS_READ, purl=purl)).records):
            if asking.done():
                asking.result()  # raises what went wrong
            await asyncio.sleep(0.005)
        there, asked = time.time(), await asking
        read = min(max(records[0]["moment"] / 1000, began), there)
        return Steps(asked - began, read - min(asked, read), there - read, there - began)


class Steps(NamedTuple):
    """Seconds of one request. The command lasts longer than the work that it requests."""

    asking: float
    queueing: float
    """Until a worker begins to read the registry: hand-over and queue."""
    working: float
    """Request to the registry, parsing and writing."""
    whole: float


def message_of(ecosystem: str, name: str, urgency: str) -> TaskMessage:
    """The task for one package alone."""
    kwargs = {"ecosystem": ecosystem, "name": name, "dependencies": "none"}
    return TaskMessage(task=EXTRACT, queue=queue_name(ecosystem, urgency), kwargs=kwargs)


async def measure(bench: Bench, simulator: Simulator, requests: int) -> Iterator[str]:
    """Ask in all ways in turn, and describe the times."""
    ways = {
        "stream": bench.by_stream,
        "task, default queue": bench.by_task,
        "task, urgent queue": bench.by_queue,
        "command line": bench.by_command,
    }
    found: dict[str, list[Steps]] = {way: [] for way in ways}
    candidates = iter(simulator.packages(CALLED, MOST_CANDIDATES, start=0))
    for _ in range(requests):
        for way, ask in ways.items():
            while await bench.is_read((package := next(candidates)).purl):
                pass
            found[way].append(await bench.steps(ask, package.purl, package.name))
            await asyncio.sleep(0.05)
    return (_row(way, steps) for way, steps in found.items())


def _row(way: str, steps: list[Steps]) -> str:
    whole = sorted(each.whole for each in steps)
    p95 = whole[min(len(whole) - 1, int(0.95 * len(whole)))]
    medians = (
        statistics.median(values)
        for values in (
            [each.asking for each in steps],
            [each.queueing for each in steps],
            [each.working for each in steps],
        )
    )
    shares = " | ".join(f"{median:.3f}" for median in medians)
    return f"| {way} | {statistics.median(whole):.3f} | {p95:.3f} | {whole[-1]:.3f} | {shares} |"


async def publish_bulk(state: State, simulator: Simulator, count: int, packages: int) -> None:
    """Fill the bulk queues; the same packages come again, each a task of its own."""
    names = {name: simulator.packages(name, packages, start=1000) for name in BULK}
    every = itertools.cycle(
        (name, names[name][index].name) for index in range(packages) for name in BULK
    )
    for begin in range(0, count, BATCH):
        batch = itertools.islice(every, min(BATCH, count - begin))
        await state.queues.publish([message_of(*package, "bulk") for package in batch])


async def run(bulk: int, requests: int, folder: Path) -> None:
    """Measure on servers of its own and print a table."""
    with (
        EmbeddedStack(load_settings(None, data_dir=folder / "stack")) as stack,
        Simulator.start(packages=4000, versions="15", requirements="5") as simulator,
    ):
        addresses = stack.start()
        servers = servers_of(addresses)
        settings = load_settings(None, data_dir=folder / "data")
        fleet = Fleet(servers, simulator.environment(), folder)
        fleet.environment |= {"VISIBILITY_TIMEOUT": "180", "TASK_TIMEOUT": "60"}
        async with (
            open_state(settings, servers) as state,
            AsyncGraphDatabase.driver(
                servers.graph_uri, notifications_min_severity="OFF"
            ) as driver,
        ):
            try:
                await ensure_schema(driver, [cls.identity.label for cls in ecosystems().values()])
                await publish_bulk(state, simulator, bulk, 2900)
                start_worker(fleet, "worker@test")
                start_others(fleet)
                await asyncio.sleep(10)  # the workers have warmed up on bulk
                bench = Bench(fleet, servers, state, driver, folder)
                lengths = await state.queues.lengths([queue_name(name, "bulk") for name in BULK])
                print(f"waiting: {sum(lengths.values()):,} bulk tasks\n")
                print("| asked by | p50, s | p95, s | most, s | request | until begun | work |")
                print("|---|---:|---:|---:|---:|---:|---:|")
                for row in await measure(bench, simulator, requests):
                    print(row)
                lengths = await state.queues.lengths([queue_name(name, "bulk") for name in BULK])
                print(f"\nstill waiting: {sum(lengths.values()):,}; {json.dumps(lengths)}")
            finally:
                fleet.close()


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.urgency", description=__doc__)
    parser.add_argument("--bulk", type=int, default=100_000, help="bulk tasks that wait")
    parser.add_argument("--requests", type=int, default=50, help="requests of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(options.bulk, options.requests, Path(folder)))


if __name__ == "__main__":
    main()
