"""An ingestion of a whole simulated registry, through which workers and Redis are killed.

``python -m benchmarks.ingestion --packages 100000`` is the long form of the test
``tests/acceptance/test_endurance.py``: PyPI with three versions a package and two requirements a
version, two worker processes, three kills at random points and a restart of Redis. It ends with
an error unless the graph is equal to the simulator's truth and the run's metrics to it. Prints
the rate, the largest number of pending packages and messages, and the largest memory of a worker.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from neo4j import GraphDatabase

from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.resources import State, open_state
from ssc_ingest.runs.model import Run
from ssc_ingest.servers import EmbeddedAddresses, Servers
from ssc_ingest.settings import load_settings
from tests.acceptance.endurance import Endurance, assert_all_is_there
from tests.acceptance.fleet import Fleet
from tests.acceptance.outages import OwnRedis
from tests.acceptance.work import QUEUES
from tests.simulator.client import Simulator


class Watch:
    """The largest numbers that were seen, and a line of progress."""

    def __init__(self) -> None:
        self.pending = self.messages = self.memory = 0
        self._said = 0.0

    def saw(self, run: Run) -> None:
        """The run as it stands."""
        self.pending = max(self.pending, run.pending)
        if time.monotonic() - self._said > 1:
            self._said = time.monotonic()
            sys.stderr.write(f"\r{run.done:,} packages, {run.rate:.0f}/s, {run.restarts} restarts ")

    async def sample(self, state: State) -> None:
        """Queues and memory, every second."""
        while True:
            with suppress(Exception):
                lengths = await state.queues.lengths(QUEUES)
                self.messages = max(self.messages, *lengths.values())
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    if "celery" in process.cmdline():
                        self.memory = max(self.memory, process.memory_info().rss)
            await asyncio.sleep(1)


def main() -> None:
    """Ingest, kill, compare, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion", description=__doc__)
    parser.add_argument("--packages", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--seed", type=int, default=5, help="of the points at which is killed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ProcessGroup() as group:
        folder = Path(name)
        settings = load_settings(None, data_dir=folder / "stack")
        with EmbeddedStack(settings) as stack:
            redis = OwnRedis(group, folder / "valkey")
            print(json.dumps(asyncio.run(_measure(stack.start(), redis, folder, arguments))))


async def _measure(
    addresses: EmbeddedAddresses, redis: OwnRedis, folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    assert addresses.graph_uri
    assert addresses.vulnerabilities_uri
    servers = Servers(addresses.graph_uri, None, redis.uri, addresses.vulnerabilities_uri)
    packages: int = arguments.packages
    watch = Watch()
    with (
        Simulator.start(packages=packages, versions="3", requirements="2") as simulator,
        GraphDatabase.driver(servers.graph_uri) as driver,
    ):
        fleet = Fleet(replace(servers), simulator.environment(), folder)
        fleet.environment |= {"WORKER_CONCURRENCY": "32", "VISIBILITY_TIMEOUT": "60"}
        fleet.environment |= {"TASK_TIMEOUT": "30", "LOG_LEVEL": "INFO"}
        try:
            async with open_state(load_settings(None), servers) as state:
                sampler = asyncio.create_task(watch.sample(state))
                endurance = Endurance(
                    fleet, state, redis, workers=arguments.workers, told=watch.saw
                )
                started = time.perf_counter()
                run = await endurance.ingest(
                    packages, kills=arguments.kills, seed=arguments.seed, seconds=24 * 3600
                )
                seconds = time.perf_counter() - started
                sampler.cancel()
        finally:
            fleet.close()
        sys.stderr.write("\ncomparing the graph with the truth\n")

        def cypher(query: str, **parameters: Any) -> list[dict[str, Any]]:
            return [row.data() for row in driver.execute_query(query, parameters).records]

        assert run.state == "finished", run.error
        assert assert_all_is_there(cypher, simulator, "pypi", "PyPIPackage") == packages
        metrics = run.metrics()
        assert metrics["total_in_registry"] == metrics["new_packages_ingested"] == packages
        assert metrics["errors"] == metrics["skipped_existing"] == 0
    return {
        "packages": packages,
        "killed": endurance.killed,
        "restarts": run.restarts,
        "seconds": round(seconds),
        "packages_per_second": round(packages / seconds, 1),
        "most_pending": watch.pending,
        "most_messages_in_a_queue": watch.messages,
        "worker_memory_mb": round(watch.memory / 1e6),
    }


if __name__ == "__main__":
    main()
