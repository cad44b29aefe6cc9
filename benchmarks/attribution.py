"""Measures attribution of one package and of a whole graph, and the blast radius of advisories.

``python -m benchmarks.attribution --versions 1000000`` first attributes, without any server, 100
advisories to a package with 1,000 versions. Then it creates a graph whose packages require each
other by a power law, with several kinds of constraints; one package in twenty has advisories. It
attributes the whole graph twice. Then it measures the blast radius of random advisories, and of
advisories of the ten most required packages, which affect a large part of the graph.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from neo4j import AsyncDriver

from benchmarks.prefilled import CREATE_PACKAGES, PACKAGES_PER_TRANSACTION, POPULARITY
from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.graph.dependents import DependentsReader
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.models import Purl, VersionName
from ssc_ingest.resources import Resources, open_resources
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from ssc_ingest.vulnerabilities.advisory import Advisory, read_affected
from ssc_ingest.vulnerabilities.applying import Applier, Read
from ssc_ingest.vulnerabilities.attribution import attribute
from ssc_ingest.vulnerabilities.attributor import Attributed
from ssc_ingest.vulnerabilities.blast_radius import BlastRadius
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.records import read_record
from ssc_ingest.vulnerabilities.walk import Walk
from tests.servers import servers_of

NPM = ecosystem("npm")
VERSIONS = 10
"""Of each package of the graph."""

REQUIREMENTS = 5
EVERY = 20
"""One package in so many has advisories ..."""

ADVISORIES = 3
"""... and so many of them."""

BATCH = 500

CREATE_VERSIONS = """
UNWIND range($start, $end - 1) AS i
MATCH (package:NPMPackage {purl: 'pkg:npm/before-' + i})
CALL (i) {
  UNWIND range(1, $requirements) AS r
  WITH (toFloat((i * 7919 + r * 104729) % 1000003) / 1000003) ^ $popularity AS share
  WITH DISTINCT toInteger(share * $packages) AS j
  MATCH (required:NPMPackage {purl: 'pkg:npm/before-' + j})
  RETURN collect(required) AS all_required
}
UNWIND range(0, $versions - 1) AS serial
CREATE (package)-[:HAVE]->(version:Version {
  name: '1.' + serial + '.0', purl: package.purl + '@1.' + serial + '.0', serial_number: serial,
  release_date: '2025-01-01T00:00:00.000Z', yanked: false, requirements_digest: '0123456789abcdef',
  mean: 0.0, weighted_mean: 0.0, vulnerabilities: []
})
WITH package, version, serial, i, all_required
UNWIND all_required AS required
WITH package, version, serial, i, required, (i * 31 + serial) % 50 AS kind
CREATE (version)-[:REQUIRE {parent_version_name: package.purl, constraints: CASE
  WHEN kind < 20 THEN '^1.' + (kind % 10) + '.0'
  WHEN kind < 35 THEN '~1.' + (kind % 10) + '.0'
  WHEN kind < 45 THEN '=1.' + (kind % 10) + '.0'
  ELSE '>=1.' + (kind % 10) + '.0 <1.' + (kind % 10 + 3) + '.0' END}]->(required)
