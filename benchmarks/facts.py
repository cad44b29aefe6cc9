"""Measures the costs of facts of requirements and versions: store, writer, the graph's readers.

``python -m benchmarks.facts`` writes the same packages without facts, with npm's typical facts, and
with those of crates. Then it writes packages as large as ``web-sys``, ``tokio`` and ``express``,
without and with facts, and reads them like other services. ``--reads`` does only that.

A release without facts ignores them: the same file in its folder measures the state before.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, TypeVar

from neo4j import AsyncDriver

from benchmarks.prefilled import CONCURRENCY
from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.ecosystems.declared import declared
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.graph.changes import ParentEdge
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package, Purl, Requirement, Version, VersionName
from ssc_ingest.settings import load_settings
from tests.integration.test_graph.test_consumer_reads import (
    EXPAND_PACKAGE,
    FILE,
    PACKAGE_STATUS,
    SMT_MODEL,
)
from tests.servers import servers_of

VERSIONS = 15
REQUIREMENTS = 8
REQUIRED = 500
"""Other packages, which all require some of."""

KINDS = ("none", "npm", "cargo")

DECLARED = 0.36
"""Share of the requirements of crates that say more than a range (counted in crates.io's index)."""

DECLARATIONS: Sequence[dict[str, Any]] = (
    {"features": ["derive"]},
    {"target": "cfg(windows)"},
    {"default_features": False},
    {"features": ["std"], "default_features": False},
)

READS = 15
"""Times that a service's read is repeated; the median counts."""

START = datetime(2020, 1, 1, tzinfo=UTC)

NPM: dict[str, Any] = {"engines": '{"node":">= 0.10.0"}', "license": "MIT", "license_spdx": "MIT"}
OLD_NPM: dict[str, Any] = {
    "engines": '{"node":">= 0.8.0"}',
    "deprecated": "express 2.x series is deprecated",
}
"""Of the first third of an npm package's versions."""

UNLICENSED = {"engines": '{"node":">= 0.8.0"}'}
EXPRESS_UNLICENSED = 112
"""Express in npm's registry on 2026-11-28: 290 versions, 288 with engines, the newest 178 with the
licence MIT, none with a deprecation note."""

EMPTY = "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS"

SHAPES: Mapping[str, tuple[str, str, int, int, int]] = {
    "web-sys": ("cargo", "cargo", 90, 4, 1_500),
    "tokio": ("cargo", "cargo", 170, 25, 22),
    "express": ("npm", "express", 290, 30, 0),
    "express, a third deprecated": ("npm", "npm", 290, 30, 0),
}
"""Ecosystem, kind of facts, versions, requirements of each, features of each; about those of the
real packages."""


@dataclass(frozen=True, slots=True)
class Written:
    """The cost of writing some packages."""

    cpu: float
    """Milliseconds of this process for a package."""
    again: float
    """The same where nothing has changed."""
    store: float
    """Bytes for each requirement, with the versions and packages around it."""


def package(
    name: str, kind: str, versions: int, required: int, *, features: int = 4, of: str = "npm"
) -> Package:
    """A package of an ecosystem, with facts of one kind."""
    random = Random(name)
    cls = ecosystem(of)
    ref = cls.ref(name)
    targets = random.sample(range(REQUIRED), required)
    requirements = tuple(_requirement(cls.ref(f"r-{n}"), kind, random) for n in targets)

    def facts(number: int) -> dict[str, Any]:
        if kind == "cargo":
            return {"features": _features(features, number)}
        if kind == "npm":
            return NPM if number >= versions // 3 else OLD_NPM
        if kind == "express":
            return NPM if number >= EXPRESS_UNLICENSED else UNLICENSED
        return {}

    made = tuple(
        Version(
            name=VersionName(f"1.{number}.0"),
            purl=Purl(f"{ref.purl}@1.{number}.0"),
            release_date=START + timedelta(days=number),
            requirements=requirements,
            **facts(number),
        )
        for number in range(versions)
    )
    return Package(
        ref=ref,
        vendor="somebody",
        repository_url=f"https://example.org/{name}",
        versions=made,
        latest=made[-1].name,
        fetched_at=START,
        import_names=(name,),
    )


def _requirement(ref: Any, kind: str, random: Random) -> Requirement:
    plain = Requirement(ref, "^1.2.0")
    if kind in {"npm", "express"}:
        return replace(plain, optional=random.random() < 0.01)
    if kind == "cargo" and random.random() < DECLARED:
        optional = random.random() < 0.5
        texts = declared([{"optional": optional, **random.choice(DECLARATIONS)}])
        return replace(plain, optional=optional, declared=texts)
    return plain


def _features(count: int, number: int) -> str:
    """A table that changes with every tenth version."""
    return json.dumps({f"Feature{n}": [f"Other{n}", f"v{number // 10}"] for n in range(count)})


async def write(driver: AsyncDriver, packages: Sequence[Package]) -> float:
    """Write packages like a worker; returns milliseconds of CPU per package."""
    remaining = iter(packages)
    async with GraphWriter(driver) as writer:

        async def task() -> None:
            for one in remaining:
                await writer.write(one, order=ecosystem(one.ref.ecosystem).order)

        before = time.process_time()
        await asyncio.gather(*(task() for _ in range(CONCURRENCY)))
        return (time.process_time() - before) * 1000 / len(packages)


async def bulk(driver: AsyncDriver, kind: str, count: int, rounds: int) -> tuple[float, float]:
    """Write packages of a kind, and again without a change.

    Returns:
        Milliseconds of CPU per package for both, from the fastest round.
    """
    found = []
    for number in range(rounds + 1):  # the first is not counted: the server compiles its plans
        names = (f"{number}-{n}" for n in range(count))
        packages = [package(name, kind, VERSIONS, REQUIREMENTS) for name in names]
        first = await write(driver, packages)
        later = [replace(one, fetched_at=START + timedelta(days=1)) for one in packages]
        again = await write(driver, later)
        sys.stderr.write(f"{kind}: {first:.2f} {again:.2f}\n")
        found.append((first, again))
    return min(first for first, _ in found[1:]), min(again for _, again in found[1:])


@dataclass(frozen=True, slots=True)
class Read:
    """A package as services read it."""

    status: int
    """Bytes of the answer about the package with all its versions."""
    status_ms: float
    expand_ms: float
    model_ms: float
    """The solver's model of a file that requires the package."""


async def read(driver: AsyncDriver, name: str, *, with_facts: bool) -> Read:
    """Write a package with its requirements, and read it like services."""
    of, kind, versions, required, features = SHAPES[name]
    async with driver.session() as session:
        await (await session.run(EMPTY)).consume()
    facts = kind if with_facts else "none"
    name = name.partition(",")[0]
    made = package(name, facts, versions, required, features=features, of=of)
    others = (package(f"r-{n}", facts, VERSIONS, 3, of=of) for n in range(REQUIRED))
    await write(driver, list(others))
    answer = await driver.execute_query(FILE, n="file", m=made.ref.label.removesuffix("Package"))
    file = answer.records[0]["id"]
    async with GraphWriter(driver) as writer:
        order = ecosystem(made.ref.ecosystem).order
        await writer.write(made, order=order, edges=[ParentEdge(file, "any")])
    label = {"label": made.ref.label}
    parameters = {"name": name, "purl": made.ref.purl, "file": file}
    (found,) = (await driver.execute_query(PACKAGE_STATUS % label, parameters)).records
    return Read(
        len(json.dumps(found["package"], default=str)),
        await _timed(driver, PACKAGE_STATUS % label, parameters),
        await _timed(driver, EXPAND_PACKAGE % label, parameters),
        await _timed(driver, SMT_MODEL, parameters),
    )


async def _timed(driver: AsyncDriver, query: str, parameters: Mapping[str, Any]) -> float:
    seconds = []
    for _ in range(READS):
        started = time.perf_counter()
        await driver.execute_query(query, dict(parameters))
        seconds.append(time.perf_counter() - started)
    return median(seconds) * 1000


async def read_all(driver: AsyncDriver) -> dict[tuple[str, bool], Read]:
    """The results of services' queries for all shapes, without and with facts."""
    return {
        (name, facts): await read(driver, name, with_facts=facts)
        for name in SHAPES
        for facts in (False, True)
    }


ResultT = TypeVar("ResultT")


def on_a_graph(ask: Callable[[AsyncDriver], Awaitable[ResultT]]) -> tuple[ResultT, int]:
    """Run an action on a separate graph.

    Returns:
        Its result, and the bytes of the store after the graph was closed.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, data_dir=Path(folder) / "stack")
        with EmbeddedStack(settings) as stack:
            addresses = stack.start()
            servers = servers_of(addresses)

            async def on_driver() -> ResultT:
                async with open_driver(servers, settings) as driver:
                    labels = [cls.identity.label for cls in ecosystems().values()]
                    await ensure_schema(driver, labels)
                    return await ask(driver)

            found = asyncio.run(on_driver())
        store = settings.data_dir / "neo4j" / "data" / "databases"
        return found, sum(path.stat().st_size for path in store.rglob("*") if path.is_file())


def _written(found: Mapping[str, Written]) -> Iterator[str]:
    yield "| facts | " + " | ".join(found) + " |"
    yield "|---|" + "---:|" * len(found)
    yield "| store, MB per million requirements | " + _row(w.store for w in found.values())
    yield "| writer's CPU, ms/package | " + _row(w.cpu for w in found.values())
    yield "| the same, nothing changed | " + _row(w.again for w in found.values())


def _row(values: Iterator[float]) -> str:
    return " | ".join(f"{value:.2f}" for value in values) + " |"


def _reads(found: Mapping[tuple[str, bool], Read]) -> Iterator[str]:
    yield "| | status, bytes | ratio | status, ms | versions, ms | solver's model, ms |"
    yield "|---|---:|---:|---:|---:|---:|"
    for (name, facts), one in found.items():
        ratio = one.status / found[name, False].status
        title = f"{name}, {'with' if facts else 'without'} facts"
        times = f"{one.status_ms:.1f} | {one.expand_ms:.1f} | {one.model_ms:.0f}"
        yield f"| {title} | {one.status:,} | {ratio:.2f} | {times} |"


def main() -> None:
    """Measure on private servers, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.facts", description=main.__doc__)
    parser.add_argument("--packages", type=int, default=600, help="of each kind in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--reads", action="store_true", help="only the services' reads")
    arguments = parser.parse_args()
    count, rounds = arguments.packages, arguments.rounds
    reads, _ = on_a_graph(read_all)
    if arguments.reads:
        sys.stdout.write("\n".join(_reads(reads)) + "\n")
        return
    _, empty = on_a_graph(lambda driver: driver.execute_query("RETURN 1"))
    written = {}
    for kind in KINDS:
        write_kind = partial(bulk, kind=kind, count=count, rounds=rounds)
        (cpu, again), store = on_a_graph(write_kind)
        edges = count * (rounds + 1) * VERSIONS * REQUIREMENTS
        written[kind] = Written(cpu, again, (store - empty) / edges)
    sys.stdout.write("\n".join(chain(_written(written), [""], _reads(reads))) + "\n")


if __name__ == "__main__":
    main()
