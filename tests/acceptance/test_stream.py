"""Other services request packages through the stream, and use nothing else of this program."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from ssc_ingest.http.client import TRIES
from ssc_ingest.on_demand.stream.messages import job_id
from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from tests.acceptance.fleet import (
    LONG_ENOUGH,
    Fleet,
    eventually,
)
from tests.acceptance.producer import STREAMS, of_a_release, of_main
from tests.acceptance.streams import letters_of
from tests.acceptance.work import assert_nothing_is_left, finished, settled
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds, snapshot
from tests.simulator.client import Simulator

FILE = """
CREATE (file:RequirementFile {name: 'requirements.txt', manager: $manager,
                              moment: localdatetime()})
RETURN elementId(file) AS id
"""

EDGE = """
MATCH (source)-[edge:REQUIRE]->(package {purl: $purl}) WHERE elementId(source) = $parent
RETURN edge.constraints AS constraints, edge.parent_version_name AS parent
"""


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    """Small packages, so that a thousand of them take less than minutes."""
    with Simulator.start(packages=200, versions="1-3", requirements="0-1") as simulator:
        yield simulator


class Caller:
    """Sends one message at a time, and waits for the end of its job."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def call(self, data: str, stream: str = STREAMS[0]) -> Any:
        """The job of the message, after its end."""
        entry: Any = await self._state.streams.xadd(stream, {"data": data})
        job = job_id(stream, entry)

        async def exists() -> bool:
            return await self._state.jobs.get(job) is not None

        await eventually(exists)
        ended = await finished(self._state, job)
        await settled(self._state)
        return ended


