"""A registry that answers a share of the requests with 503: time and CPU of its packages.

``python -m benchmarks.overload --packages 200 --share 0.02`` sends extraction tasks for PyPI
packages to a worker, without failures and with them, twice. It prints the seconds until all
packages are in the graph, the worker's CPU time, and the number of requests.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import psutil
from neo4j import AsyncDriver, AsyncGraphDatabase

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from tests.acceptance.fleet import Fleet, eventually
from tests.servers import servers_of
from tests.simulator.client import Simulator

READ = """
MATCH (p:PyPIPackage) WHERE p.purl IN $purls AND p.moment IS NOT NULL RETURN count(p) AS n
"""
WARM_UP = 100
"""Packages that are read before the measurement."""


class Bench:
    """A worker and the packages that it reads."""

    def __init__(self, fleet: Fleet, simulator: Simulator, driver: AsyncDriver) -> None:
        self._fleet = fleet
        self._simulator = simulator
        self._driver = driver
        self._next = 0

    async def seconds(self, count: int) -> float:
        """Seconds until so many further packages are in the graph."""
        packages = self._simulator.packages("pypi", count, start=self._next)
        self._next += count
        purls = [package.purl for package in packages]
        began = time.monotonic()
        for package in packages:
            self._fleet.send(ecosystem="pypi", name=package.name, dependencies="none")

        async def are_read() -> bool:
            result = await self._driver.execute_query(READ, purls=purls)
            return bool(result.records[0]["n"] == count)

        await eventually(are_read, seconds=3600)
        return time.monotonic() - began

    async def row(self, share: float, count: int) -> str:
        """One measurement, as a row of the table."""
        self._simulator.clear_faults()
        if share:
            self._simulator.fault("status", status=503, share=share)
        process = psutil.Process(self._fleet.worker.pid)
        before, requests = sum(process.cpu_times()[:2]), self._simulator.counts().total
        seconds = await self.seconds(count)
        cpu = sum(process.cpu_times()[:2]) - before
        requests = self._simulator.counts().total - requests
        return f"| {share:.0%} | {seconds:.1f} | {1000 * cpu / count:.1f} | {requests:,} |"


async def measure(addresses: EmbeddedAddresses, folder: Path, options: argparse.Namespace) -> None:
    """Print the table."""
    with Simulator.start(
        packages=WARM_UP + 4 * options.packages, versions="15", requirements="5"
    ) as simulator:
        servers = servers_of(addresses)
        fleet = Fleet(servers, simulator.environment(), folder)
        fleet.environment |= {"VISIBILITY_TIMEOUT": "180", "TASK_TIMEOUT": "60"}
        try:
            async with AsyncGraphDatabase.driver(
                servers.graph_uri, notifications_min_severity="OFF"
            ) as driver:
                await ensure_schema(driver, [cls.identity.label for cls in ecosystems().values()])
                fleet.start()
                bench = Bench(fleet, simulator, driver)
                await bench.seconds(WARM_UP)
                print("| 503 | seconds | worker's CPU, ms/package | requests |")
                print("|---:|---:|---:|---:|")
                for share in (0, options.share) * 2:
                    print(await bench.row(share, options.packages), flush=True)
        finally:
            fleet.close()


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--packages", type=int, default=200, help="packages of each measurement")
    parser.add_argument("--share", type=float, default=0.02, help="share of responses with 503")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedStack(load_settings(None, data_dir=folder / "stack")) as stack:
            asyncio.run(measure(stack.start(), folder, options))


if __name__ == "__main__":
    main()
