"""Search by import name: how long it takes in a graph of many packages, and whether it scans.

``python -m benchmarks.find_import --packages 1000000`` fills a private graph with packages of ten
import names each, and finds some of them by name. Prints the seconds of filling, the median and
the longest search in milliseconds, and the time of the same search without the index.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from neo4j import AsyncDriver

from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.import_names import ImportNamesGraph
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from tests.servers import servers_of

LABEL = "PyPIPackage"
SEARCHES = 200
AT_ONCE = 20_000

FILL = """
UNWIND range($start, $end - 1) AS number
CREATE (:PyPIPackage {
  purl: 'pkg:pypi/package-' + number, name: 'package-' + number, moment: localdatetime(),
  registry_name: 'package-' + number, vendor: 'n/a', repository_url: 'n/a', latest: '1',
  import_names_from: '1',
  import_names: ['package_' + number, 'common']
                + [n IN range(1, 8) | 'package_' + number + '.module_' + n]
})
"""

SCAN = "MATCH (p:PyPIPackage) WHERE $name IN p.import_names RETURN count(p) AS found"


def main() -> None:
    """Fill a graph, search, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.find_import", description=__doc__)
    parser.add_argument("--packages", type=int, default=100_000, help="in the graph")
    packages = parser.parse_args().packages
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, data_dir=Path(folder) / "stack")
        with EmbeddedStack(settings) as stack:
            found = asyncio.run(_measure(stack.start(), packages))
    print(json.dumps(found))


async def _measure(addresses: EmbeddedAddresses, packages: int) -> dict[str, float]:
    servers = servers_of(addresses)
    async with open_driver(servers, load_settings(None)) as driver:
        filling = await _fill(driver, packages)
        graph = ImportNamesGraph(driver)
        seconds = []
        for number in range(SEARCHES):
            which = number * packages // SEARCHES
            name = f"package_{which}.module_{1 + number % 7}"
            began = time.perf_counter()
            found = await graph.imported_as(LABEL, name, 10)
            seconds.append(time.perf_counter() - began)
            if [package.purl for package in found] != [f"pkg:pypi/package-{which}"]:
                raise RuntimeError(f"{name}: found {found}")
        began = time.perf_counter()
        await driver.execute_query(SCAN, {"name": "package_1.module_1"})
        scan = time.perf_counter() - began
    return {
        "packages": packages,
        "seconds_to_fill": round(filling, 1),
        "search_median_ms": round(1000 * statistics.median(seconds[1:]), 2),
        "search_max_ms": round(1000 * max(seconds[1:]), 1),
        "scan_ms": round(1000 * scan),
    }


async def _fill(driver: AsyncDriver, count: int) -> float:
    began = time.perf_counter()
    for start in range(0, count, AT_ONCE):
        end = min(start + AT_ONCE, count)
        await driver.execute_query(FILL, {"start": start, "end": end})
        sys.stderr.write(f"\rfilling the graph: {end:,} packages")
    sys.stderr.write("; filling the indexes\n")
    # Afterwards, which is faster than package by package.
    await ensure_schema(driver, [LABEL])
    await driver.execute_query("CALL db.awaitIndexes(3600)")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
