"""Listing and comparing alone: how fast a run looks through a registry that the graph has.

``python -m benchmarks.anti_join --names 1000000`` fills a graph with as many packages as the
listing names and lets a run of the real engine list them, with nothing to extract. Prints the
rate and the largest memory of the process, sampled every second.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
from neo4j import AsyncDriver

from ssc_ingest.ecosystems.base import ChangesPage, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.models import Package
from ssc_ingest.resources import Resources, open_resources
from ssc_ingest.runs.engine import Engine
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from tests.servers import servers_of

FILL = """
UNWIND range($start, $end - 1) AS number
CREATE (:PyPIPackage {
  purl: 'pkg:pypi/package-' + number, name: 'package-' + number, moment: localdatetime(),
  registry_name: 'package-' + number, vendor: 'n/a', repository_url: 'n/a', import_names: []
})
"""


class Listed(PyPI):
    """A registry that only lists: names that follow from their number."""

    count = 0
    page_size = 0

    async def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """Pages of the names."""
        for start in range(int(cursor or 0), self.count, self.page_size):
            end = min(start + self.page_size, self.count)
            names = tuple(f"package-{number}" for number in range(start, end))
            yield NamesPage(names, str(end), self.count)

    async def feed_end(self) -> str:
        """It has no feed."""
        return "0"

    async def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Nothing."""
        for _ in ():
            yield ChangesPage((), cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Nobody asks."""
        raise NotImplementedError


def main() -> None:
    """Fill a graph, list, compare, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anti_join", description=__doc__)
    parser.add_argument("--names", type=int, default=20_000, help="in the listing")
    parser.add_argument("--in-graph", type=int, help="packages of the graph; all if not given")
    parser.add_argument("--page", type=int, default=10_000, help="names on a page of the listing")
    arguments = parser.parse_args()
    in_graph = arguments.names if arguments.in_graph is None else arguments.in_graph
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, data_dir=Path(folder) / "stack")
        with EmbeddedStack(settings) as stack:
            found = asyncio.run(_measure(stack.start(), arguments.names, in_graph, arguments.page))
    print(json.dumps(found))


async def _measure(
    addresses: EmbeddedAddresses, names: int, in_graph: int, page: int
) -> dict[str, float]:
    servers = servers_of(addresses)
    # Nobody works on what is published, so that there must be room for all of it.
    settings = load_settings(None, run_high_water=names + 1)
    async with open_resources(settings, servers, env_file=None) as resources:
        await ensure_schema(resources.driver, [PyPI.identity.label])
        await _fill(resources.driver, in_graph)
        Listed.count, Listed.page_size = names, page
        pypi = resources.ecosystems["pypi"]
        listed = Listed(pypi.client, pypi.endpoints)
        listing = replace(resources, ecosystems={"pypi": listed})
        samples: list[int] = []
        sampler = asyncio.create_task(_sample(samples))
        seconds = await _list(listing, names)
        sampler.cancel()
    return {
        "names": names,
        "packages_in_graph": in_graph,
        "names_per_second": round(names / seconds),
        "seconds": round(seconds, 1),
        "memory_at_start_mb": round(samples[0] / 1e6),
        "peak_memory_mb": round(max(samples) / 1e6),
        "samples": len(samples),
    }


async def _fill(driver: AsyncDriver, count: int) -> None:
    for start in range(0, count, 20_000):
        end = min(start + 20_000, count)
        await driver.execute_query(FILL, {"start": start, "end": end})
        sys.stderr.write(f"\rfilling the graph: {end:,} packages")
    await driver.execute_query("CALL db.awaitIndexes(600)")
    sys.stderr.write("\n")


async def _sample(samples: list[int]) -> None:
    process = psutil.Process()
    while True:
        samples.append(process.memory_info().rss)
        await asyncio.sleep(1)


async def _list(resources: Resources, names: int) -> float:
    """Seconds until the listing is done with."""
    runs = resources.state.runs
    run, _ = await runs.start("ingestion", "pypi")
    started = time.perf_counter()
    engine = asyncio.create_task(Engine(resources.run_services("pypi"), run).carry_out())
    while not engine.done():
        found = await runs.get(run.id)
        assert found
        listed = found.counts["listed"]
        sys.stderr.write(f"\rlisting: {listed:,} names")
        if found.phase == "draining":
            break
        await asyncio.sleep(0.2)
    seconds = time.perf_counter() - started
    sys.stderr.write("\n")
    await runs.cancel(run.id)
    with suppress(Exception):
        await engine
    found = await runs.get(run.id)
    assert found
    assert found.counts["listed"] == names
    return seconds


if __name__ == "__main__":
    main()