"""


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attribution", description=__doc__)
    parser.add_argument("--versions", type=int, default=100_000, help="in the graph; 0: no graph")
    parser.add_argument("--samples", type=int, default=100, help="advisories to follow")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"one_package_ms": one_package()}
    if arguments.versions:
        with tempfile.TemporaryDirectory() as folder:
            settings = load_settings(None, data_dir=Path(folder) / "stack")
            with EmbeddedStack(settings) as stack:
                measured = _measure(stack.start(), arguments.versions, arguments.samples)
                found |= asyncio.run(measured)
    print(json.dumps(found, indent=2))


def one_package() -> dict[str, float]:
    """Milliseconds to attribute 100 advisories to 1,000 versions, without caches, by ecosystem."""
    names = [VersionName(f"{a}.{b}.{c}") for a in range(10) for b in range(10) for c in range(10)]
    found = {}
    for name, cls in ecosystems().items():
        advisories = [
            Advisory(
                id=f"A-{number}",
                flaw=f"A-{number}",
                score=5.0,
                affected=read_affected(
                    [
                        {
                            "package": {"ecosystem": cls.identity.osv_name, "name": "g:p"},
                            "ranges": [
                                {
                                    "type": "ECOSYSTEM",
                                    "events": [
                                        {"introduced": f"{number % 9}.{number % 10}.0"},
                                        {"fixed": f"{number % 9 + 1}.{number % 7}.3"},
                                    ],
                                }
                            ],
                        }
                    ]
                ),
            )
            for number in range(100)
        ]
        times = []
        for _ in range(5):
            started = time.perf_counter()
            attribute(cls, "g:p", names, advisories)
            times.append(time.perf_counter() - started)
        # The first one has parsed the versions; a worker has parsed them at extraction as well.
        found[name] = round(min(times) * 1000, 1)
        found[f"{name}, first"] = round(times[0] * 1000, 1)
    return found


async def _measure(addresses: EmbeddedAddresses, versions: int, samples: int) -> dict[str, Any]:
    servers = servers_of(addresses)
    packages = versions // VERSIONS
    async with open_resources(load_settings(None), servers, env_file=None) as resources:
        await ensure_schema(resources.driver, [NPM.identity.label])
        await resources.vulnerabilities.ensure_indexes()
        await _fill(resources.driver, packages)
        records = await _store(resources, packages)
        return {
            "versions": versions,
            "packages": packages,
            "advisories": records,
            "first_walk": await _walk(resources),
            "second_walk": await _walk(resources),
            "blast_radius": await _blast(resources, packages, samples),
        }


async def _fill(driver: AsyncDriver, packages: int) -> None:
    for start in range(0, packages, PACKAGES_PER_TRANSACTION):
        end = min(start + PACKAGES_PER_TRANSACTION, packages)
        await driver.execute_query(CREATE_PACKAGES, {"start": start, "end": end})
    for start in range(0, packages, 1000):
        end = min(start + 1000, packages)
        await driver.execute_query(
            CREATE_VERSIONS,
            {
                "start": start,
                "end": end,
                "packages": packages,
                "versions": VERSIONS,
                "requirements": REQUIREMENTS,
                "popularity": POPULARITY,
            },
        )
        sys.stderr.write(f"\rfilling the graph: {end * VERSIONS:,} versions")
    await driver.execute_query("CALL db.awaitIndexes(600)")
    sys.stderr.write("\n")


def _records(packages: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(0, packages, EVERY):
        for each in range(ADVISORIES):
            record_id = f"GHSA-{number}-{each}"
            events = [{"introduced": f"1.{each}.0"}, {"fixed": f"1.{each * 2 + 3}.0"}]
            package = {"ecosystem": NPM.identity.osv_name, "name": f"before-{number}"}
            affected = [{"package": package, "ranges": [{"type": "SEMVER", "events": events}]}]
            vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
            yield (
                record_id,
                {
                    "id": record_id,
                    "modified": "2026-01-01T00:00:00Z",
                    "affected": affected,
                    "severity": [{"type": "CVSS_V3", "score": vector}],
                },
            )


async def _store(resources: Resources, packages: int) -> int:
    store, state = resources.vulnerabilities, resources.state
    changed = ChangedPackages(state.redis, state.queues)
    applier = Applier(store, changed, NPM.identity.osv_name)
    batch: list[Read] = []
    count = 0
    for record_id, record in _records(packages):
        batch.append(Read(read_record(json.dumps(record).encode(), record_id), ""))
        if len(batch) == BATCH:
            await applier.apply(batch)
            count += len(batch)
            batch = []
    await applier.apply(batch)
    return count + len(batch)


async def _walk(resources: Resources) -> dict[str, float]:
    reader = AttributionReader(resources.driver)
    walk = Walk(NPM, reader, resources.attributor, resources.state.redis)
    started = time.perf_counter()

    def on_page(_: int, done: Attributed) -> None:
        sys.stderr.write(f"\r{done.versions:,} versions")

    done = await walk.run(on_page)
    seconds = time.perf_counter() - started
    sys.stderr.write("\n")
    return {
        "seconds": round(seconds, 1),
        "packages_per_second": round(done.packages / seconds),
        "versions_per_second": round(done.versions / seconds),
        "versions_changed": done.changed,
    }


async def _blast(resources: Resources, packages: int, samples: int) -> dict[str, Any]:
    """Times for random advisories, and for those of the most required packages."""
    chance = Random(1)
    even = [chance.randrange(packages) // EVERY * EVERY for _ in range(samples)]
    popular = [number * EVERY for number in range(10)]
    found: dict[str, Any] = {}
    for title, drawn in {"drawn_evenly": even, "most_required": popular}.items():
        for depth in (1, 3):
            found[f"{title}_depth_{depth}"] = await _follow(resources, drawn, depth)
            sys.stderr.write(f"{title}, depth {depth}: {found[f'{title}_depth_{depth}']}\n")
    return found


async def _follow(resources: Resources, drawn: list[int], depth: int) -> dict[str, int]:
    reader = DependentsReader(resources.driver, NPM.identity.label, timeout=60)
    radius = BlastRadius(NPM, reader)
    times, reached = [], []
    for number in drawn:
        started = time.perf_counter()
        levels = await radius.levels(
            f"GHSA-{number}-1", [Purl(f"pkg:npm/before-{number}")], depth=depth
        )
        times.append(time.perf_counter() - started)
        reached.append(sum(level.versions for level in levels[1:]))
    return {
        "p50_ms": round(statistics.median(times) * 1000),
        "p95_ms": round(statistics.quantiles(times, n=20, method="inclusive")[-1] * 1000),
        "max_ms": round(max(times) * 1000),
        "versions_p50": round(statistics.median(reached)),
        "versions_max": max(reached),
    }


if __name__ == "__main__":
    main()