async def test_a_file_that_requires_a_package(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The edge is verbatim, also for an existing package; a repeated message changes nothing."""
    (package,) = simulator.packages("pypi", 1, start=150)
    (file,) = cypher(FILE, manager="PyPI")
    caller = Caller(state)

    async def call(constraints: str | None, **fields: Any) -> list[dict[str, Any]]:
        data = of_main("PyPIPackage", package.name, parent_id=file["id"], constraints=constraints,
                       parent_version="9.9", **fields)  # fmt: skip
        assert not (await caller.call(data)).failed
        return cypher(EDGE, parent=file["id"], purl=package.purl)

    moment = cypher("MATCH (f:RequirementFile) RETURN f.moment AS m")
    assert await call(">= 1.2") == [{"constraints": ">= 1.2", "parent": None}]
    assert_graph_holds(cypher, simulator.truth("pypi", package.name))
    before = snapshot(cypher)
    simulator.reset_counts()
    assert await call(">= 1.2") == [{"constraints": ">= 1.2", "parent": None}]
    assert snapshot(cypher) == before
    assert simulator.counts().total == 0, "what is in the graph is not read again"
    assert await call("== 1.4") == [{"constraints": "== 1.4", "parent": None}]
    assert await call(None) == [{"constraints": "any", "parent": None}]
    assert simulator.counts().total == 0
    assert await call("", refresh=True) == [{"constraints": "any", "parent": None}]
    assert simulator.counts().total > 0
    assert cypher("MATCH (f:RequirementFile) RETURN f.moment AS m") == moment
    await assert_nothing_is_left(state)


async def test_a_version_that_requires_a_package(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The edge has the purl of the version's package, regardless of the message."""
    parent, child = simulator.packages("npm", 2, start=150)
    caller = Caller(state)
    await caller.call(of_a_release("NPMPackage", parent.name))
    (row,) = cypher(
        "MATCH ({purl: $p})-[:HAVE]->(v) RETURN elementId(v) AS id LIMIT 1", p=parent.purl
    )
    data = of_a_release("NPMPackage", child.name, parent_id=row["id"], constraints="^1.2.3",
                        parent_version="something")  # fmt: skip
    await caller.call(data)
    edges = cypher(EDGE, parent=row["id"], purl=child.purl)
    assert edges == [{"constraints": "^1.2.3", "parent": parent.purl}]


async def test_names_as_manifests_have_them(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """Another case or separator means the same package; an alias leads to the real one."""
    (nuget,) = simulator.packages("nuget", 1, start=150)
    (npm,) = simulator.packages("npm", 1, start=160)
    (file,) = cypher(FILE, manager="ANY")
    caller = Caller(state)
    for name in (nuget.name.upper(), nuget.name.lower()):
        await caller.call(of_main("NuGetPackage", name, parent_id=file["id"]), STREAMS[1])
    data = of_main("NPMPackage", "my-alias", parent_id=file["id"],
                   constraints=f"npm:{npm.name}@^1.0.0")  # fmt: skip
    await caller.call(data)
    assert cypher(EDGE, parent=file["id"], purl=nuget.purl) == [
        {"constraints": "any", "parent": None}
    ]
    assert cypher(EDGE, parent=file["id"], purl=npm.purl) == [
        {"constraints": "^1.0.0", "parent": None}
    ]
    assert not cypher("MATCH (p {name: 'my-alias'}) RETURN p")
    await assert_nothing_is_left(state)


async def test_a_parent_that_is_gone_is_its_own_reason(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A normal race: the file was deleted in between.

    A file of another registry has its own reason, too.
    """
    (package,) = simulator.packages("cargo", 1, start=150)
    (file,) = cypher(FILE, manager="Cargo")
    (other,) = cypher(FILE, manager="NPM")
    cypher("MATCH (f:RequirementFile) WHERE elementId(f) = $id DELETE f", id=file["id"])
    caller = Caller(state)
    await caller.call(of_main("CargoPackage", package.name, parent_id=file["id"]))
    await caller.call(of_main("CargoPackage", package.name, parent_id=other["id"]))
    await caller.call(of_main("CargoPackage", "no-such-crate", parent_id=other["id"]))
    reasons = [letter[b"error"].decode() for letter in await letters_of(state, STREAMS[0])]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "ParentNotFound", "ParentRefused", "PackageNotFound"
    ]  # fmt: skip
    assert file["id"] in reasons[0]
    assert not cypher("MATCH (p:CargoPackage) RETURN p")


async def test_the_later_constraints_stay(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The first message waits for its registry, and the second overtakes it."""
    (package,) = simulator.packages("rubygems", 1, start=150)
    (file,) = cypher(FILE, manager="RubyGems")
    caller = Caller(state)
    await caller.call(of_main("RubyGemsPackage", package.name))
    simulator.fault("status", package=package.purl, status=503, times=TRIES)

    def data(constraints: str, *, refresh: bool) -> str:
        return of_main("RubyGemsPackage", package.name, parent_id=file["id"],
                       constraints=constraints, refresh=refresh)  # fmt: skip

    first: Any = await state.streams.xadd(STREAMS[0], {"data": data("= 1.0", refresh=True)})
    await eventually(state.queues.delayed)
    await caller.call(data("= 2.0", refresh=False))
    await finished(state, job_id(STREAMS[0], first))
    assert cypher(EDGE, parent=file["id"], purl=package.purl) == [
        {"constraints": "= 2.0", "parent": None}
    ]
    assert "edge_superseded" in shared_fleet.worker.log.read_text()


async def test_the_task_is_a_second_line(
    shared_fleet: Fleet, simulator: Simulator, state: State, servers: Servers
) -> None:
    """The task reports its messages under the usual names; invalid calls become dead letters."""
    (package,) = simulator.packages("pypi", 1, start=170)
    await Caller(state).call(of_main("PyPIPackage", package.name))
    stranger = Celery(broker=servers.redis(1), backend=servers.redis(2))
    try:
        task_id = shared_fleet.send("stream.process", batch=10, block_ms=100)
        result: dict[str, Any] = await asyncio.to_thread(
            AsyncResult(task_id, app=stranger).get, timeout=LONG_ENOUGH
        )
    finally:
        stranger.close()
    names = {"total_processed", "successful", "failed", "validation_errors", "unsupported_types"}
    assert names | {"success_rate", "message"} <= set(result)
    assert result["last_five_minutes"]["successful"] == 1
    assert result["last_five_minutes"]["success_rate"] == 100.0
    shared_fleet.send("stream.process", batch=0)

    async def is_refused() -> bool:
        return await state.dead_letters.count() == 1

    await eventually(is_refused)


async def test_commands_show_the_streams(
    shared_fleet: Fleet, simulator: Simulator, state: State, tmp_path: Path
) -> None:
    """``status`` and ``check`` show readers, unread and pending entries, and messages by result."""
    (package,) = simulator.packages("pypi", 1, start=180)
    await Caller(state).call(of_main("PyPIPackage", package.name))

    async def run(*arguments: str) -> str:
        return (await asyncio.to_thread(shared_fleet.run, *arguments)).stdout

    async def is_read() -> bool:
        return all(stream.is_read for stream in await state.standings.standings())

    await eventually(is_read)
    status = json.loads(await run("status", "--json"))
    while "streams" not in status:  # on a busy machine, Redis may answer too late for one reading
        assert not status["servers"]["redis"]["reachable"], status
        status = json.loads(await run("status", "--json"))
    found = {each["name"]: each for each in status["streams"]}
    assert set(found) == set(STREAMS)
    stream = found[STREAMS[0]]
    assert (stream["lag"], stream["pending"], stream["dead_letters"]) == (0, 0, 0)
    assert stream["total"]["successful"] == stream["recent"]["successful"] == 1
    assert stream["is_read"] is True
    assert "1 reader; 0 unread, 0 pending; 1 of 1 successful" in await run("status")
    checks = json.loads(await run("check", "--offline", "--json"))
    outcomes = {check["subject"]: check["outcome"] for check in checks}
    assert outcomes[f"stream {STREAMS[0]}"] == outcomes[f"stream {STREAMS[1]}"] == "ok"
