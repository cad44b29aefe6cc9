"""The writer on an empty graph, and on one that holds millions of versions already.

``python -m benchmarks.prefilled --versions 1000000``: the same packages are written into both,
by as many tasks as a worker has. The prefilled graph has the schema, its packages require each
other by a power law (a few are required by very many), and those that are written require
these. On the empty graph what they require becomes stubs.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from neo4j import Driver, GraphDatabase

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package, Purl, Requirement, Version, VersionName
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings, load_settings
from tests.servers import servers_of

ECOSYSTEM = "npm"
CONCURRENCY = 32
VERSIONS = 15
REQUIREMENTS = 5
"""Of each package that is written, and of each of its versions."""

PREFILLED_VERSIONS = 10
"""Of each package that is there before."""

POPULARITY = 2.5
"""As in the registry simulator: package ``n * u ** POPULARITY`` is required, u even in [0, 1)."""

WARM_UP = 300
"""Packages of a round that is not measured: the server compiles what it runs often."""

WARM_ROUNDS = 4
"""The server counts as warm when so many rounds have not been a tenth faster than the best ..."""

MOST_WARM_ROUNDS = 40
"""... and after so many in any case. Without this, the graph that comes second wins."""

ROUNDS = 3
"""Of as many packages each; the best one counts."""

PACKAGES_PER_TRANSACTION = 20_000
VERSIONS_PER_TRANSACTION = 20_000

FETCHED = datetime(2026, 1, 1, tzinfo=UTC)

CREATE_PACKAGES = """
UNWIND range($start, $end - 1) AS i
CREATE (:NPMPackage {
  purl: 'pkg:npm/before-' + i, name: 'before-' + i, registry_name: 'before-' + i,
  vendor: 'owner-' + (i % 1000), repository_url: 'https://example.org/before-' + i,
  import_names: ['before-' + i], moment: localdatetime('2026-01-01') + duration({seconds: i}),
  latest: '1.9.0'
})
"""

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
WITH package, version, all_required
UNWIND all_required AS required
CREATE (version)-[:REQUIRE {constraints: '^1.0.0', parent_version_name: package.purl}]->(required)
"""
"""As the writer writes them, but made up by the server: nothing of it travels."""

COUNTS = """
CALL () { MATCH (:Version) RETURN count(*) AS versions }
CALL () { MATCH ()-[:REQUIRE]->() RETURN count(*) AS edges }
RETURN versions, edges
"""

MOST_REQUIRED = """
MATCH (package:NPMPackage {purl: 'pkg:npm/before-0'}) RETURN COUNT { (package)<-[:REQUIRE]-() } AS n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was written in a second."""

    packages: float
    versions: float
    edges: float
    statements: float
    """Per package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run said."""

    versions: int
    """In the prefilled graph ..."""
    edges: int
    """... with so many requirements ..."""
    most_required: int
    """... of which so many are on the same package."""
    prefill_seconds: float
    empty: Rates
    full: Rates


