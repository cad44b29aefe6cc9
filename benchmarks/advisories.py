"""Measures the import of half a million advisories, most of them malware of unknown packages.

.. code-block:: sh

    python -m benchmarks.advisories --records 500000

Prints the rate and the memory of the importing process, for the first import from a dump, a second
full sync without changes, and an incremental sync of a hundred changed records. Then it measures
with a real worker how long it takes from the request for a sync until a changed record has changed
the graph.
"""

import argparse
import asyncio
import json
import tempfile
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, Self

import psutil
from neo4j import GraphDatabase

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.http.client import open_transport
from ssc_ingest.metrics import Metrics
from ssc_ingest.resources import open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import load_settings
from ssc_ingest.vulnerabilities.sources import LocalCopy, Source, open_source
from ssc_ingest.vulnerabilities.store import open_store
from ssc_ingest.vulnerabilities.sync import SyncReport, sync_ecosystem
from tests.acceptance.fleet import Fleet
from tests.servers import servers_of
from tests.simulator.client import Simulator

MALWARE = 0.9
"""Share of the records."""

CHANGED = 100

PACKAGES = 1000
"""In the graph, each with one record, when amendments are measured."""


class Peak:
    """The largest memory of this process while the block runs, in MB."""

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self.before = self.megabytes = self._process.memory_info().rss / 1e6
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            self.megabytes = max(self.megabytes, self._process.memory_info().rss / 1e6)


def records(count: int, *, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Records as long as real ones: malware, and advisories with aliases and scores."""
    random = Random(seed)
    for number in range(count):
        is_malware = random.random() < MALWARE
        name = f"package-{random.randrange(count)}"
        modified = f"2026-0{random.randint(1, 9)}-{random.randint(10, 28)}T12:00:00.{number:06}Z"
        record: dict[str, Any] = {
            "schema_version": "1.7.4",
            "id": f"MAL-2026-{number}" if is_malware else f"GHSA-{number:08x}",
            "modified": modified,
            "published": modified,
            "summary": f"Malicious code in {name} (npm)" if is_malware else "Prototype pollution",
            "details": "\n".join(f"{random.random()} is what it does." for _ in range(15)),
            "affected": [
                {
                    "package": {"ecosystem": "npm", "name": name, "purl": f"pkg:npm/{name}"},
                    "ranges": [
                        {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}
                    ],
                    "versions": [f"1.0.{n}" for n in range(random.randint(1, 8))],
                    "database_specific": {"source": f"https://example.org/{number}.json"},
                }
            ],
            "references": [{"type": "WEB", "url": f"https://example.org/{number}"}],
        }
        if not is_malware:
            record["aliases"] = [f"CVE-2026-{number}"]
            vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
            record["severity"] = [{"type": "CVSS_V3", "score": vector}]
            record["database_specific"] = {"cwe_ids": ["CWE-1321"]}
        yield record


def write_dump(folder: Path, count: int) -> Path:
    """A local copy with that many records."""
    (folder / "npm").mkdir(parents=True)
    with zipfile.ZipFile(
        folder / "npm" / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as archive:
        for record in records(count):
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    return folder


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Any]:
    """What syncs: ``sync(source, **options)``, on servers of its own."""
    settings = load_settings(None, data_dir=folder / "data", graph_db_uri="bolt://graph.invalid")
    async with AsyncExitStack() as stack:
        embedded = stack.enter_context(EmbeddedStack(settings))
        addresses = await asyncio.to_thread(embedded.start)
        servers = Servers(
            "bolt://graph.invalid",
            None,
            str(addresses.redis_url),
            str(addresses.vulnerabilities_uri),
        )
        state = await stack.enter_async_context(open_state(settings, servers))
        store = await stack.enter_async_context(open_store(servers.vulnerabilities_uri, settings))
        await store.ensure_indexes()

        async def sync(source: Source, **options: Any) -> SyncReport:
            identity = ecosystem("npm").identity
            return await sync_ecosystem(
                store, state.changed_packages(), source, identity, settings, **options
            )

        yield sync, state, settings


async def measure(count: int, folder: Path) -> None:
    """Print the figures."""
    async with opened(folder) as (sync, state, settings):
        began = time.monotonic()
        local = LocalCopy(await asyncio.to_thread(write_dump, folder / "osv", count))
        size = (folder / "osv" / "npm" / "all.zip").stat().st_size / 1e6
        print(f"a dump of {count:,} records, {size:.0f} MB, in {time.monotonic() - began:.0f} s")
        for title, options in (("first import", {}), ("full sync, unchanged", {"full": True})):
            with Peak() as peak:
                report = await sync(local, **options)
            print(
                f"{title}: {report.new:,} new in {report.seconds:.0f} s, "
                f"{report.examined / report.seconds:,.0f} records/s, memory {peak.before:.0f} -> "
                f"{peak.megabytes:.0f} MB"
            )
        await incremental(sync, state, settings)


async def incremental(sync: Any, state: Any, settings: Any) -> None:
    """A hundred changed records of a bucket."""
    with Simulator.start(packages=10) as simulator:
        some = [record | {"id": f"INC-{n}"} for n, record in enumerate(records(2000))]
        simulator.put_advisories("npm", some)
        url = simulator.environment()["OSV_URL"]
        async with open_transport(settings) as transport:
            bucket = open_source(
                transport, state.limiter, settings.model_copy(update={"osv_url": url}), Metrics()
            )
            await sync(bucket, full=True, accept_removals=True)
            changed = [
                {
                    **record,
                    "summary": "changed",
                    "modified": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                }
                for record in some[:CHANGED]
            ]
            simulator.put_advisories("npm", changed)
            simulator.reset_counts()
            report = await sync(bucket)
            print(
                f"incremental: {report.updated} updated in {report.seconds:.1f} s, "
                f"{simulator.counts().total} requests, {report.packages} packages to attribute"
            )


CREATE = """
UNWIND range(0, $packages - 1) AS i
WITH 'p' + i AS name
CREATE (:PyPIPackage {
  purl: 'pkg:pypi/' + name, name: name, registry_name: name, moment: localdatetime()
})-[:HAVE]->(:Version {
  name: '1.0', purl: 'pkg:pypi/' + name + '@1.0', serial_number: 0, release_date: 'n/a',
  vulnerabilities: [], mean: 0.0, weighted_mean: 0.0
})
"""

IDS = "MATCH (v:Version {purl: $purl}) RETURN v.vulnerabilities AS ids"


def amendment(number: int, *, hits: bool) -> dict[str, Any]:
    """A record of package ``p<number>``; only if ``hits``, it affects the package's version."""
    return {
        "id": f"PYSEC-{number}",
        "modified": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": f"p{number}"},
                "versions": ["1.0" if hits else "0.9"],
            }
        ],
    }


