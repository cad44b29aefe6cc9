"""Import names with real workers: beside extractions, in a backfill that is killed, in commands."""

import asyncio
import re
from itertools import product
from typing import Any

import pytest

from ssc_ingest.ecosystems import built_in, ecosystem
from ssc_ingest.resources import State
from ssc_ingest.runs.model import Run
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.test_runs import CommandLine, run  # noqa: F401 - a fixture
from tests.acceptance.work import carried_out, settled
from tests.conftest import Cypher
from tests.simulator.client import Simulator
from tests.toy.registry import ToyRegistry

TOYS = [f"toy-{first}{second}" for first, second in product("abcdefghij", repeat=2)]

REGISTRY = 20
"""Packages of a simulated registry."""

COUNT = "MATCH (p:%s) RETURN count(p.import_names_from) AS n"
NAMES = """
MATCH (p:%s) WHERE p.moment IS NOT NULL
RETURN p.purl AS purl, p.import_names AS names, p.import_names_from AS version
"""

FORGET = """
MATCH (p:ToyPackage) SET p.import_names = [replace(p.name, '-', '_')] REMOVE p.import_names_from
"""
"""Only guesses are left, as after an upgrade."""


def named(cypher: Cypher) -> int:
    """Number of toys whose names were read."""
    (row,) = cypher("MATCH (p:ToyPackage) RETURN count(p.import_names_from) AS n")
    return int(row["n"])


async def all_named(cypher: Cypher, count: int) -> None:
    """Wait until the names of this number of toys were read."""

    async def are_named() -> bool:
        return named(cypher) >= count

    await eventually(are_named)


async def run_of(state: State, task_id: str) -> Run:
    """The run that this task started."""
    return next(each for each in await state.runs.newest() if each.task_id == task_id)


async def resumed(fleet: Fleet, state: State, task_id: str) -> None:
    """Wait until a worker executes the run again.

    A sweep that was killed with its worker holds its lock until that expires.
    """

    async def is_resumed() -> bool:
        current = await run_of(state, task_id)
        if current.owner or current.ended:
            return True
        fleet.send("runs.sweep")
        await asyncio.sleep(1)
        return False

    await eventually(is_resumed)


@pytest.mark.soak
@pytest.mark.usefixtures("plugin")
async def test_a_backfill_whose_workers_are_killed_ends_complete(
    fleet: Fleet, toys: ToyRegistry, state: State, cypher: Cypher
) -> None:
    """Three workers are killed in the middle; each package is counted once."""
    for name in TOYS:
        toys.put(name, {"1": {}}, imports={"1": [name.replace("-", ".")]})
    fleet.environment["IMPORT_NAMES_READ"] = "latest"
    worker = fleet.start()
    fleet.send("ingestion.ingest", ecosystem="toy")
    await all_named(cypher, len(TOYS))
    await state.cache.flushdb()
    cypher(FORGET)

    task_id = fleet.send("import_names.backfill", ecosystem="toy", limit=0, concurrency=4)
    for number, done in enumerate((10, 30, 50)):
        await all_named(cypher, done)
        worker.kill()
        backfill = await run_of(state, task_id)
        assert not backfill.ended
        await state.redis.delete(f"run:{backfill.id}:lease")  # it would expire after a minute
        worker = fleet.start(name=f"worker{number}@test")
        await resumed(fleet, state, task_id)

    async def has_ended() -> bool:
        return (await run_of(state, task_id)).ended

    await eventually(has_ended)
    ended = await run_of(state, task_id)
    assert (ended.state, ended.metrics()["packages_processed"]) == ("finished", len(TOYS))
    assert ended.metrics()["errors"] == 0
    assert named(cypher) == len(TOYS)
    rows = cypher("MATCH (p:ToyPackage {name: 'toy-aa'}) RETURN p.import_names AS names")
    assert rows == [{"names": ["toy.aa"]}]
    assert await state.dead_letters.count() == 0


