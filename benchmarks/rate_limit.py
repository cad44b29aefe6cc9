"""Packages of many documents under a low rate: what of the permissions becomes packages.

Tasks as many as a fleet may have under way read packages of a simulated registry, each in as many
executions as the fleet's rate limit makes of it, with what the last one left over.
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio as redis

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from tests.contract.fetching import opened, rate_of, read_in_turn
from tests.simulator.client import Simulator

VERSIONS = 24


@dataclass
class Counts:
    """What happened."""

    executions: int = 0
    packages: int = 0


async def read_all(
    addresses: EmbeddedAddresses, simulator: Simulator, packages: int, seconds: float
) -> Counts:
    """Read for so many seconds."""
    counts = Counts()
    names = [package.name for package in simulator.packages("maven", packages, start=100)]
    cls = ecosystem("maven")
    async with (
        redis.Redis.from_url(str(addresses.redis_url)) as cache,
        opened(cls, simulator, load_settings(None), str(addresses.redis_url)) as reader,
    ):
        tasks = [asyncio.create_task(_read(reader, cache, name, counts)) for name in names]
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return counts


async def _read(reader: Ecosystem, cache: redis.Redis, name: str, counts: Counts) -> None:
    async for package in read_in_turn(reader, cache, name):
        counts.executions += 1
        counts.packages += package is not None


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rate_limit", description=__doc__)
    parser.add_argument("--packages", type=int, default=60, help="packages that wait to be read")
    parser.add_argument("--rate", type=float, default=10, help="requests a second")
    parser.add_argument("--seconds", type=float, default=90)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        rate_of(ecosystem("maven"), options.rate),
        EmbeddedStack(
            load_settings(None, graph_db_uri="bolt://nobody:7687", data_dir=Path(folder))
        ) as stack,
        Simulator.start(
            packages=200 + options.packages, versions=str(VERSIONS), requirements="1", plain=True
        ) as simulator,
    ):
        counts = asyncio.run(read_all(stack.start(), simulator, options.packages, options.seconds))
        requests = simulator.counts().total
    print(f"permissions       {options.rate * options.seconds:,.0f}")
    print(f"requests sent     {requests:,}")
    print(f"packages read     {counts.packages} of {VERSIONS + 1} documents each")
    print(f"executions        {counts.executions:,}")


if __name__ == "__main__":
    main()