def amendments(folder: Path, count: int) -> None:
    """Time from the request for a sync until the graph has the changed record, one at a time."""
    settings = load_settings(None, data_dir=folder / "fleet")
    with EmbeddedStack(settings) as embedded, Simulator.start(packages=10) as simulator:
        addresses = embedded.start()
        servers = servers_of(addresses)
        simulator.put_advisories("PyPI", [amendment(n, hits=False) for n in range(PACKAGES)])
        fleet = Fleet(servers, simulator.environment(), folder)
        with closing(fleet), GraphDatabase.driver(servers.graph_uri) as driver:
            driver.execute_query(CREATE, {"packages": PACKAGES})
            fleet.start("control", "celery", "pypi.fresh")
            times = []
            for number in range(count + 1):
                simulator.put_advisories("PyPI", [amendment(number, hits=True)])
                purl = f"pkg:pypi/p{number}@1.0"
                began = time.monotonic()
                fleet.send("vulnerabilities.sync", ecosystem="pypi")
                while not driver.execute_query(IDS, {"purl": purl}).records[0]["ids"]:
                    time.sleep(0.02)
                times.append(time.monotonic() - began)
    times = times[1:]  # the first sync imported the dump
    p95 = quantiles(times, n=20, method="inclusive")[-1]
    print(
        f"amendment to graph: p50 {median(times):.2f} s, p95 {p95:.2f} s, max {max(times):.2f} s "
        f"of {count}"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000, help="to import; 0: none")
    parser.add_argument("--amendments", type=int, default=40, help="changed records; 0: none")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.records:
            asyncio.run(measure(arguments.records, Path(folder)))
        if arguments.amendments:
            amendments(Path(folder), arguments.amendments)


if __name__ == "__main__":
    main()
