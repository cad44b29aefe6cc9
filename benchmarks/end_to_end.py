"""From the queue to the graph, against a bare script that sends the same statements.

The registries are simulated by a process of their own: 15 versions a package, 5 requirements a
version. The fleet is worker processes as an operator would start them: acks late, AOF, events.
The bare script has all packages in memory, ready to be sent, and sends them in batches of the
size that the fleet's writer made, over one connection, to the same server, which both find
warm and empty.

The server compiles what it runs often, and gets faster over thousands of packages: whoever came
second would win. So the script and a fleet first write thousands that nobody measures, each fleet
as many as it is measured with, and the script is measured between two fleets.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from neo4j import Driver, GraphDatabase

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph import rows
from ssc_ingest.graph.changes import Write, prepare
from ssc_ingest.graph.creation import Creation, Popular
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.models import Package
from ssc_ingest.resources import State, open_state
from ssc_ingest.runs.model import Item
from ssc_ingest.runs.store import keys, package_message, pending_entry
from ssc_ingest.servers import EmbeddedAddresses, Servers
from ssc_ingest.settings import load_settings
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name
from tests.acceptance.fleet import Fleet, eventually
from tests.contract.fetching import opened, read
from tests.servers import servers_of
from tests.simulator.client import Simulator

CONCURRENCY = 32
WARMING = 12_000
"""Packages that are written before anything is measured, however few are measured. After so many,
the server's compiler takes as long for a package of the fleet as for one of the script."""

WARMING_BATCH = 15
"""Packages per transaction of this."""

FIRST = 2000
"""Index of the first package; the lower ones are the popular requirements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run said. Rates are packages per second."""

    ecosystem: str
    latency: float
    """Of the simulated registry, milliseconds."""
    processes: int
    """Worker processes of the fleet."""
    fleet_rate: float
    bare_rate: float
    packages_per_transaction: float
    requests_per_package: float
    statements_per_package: float
    cpu_per_package: float
    """Seconds of all worker processes."""
    memory: int
    """Bytes resident of one worker process at the end."""


