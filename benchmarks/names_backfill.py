"""A backfill of import names whose workers are killed, and its effect on urgent packages.

``python -m benchmarks.names_backfill --packages 10000`` ingests a simulated PyPI without import
names and starts a backfill of all packages. The fleet is like that of ``up``, with two workers of
bulk queues, which are killed three times. Crates are requested one after the other, before the
backfill and during it: the time from the request to the graph is compared. It ends with an error
unless the graph has the names of all files at the end.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from neo4j import GraphDatabase

from benchmarks.like_up import start_others, start_worker
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.resources import State, open_state
from ssc_ingest.runs.model import Run
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import load_settings
from tests.acceptance.fleet import Fleet, WorkerProcess, eventually
from tests.acceptance.outages import sweeping
from tests.servers import servers_of
from tests.simulator.client import Simulator
from tests.simulator.truth import PackageTruth

URGENT = 40
"""Packages that are requested one after the other, before the backfill and during it."""

READ = "MATCH (p:PyPIPackage) RETURN count(p.import_names_from) AS n"
NAMES = """
MATCH (p:PyPIPackage) RETURN p.purl AS purl, p.import_names AS names, p.import_names_from AS version
"""
IS_THERE = "MATCH (p:CargoPackage {purl: $purl}) WHERE p.moment IS NOT NULL RETURN 1"

Cypher = Callable[..., list[dict[str, Any]]]


def main() -> None:
    """Read the command line, and print what was measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.names_backfill", description=__doc__
    )
    parser.add_argument("--packages", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedStack(load_settings(None, data_dir=folder / "stack")) as stack:
            found = asyncio.run(_measure(stack.start(), folder, arguments))
    print(json.dumps(found))


async def _measure(
    addresses: EmbeddedAddresses, folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    servers = servers_of(addresses)
    with (
        Simulator.start(
            packages=arguments.packages, versions="1", requirements="0", plain=True
        ) as simulator,
        GraphDatabase.driver(servers.graph_uri) as driver,
    ):

        def cypher(query: str, **parameters: Any) -> list[dict[str, Any]]:
            return [row.data() for row in driver.execute_query(query, parameters).records]

        fleet = Fleet(servers, simulator.environment(), folder)
        fleet.environment |= {"WORKER_CONCURRENCY": "32", "LOG_LEVEL": "INFO"}
        try:
            async with open_state(load_settings(None), servers) as state:
                backfill = Backfill(fleet, state, cypher, simulator)
                return await backfill.measure(arguments.packages, arguments.kills)
        finally:
            fleet.close()


class Backfill:
    """One backfill of PyPI by a fleet of two worker processes."""

    def __init__(self, fleet: Fleet, state: State, cypher: Cypher, simulator: Simulator) -> None:
        self._fleet = fleet
        self._state = state
        self._cypher = cypher
        self._simulator = simulator
        self._started = 0

    async def measure(self, packages: int, kills: int) -> dict[str, Any]:
        """Ingest, fill, kill, compare."""
        await asyncio.to_thread(start_others, self._fleet)
        workers = [await self._start(), await self._start()]
        self._fleet.send("ingestion.ingest", ecosystem="pypi")
        await self._until("ingestion", lambda run: run.ended)
        crates = [each.name for each in self._simulator.packages("cargo", 2 * URGENT + 1)]
        await self._urgent(crates[:1])
        before = await self._urgent(crates[1 : URGENT + 1])

        began = time.monotonic()
        self._fleet.send("import_names.backfill", ecosystem="pypi", limit=0, concurrency=10)
        await self._until("import_names", lambda run: run.done > 0)
        during = await self._urgent(crates[URGENT + 1 :])
        unfinished = packages - self._read()
        async with sweeping(self._fleet):
            for number in range(kills):
                await self._named(packages * (number + 1) // (kills + 2))
                workers[number % 2].kill()
                workers[number % 2] = await self._start()
            ended = await self._until("import_names", lambda run: run.ended)
        seconds = time.monotonic() - began
        _compare(self._cypher, list(self._simulator.truths("pypi")))
        if ended.state != "finished":
            raise RuntimeError(f"the backfill ended as {ended.state}: {ended.error}")
        return {
            "packages": packages,
            "kills": kills,
            "restarts": ended.restarts,
            "seconds": round(seconds),
            "names_read": self._read(),
            "counted": ended.metrics()["packages_processed"],
            "urgent_before_s": _quantiles(before),
            "urgent_during_s": _quantiles(during),
            "unfinished_after_urgent": unfinished,
        }

    async def _start(self) -> WorkerProcess:
        self._started += 1
        return await asyncio.to_thread(start_worker, self._fleet, f"worker-{self._started}@test")

    def _read(self) -> int:
        return int(self._cypher(READ)[0]["n"])

    async def _named(self, count: int) -> None:
        async def are_read() -> bool:
            return self._read() >= count

        await eventually(are_read, seconds=24 * 3600)

    async def _until(self, kind: str, condition: Callable[[Run], bool]) -> Run:
        while True:
            with suppress(StopIteration):
                newest = await self._state.runs.newest()
                run = next(each for each in newest if each.kind == kind)
                sys.stderr.write(f"\r{kind}: {run.done:,} packages ")
                if condition(run):
                    sys.stderr.write("\n")
                    return run
            await asyncio.sleep(0.1)

    async def _urgent(self, names: list[str]) -> list[float]:
        """Seconds from the request to the graph, of each crate."""
        seconds = []
        for name in names:
            purl = self._simulator.truth("cargo", name).purl
            began = time.monotonic()
            self._fleet.send(ecosystem="cargo", name=name)
            while not self._cypher(IS_THERE, purl=purl):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.005)
            seconds.append(time.monotonic() - began)
        return seconds


def _compare(cypher: Cypher, truths: list[PackageTruth]) -> None:
    found = {row["purl"]: (row["names"], row["version"]) for row in cypher(NAMES)}
    for truth in truths:
        expected = (list(truth.import_names or ()), truth.latest)
        if found[truth.purl] != expected:
            raise RuntimeError(f"{truth.purl}: {found[truth.purl]} instead of {expected}")


def _quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return {"p50": round(statistics.median(seconds), 3), "p95": round(cuts[-1], 3)}


if __name__ == "__main__":
    main()
