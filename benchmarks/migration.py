"""How long a graph of the reference implementation takes to migrate.

``python -m benchmarks.migration --packages 20000``: made-up PyPI projects without purls, ten
versions each, three requirements a version, one project in ten there twice.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from neo4j import GraphDatabase

from ssc_ingest.cli.commands.migrate import Watch
from ssc_ingest.cli.output import console
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.migration import migrate, survey
from ssc_ingest.servers import Servers
from ssc_ingest.settings import load_settings
from tests.servers import servers_of

VERSIONS = 10
REQUIREMENTS = 3
DUPLICATES = 10
"""One package in so many has a second node, under its name in lower case."""

PER_TRANSACTION = 2_000

CREATE_PACKAGES = """
UNWIND range($start, $end - 1) AS i
CREATE (:PyPIPackage {name: 'Package_' + i, vendor: 'n/a', repository_url: 'n/a',
                      moment: localdatetime('2025-11-20')})
FOREACH (_ IN CASE WHEN i % $duplicates = 0 THEN [1] ELSE [] END |
  CREATE (:PyPIPackage {name: 'package_' + i, moment: localdatetime('2025-11-20')}))
"""
CREATE_VERSIONS = """
UNWIND range($start, $end - 1) AS i
MATCH (package:PyPIPackage) WHERE package.name IN ['Package_' + i, 'package_' + i]
CALL (i) {
  UNWIND range(1, $requirements) AS r
  WITH (toFloat((i * 7919 + r * 104729) % 1000003) / 1000003) ^ 2.5 AS share
  MATCH (required:PyPIPackage {name: 'Package_' + toInteger(share * $packages)})
  RETURN collect(required) AS all_required
}
UNWIND range(0, $versions - 1) AS serial
CREATE (package)-[:HAVE]->(version:Version {
  name: '1.' + serial, serial_number: -serial, mean: 0.0, weighted_mean: 0.0,
  release_date: '2025-01-01T00:00:00'
})
WITH package, version, all_required, serial
UNWIND all_required AS required
CREATE (version)-[:REQUIRE {constraints: '>=1.' + serial, parent_version_name: package.name}]
       ->(required)
"""


async def measure(servers: Servers, *, packages: int) -> str:
    """Build, look, migrate, migrate again; one line of Markdown table for each."""
    settings = load_settings(None)
    with GraphDatabase.driver(servers.graph_uri) as driver, driver.session() as session:
        session.run("CREATE INDEX FOR (p:PyPIPackage) ON (p.name)").consume()
        parameters = {
            "packages": packages,
            "versions": VERSIONS,
            "requirements": REQUIREMENTS,
            "duplicates": DUPLICATES,
        }
        for statement in (CREATE_PACKAGES, CREATE_VERSIONS):
            for start in range(0, packages, PER_TRANSACTION):
                end = min(start + PER_TRANSACTION, packages)
                session.run(statement, {**parameters, "start": start, "end": end}).consume()
        versions = session.run("MATCH (v:Version) RETURN count(v) AS n").single(strict=True)["n"]
        edges = session.run("MATCH ()-[r:REQUIRE]->() RETURN count(r) AS n").single(strict=True)[
            "n"
        ]
    lines = [f"{packages:,} packages, {versions:,} versions, {edges:,} requirements", ""]
    watch = Watch(console(stderr=True))
    async with open_driver(servers, settings) as graph:
        for title, work in (("dry run", survey), ("migration", migrate), ("again", migrate)):
            started = time.perf_counter()
            with watch:
                await work(graph, ecosystems().values(), watch)
            elapsed = time.perf_counter() - started
            rates = f"{versions / elapsed:,.0f} versions/s, {edges / elapsed:,.0f} requirements/s"
            lines.append(f"| {title} | {elapsed:.1f} s | {rates} |")
            sys.stderr.write(f"{lines[-1]}\n")
    return "\n".join(lines)


def main() -> None:
    """Measure on servers of its own, and print Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.migration", description=main.__doc__
    )
    parser.add_argument("--packages", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, data_dir=Path(folder) / "stack")
        with EmbeddedStack(settings) as stack:
            addresses = stack.start()
            servers = servers_of(addresses)
            print(asyncio.run(measure(servers, packages=arguments.packages)))


if __name__ == "__main__":
    main()