def measure(
    addresses: EmbeddedAddresses,
    folder: Path,
    name: str,
    *,
    count: int,
    latency: float,
    processes: int,
    warming: int,
) -> Measurement:
    """Extract ``count`` packages with workers, write the same ones without, and extract them again.

    ``warming``: packages that the script writes before, and then a first fleet.
    """
    servers = servers_of(addresses)
    with (
        Simulator.start(
            packages=FIRST + 2 * count,
            kept=2 * count,  # its work is none of ours
            versions="15",
            requirements="5",
            plain=True,
        ) as simulator,
        GraphDatabase.driver(servers.graph_uri) as driver,
    ):
        names = [p.name for p in simulator.packages(name, 2 * count, start=FIRST)]
        packages = asyncio.run(_read(simulator, addresses, ecosystem(name), names))
        writes = [prepare(package, ecosystem(name).order) for package in packages]
        # First of all: without its indexes a statement has another plan.
        asyncio.run(_make_schema(servers))
        for _ in range(0, warming, 2 * count):
            _bare(driver, writes, WARMING_BATCH)
        simulator.latency(latency)

        def fleet() -> Measured:
            _empty(driver)
            asyncio.run(_forget(servers))
            run = _Run(servers, simulator, folder, name)
            try:
                run.start(processes)
                return run.measure(driver, names[:count], warming=names[count:])
            finally:
                run.close()

        if warming:
            fleet()
        first = fleet()
        bare = [_bare(driver, writes[:count], first.per_transaction) for _ in range(2)]
        second = fleet()
        _empty(driver)
    return Measurement(
        ecosystem=name,
        latency=latency,
        processes=processes,
        fleet_rate=2 * count / (first.seconds + second.seconds),
        bare_rate=2 * count / sum(bare),
        packages_per_transaction=(first.per_transaction + second.per_transaction) / 2,
        requests_per_package=(first.requests + second.requests) / (2 * count),
        statements_per_package=(first.statements + second.statements) / 2,
        cpu_per_package=(first.cpu + second.cpu) / (2 * count),
        memory=max(first.memory, second.memory),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one fleet said. Seconds, requests and CPU time are those of the measured packages."""

    seconds: float
    cpu: float
    requests: int
    memory: int
    """Bytes resident of its largest process at the end."""
    per_transaction: float
    """Packages per transaction, those of the warm-up included."""
    statements: float
    """Per package, likewise."""


def _bare(driver: Driver, writes: Sequence[Write], per_transaction: float) -> float:
    """Seconds in which the bare script fills an empty graph."""
    _empty(driver)
    started = time.perf_counter()
    _write(driver, writes, per_transaction)
    seconds = time.perf_counter() - started
    _assert_written(driver, len(writes))
    return seconds


class _Run:
    """Worker processes, fed through a bulk queue."""

    def __init__(
        self, servers: Servers, simulator: Simulator, folder: Path, ecosystem_name: str
    ) -> None:
        self._servers = servers
        self._simulator = simulator
        self._queue = queue_name(ecosystem_name, "bulk")
        self._ecosystem = ecosystem_name
        self._fleet = Fleet(servers, simulator.environment(), folder)
        self._fleet.forks = False  # their memory is measured
        self._fleet.environment |= {
            "WORKER_CONCURRENCY": str(CONCURRENCY),
            "VISIBILITY_TIMEOUT": "180",
            "TASK_TIMEOUT": "60",
            "SHUTDOWN_GRACE": "20",
            "METRICS_PORT": "0",
            "LOG_FORMAT": "json",
        }

    def start(self, processes: int) -> None:
        """Workers that are ready and have said nothing yet."""
        self._processes = [
            self._fleet.start(name=f"worker-{number}@benchmark") for number in range(processes)
        ]
        for process in self._processes:
            process.log.write_text("")
        self.workers = [psutil.Process(process.pid) for process in self._processes]

    def measure(self, driver: Driver, names: Sequence[str], *, warming: Sequence[str]) -> Measured:
        """Extract these packages after the others; the workers then stop."""
        self.extract(warming)
        self._simulator.reset_counts()
        _empty(driver)
        seconds, cpu = self.extract(names)
        _assert_written(driver, len(names))
        requests = self._simulator.counts().total
        memory = max(worker.memory_info().rss for worker in self.workers)
        per_transaction, statements = self.stop()
        return Measured(
            seconds=seconds,
            cpu=cpu,
            requests=requests,
            memory=memory,
            per_transaction=per_transaction,
            statements=statements,
        )

    def extract(self, names: Sequence[str]) -> tuple[float, float]:
        """Seconds that it took, and seconds of the workers' CPU."""
        before = self._cpu()
        started = time.perf_counter()
        asyncio.run(self._extract(names))
        return time.perf_counter() - started, self._cpu() - before

    def _cpu(self) -> float:
        return sum(sum(worker.cpu_times()[:2]) for worker in self.workers)

    async def _extract(self, names: Sequence[str]) -> None:
        async with open_state(load_settings(None), self._servers) as state:
            await state.queues.publish(await self._messages(state, names))

            async def done() -> bool:
                waiting = await state.queues.lengths([self._queue])
                return not any(waiting.values()) and not await state.queues.unacknowledged()

            await eventually(done, 600, every=0.1)
            assert await state.dead_letters.count() == 0

    async def _messages(self, state: State, names: Sequence[str]) -> list[TaskMessage]:
        """The tasks, as an ingestion publishes them that has found all packages missing."""
        run, _ = await state.runs.start("ingestion", self._ecosystem)
        items = [
            Item(
                ecosystem(self._ecosystem).ref(name).purl,
                ExtractPackage(
                    ecosystem=self._ecosystem,
                    name=name,
                    dependencies="none",
                    run_id=run.id,
                    sequence=1,
                ),
            )
            for name in names
        ]
        await state.redis.hset(
            keys(run.id)[1], mapping={item.purl: f"1 {pending_entry(item)}" for item in items}
        )
        return [package_message(run, item) for item in items]

    def stop(self) -> tuple[float, float]:
        """Packages per transaction and statements per package, with reads, from the last words."""
        totals = [0, 0, 0]
        for process in self._processes:
            process.terminate()
            found = re.search(
                r'"transactions": (\d+), "packages": (\d+), "statements": (\d+).*"reads": (\d+)',
                process.log.read_text(),
            )
            assert found, "the worker did not say what its writer did"
            transactions, packages, statements, reads = map(int, found.groups())
            counts = (transactions, packages, statements + reads)
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
        transactions, packages, statements = totals
        return packages / transactions, statements / packages

    def close(self) -> None:
        self._fleet.close()


async def _forget(servers: Servers) -> None:
    """Empty Redis: the next fleet finds nothing of the last one."""
    async with open_state(load_settings(None), servers) as state:
        await state.redis.flushall()


async def _make_schema(servers: Servers) -> None:
    async with open_driver(servers, load_settings(None)) as driver:
        await ensure_schema(driver, [cls.identity.label for cls in ecosystems().values()])


async def _read(
    simulator: Simulator, addresses: EmbeddedAddresses, cls: type[Ecosystem], names: Sequence[str]
) -> list[Package]:
    async with opened(cls, simulator, load_settings(None), str(addresses.redis_url)) as reader:
        return [(await read(reader, name)).package for name in names]


def _write(driver: Driver, writes: Sequence[Write], per_transaction: float) -> None:
    """Send what the writer sends for packages that the graph has never seen."""
    size = max(1, round(per_transaction))
    popular = Popular()
    with driver.session(fetch_size=-1) as session:
        for start in range(0, len(writes), size):
            for label, group in rows.by_label(writes[start : start + size]):
                creation = Creation(label, group, popular)
                answer = session.run(creation.statement, creation.parameters())
                creation.committed(list(answer))


def _empty(driver: Driver) -> None:
    # Edges first: those of one popular package are more than one transaction can hold.
    edges = "MATCH ()-[e]->() CALL (e) { DELETE e } IN TRANSACTIONS OF 10000 ROWS"
    nodes = "MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 10000 ROWS"
    with driver.session() as session:
        session.run(edges).consume()
        session.run(nodes).consume()


def _assert_written(driver: Driver, count: int) -> None:
    answer = driver.execute_query("MATCH (p) WHERE p.moment IS NOT NULL RETURN count(p) AS n")
    assert answer.records[0]["n"] == count