async def measure(
    settings: Settings, servers: Servers, *, versions: int, count: int
) -> Measurement:
    """Write ``count`` packages into an empty graph, prefill it, and write as many again."""
    packages = max(versions // PREFILLED_VERSIONS, 1000)
    labels = [cls.identity.label for cls in ecosystems().values()]
    with GraphDatabase.driver(servers.graph_uri) as driver:
        async with open_driver(servers, settings) as graph:
            await ensure_schema(graph, labels)
        await _warm_up(settings, servers, packages)
        _empty(driver)
        await _write(settings, servers, _packages("warm", WARM_UP, packages))
        empty = await _best(settings, servers, "first", count, packages)
        _say(f"empty: {empty}")
        _empty(driver)
        started = time.perf_counter()
        prefill(driver, packages, versions)
        async with open_driver(servers, settings) as graph:
            await ensure_schema(graph, labels)
        elapsed = time.perf_counter() - started
        (row,) = driver.execute_query(COUNTS).records
        most_required = driver.execute_query(MOST_REQUIRED).records[0]["n"]
        await _write(settings, servers, _packages("warm", WARM_UP, packages))
        full = await _best(settings, servers, "second", count, packages)
        _say(f"prefilled: {full}")
    return Measurement(
        versions=row["versions"],
        edges=row["edges"],
        most_required=most_required,
        prefill_seconds=elapsed,
        empty=empty,
        full=full,
    )


def prefill(driver: Driver, packages: int, versions: int) -> None:
    """Packages with the versions and requirements of a registry that has been read.

    The indexes on versions are made afterwards, all at once, which is faster.
    """
    per_package = max(versions // packages, 1)
    with driver.session() as session:
        session.run("DROP CONSTRAINT version_purl IF EXISTS").consume()
        session.run("DROP INDEX version_name IF EXISTS").consume()
        for start, end in _ranges(packages, PACKAGES_PER_TRANSACTION):
            session.run(CREATE_PACKAGES, start=start, end=end).consume()
        began = time.perf_counter()
        for start, end in _ranges(packages, VERSIONS_PER_TRANSACTION // per_package):
            session.run(
                CREATE_VERSIONS,
                start=start,
                end=end,
                packages=packages,
                versions=per_package,
                requirements=REQUIREMENTS,
                popularity=POPULARITY,
            ).consume()
            if start and start * per_package % 500_000 < VERSIONS_PER_TRANSACTION:
                rate = end * per_package / (time.perf_counter() - began)
                _say(f"{end * per_package:,} of {versions:,} versions, {rate:,.0f}/s")


def _ranges(total: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, total, size):
        yield start, min(start + size, total)


async def _warm_up(settings: Settings, servers: Servers, prefilled: int) -> None:
    """Write until writing does not become faster any more."""
    best, rounds, since = 0.0, 0, 0
    while since < WARM_ROUNDS and rounds < MOST_WARM_ROUNDS:
        packages = _packages(f"cold-{rounds}", WARM_UP, prefilled)
        rate = (await _write(settings, servers, packages)).packages
        rounds += 1
        since = 0 if rate > 1.1 * best else since + 1
        best = max(best, rate)
    _say(f"warm after {rounds} rounds, {best:,.0f} packages/s")


async def _best(
    settings: Settings, servers: Servers, prefix: str, count: int, prefilled: int
) -> Rates:
    """The best of some rounds: whatever else the machine does makes others worse, never better."""
    rounds = [
        await _write(settings, servers, _packages(f"{prefix}-{number}", count, prefilled))
        for number in range(ROUNDS)
    ]
    return max(rounds, key=lambda rates: rates.packages)


async def _write(settings: Settings, servers: Servers, packages: Iterable[Package]) -> Rates:
    """Write packages by concurrent tasks, as a worker does."""
    packages = list(packages)
    waiting = iter(packages)
    order = ecosystem(ECOSYSTEM).order
    async with open_driver(servers, settings) as driver, GraphWriter(driver) as writer:

        async def task() -> None:
            for package in waiting:
                await writer.write(package, order=order)

        started = time.perf_counter()
        await asyncio.gather(*(task() for _ in range(CONCURRENCY)))
        elapsed = time.perf_counter() - started
        statistics = writer.statistics
    versions = sum(len(package.versions) for package in packages)
    edges = sum(len(v.requirements or ()) for package in packages for v in package.versions)
    return Rates(
        packages=len(packages) / elapsed,
        versions=versions / elapsed,
        edges=edges / elapsed,
        statements=statistics.statements / len(packages),
    )


def _packages(prefix: str, count: int, prefilled: int) -> Iterator[Package]:
    cls = ecosystem(ECOSYSTEM)
    for number in range(count):
        yield _package(cls, f"{prefix}-{number}", prefilled)


def _package(cls: type[Ecosystem], name: str, prefilled: int) -> Package:
    random = Random(name)
    ref = cls.ref(name)
    targets = {int(prefilled * random.random() ** POPULARITY) for _ in range(REQUIREMENTS)}
    requirements = tuple(Requirement(cls.ref(f"before-{n}"), "^1.2.0") for n in sorted(targets))
    versions = tuple(
        Version(
            name=VersionName(f"1.{number}.0"),
            purl=Purl(f"{ref.purl}@1.{number}.0"),
            release_date=FETCHED - timedelta(days=VERSIONS - number),
            requirements=requirements,
        )
        for number in range(VERSIONS)
    )
    return Package(
        ref=ref,
        vendor="somebody",
        repository_url=f"https://example.org/{name}",
        versions=versions,
        latest=versions[-1].name,
        fetched_at=FETCHED,
        import_names=(name,),
    )


def _empty(driver: Driver) -> None:
    with driver.session() as session:
        session.run(
            "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS"
        ).consume()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def table(found: Measurement, store: int) -> str:
    """One column per graph, one row per quantity."""
    rows: list[tuple[str, Callable[[Rates], float]]] = [
        ("packages/s", lambda rates: rates.packages),
        ("versions/s", lambda rates: rates.versions),
        ("requirements/s", lambda rates: rates.edges),
    ]
    size = (
        f"{found.versions:,} versions and {found.edges:,} requirements, {found.most_required:,} of "
        f"them on one package, in {found.prefill_seconds:,.0f} s "
        f"({found.versions / found.prefill_seconds:,.0f} versions/s); {store / 1e6:,.0f} MB"
    )
    lines = [
        size,
        "",
        "| | empty | prefilled | ratio |",
        "|---|---:|---:|---:|",
    ]
    for title, value in rows:
        empty, full = value(found.empty), value(found.full)
        lines.append(f"| {title} | {empty:,.0f} | {full:,.0f} | {full / empty:.2f} |")
    statements = f"{found.empty.statements:.2f} | {found.full.statements:.2f} | |"
    return "\n".join([*lines, f"| statements/package | {statements}"])


def main() -> None:
    """Measure on servers of its own, and print Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prefilled", description=main.__doc__
    )
    parser.add_argument("--versions", type=int, default=100_000, help="in the prefilled graph")
    parser.add_argument(
        "--packages", type=int, default=2_000, help="that are written into each, three times"
    )
    parser.add_argument("--folder", type=Path, help="where the stores are put; kept afterwards")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        settings = load_settings(None, data_dir=folder / "stack")
        with EmbeddedStack(settings) as stack:
            addresses = stack.start()
            servers = servers_of(addresses)
            found = asyncio.run(
                measure(settings, servers, versions=arguments.versions, count=arguments.packages)
            )
        # The server has stopped, and written everything.
        databases = settings.data_dir / "neo4j" / "data" / "databases"
        store = sum(file.stat().st_size for file in databases.rglob("*") if file.is_file())
    print(table(found, store))


if __name__ == "__main__":
    main()