async def test_the_names_of_whole_registries(fleet: Fleet, state: State, cypher: Cypher) -> None:
    """The graph has the names of all packages' files, and a guess where no file is served."""
    names = [cls.identity.name for cls in built_in()]
    with Simulator.start(packages=REGISTRY, versions="1-3", requirements="0-1") as simulator:
        fleet.environment |= simulator.environment() | {"IMPORT_NAMES_READ": "latest"}
        fleet.start()
        for name in names:
            await carried_out(fleet, state, "ingestion", name)
            await assert_names_are_the_files(simulator, cypher, name)
    await settled(state)
    assert await state.dead_letters.count() == 0


async def assert_names_are_the_files(simulator: Simulator, cypher: Cypher, name: str) -> None:
    """Wait until the graph has the names of one ecosystem, and compare them."""
    reader = ecosystem(name)
    truths = [truth for truth in simulator.truths(name) if truth.latest]
    served = sum(truth.import_names is not None for truth in truths)
    assert served > REGISTRY / 4

    async def are_read() -> bool:
        (row,) = cypher(COUNT % reader.identity.label)
        return int(row["n"]) >= served

    await eventually(are_read)
    rows = cypher(NAMES % reader.identity.label)
    found = {row["purl"]: (set(row["names"]), row["version"]) for row in rows}
    for truth in truths:
        guess = {reader.fallback_import_name(reader.ref(truth.registry_name))}
        if truth.import_names is None:
            assert found[truth.purl] == (guess, None)
        else:
            assert found[truth.purl] == (set(truth.import_names) or guess, truth.latest)


async def test_import_names_on_the_command_line(
    run: CommandLine,  # noqa: F811
    fleet: Fleet,
    toys: ToyRegistry,
    cypher: Cypher,
) -> None:
    """Names are shown, read on request, found, and read for all packages with a summary."""
    toys.put("truck", {"1": {}, "2": {}}, imports={"1": ["old.truck"], "2": ["truck", "truck.x"]})
    fleet.environment["IMPORT_NAMES_READ"] = "latest"
    fleet.start()
    await run("extract", "pkg:toy/truck", "pkg:toy/ball", "--wait")
    await all_named(cypher, 2)

    shown = await run.json("import-names", "show", "pkg:toy/truck")
    assert shown == {
        "purl": "pkg:toy/truck",
        "import_names": ["truck", "truck.x"],
        "import_names_from": "2",
        "import_names_guessed": False,
    }
    shown = await run.json("import-names", "show", "pkg:toy/truck@1")
    assert shown["import_names"] == ["old.truck"]
    (row,) = cypher("MATCH (v:Version {purl: 'pkg:toy/truck@1'}) RETURN v.import_names AS names")
    assert row == {"names": ["old.truck"]}
    text, _ = await run("import-names", "show", "pkg:toy/truck@1")
    assert "old.truck" in text
    _, error = await run("import-names", "show", "pkg:toy/kite", returncode=1)
    assert "not in the graph" in error

    await found(run, "truck.x", ["pkg:toy/truck"])
    text, _ = await run("find-import", "nothing", "--ecosystem", "toy", returncode=1)
    assert "no package in the graph is imported as nothing" in text

    cypher(FORGET)
    text, _ = await run("show", "pkg:toy/truck")
    assert "a guess" in text
    text, _ = await run("import-names", "backfill", "toy")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    assert lines[:6] == [
        "import names of toy",
        "succeeded 1",
        "without imports 1",
        "download errors 0",
        "processing errors 0",
        "total 2",
    ]
    assert re.fullmatch(r"total time .+", lines[6])
    assert re.fullmatch(r"average per package \d+\.\d{3} s", lines[7])


async def found(run: CommandLine, name: str, purls: list[Any]) -> None:  # noqa: F811
    """Wait until the index, which follows the graph, finds these packages."""
    async with asyncio.timeout(60):
        while True:
            process = run.start("find-import", name, "--json")
            out, _ = await asyncio.to_thread(process.communicate)
            if all(purl in out for purl in purls):
                return
