"""Lost, deferred or paused work is completed, by one worker."""

import time
from pathlib import Path

from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually
from tests.acceptance.forks import run_forked
from tests.acceptance.work import (
    assert_nothing_is_left,
    finished,
    in_graph,
    settled,
    start_job,
)
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds
from tests.simulator.client import Simulator

OLD = 3 * 24 * 3600
"""Seconds; longer than work may wait for anything else."""

OLDER = """
MATCH (p {purl: $purl}) SET p.moment = p.moment - duration('P30D')
"""

LINKED = """
CREATE (:RequirementFile {name: 'package.json', manager: 'NPM', moment: localdatetime()})
       -[:REQUIRE {constraints: '^1'}]->(:NPMPackage {purl: $purl, name: $name})
"""


async def test_a_change_that_the_feed_has_lost(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A staleness run, visible in other commands, reads the package when it is due."""
    (package,) = simulator.packages("nuget", 1, start=40)
    shared_fleet.send(ecosystem="nuget", name=package.name, dependencies="none")
    await in_graph(cypher, package.purl)
    simulator.publish("nuget", package.name)
    simulator.drop_feed_entries("nuget")
    cypher(OLDER, purl=package.purl)

    shared_fleet.send("staleness.sweep", ecosystem="nuget")

    async def is_healed() -> bool:
        runs = await state.runs.newest()
        return bool(runs) and all(run.ended for run in runs)

    await eventually(is_healed)
    (run,) = await state.runs.newest()
    assert (run.kind, run.state, run.error) == ("staleness", "finished", None)
    truth = simulator.truth("nuget", package.name)
    found = cypher("MATCH (p {purl: $p})-[:HAVE]->(v) RETURN v.name AS name", p=package.purl)
    assert {row["name"] for row in found} == {version.name for version in truth.versions}


async def test_a_stub_that_a_requirement_file_points_to(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The sweep submits it at once, with all requirements of its versions."""
    (package,) = simulator.packages("npm", 1, start=700, traits=("requirements",))
    cypher(LINKED, purl=package.purl, name=package.name)

    shared_fleet.send("runs.sweep")

    closure = simulator.closure("npm", package.name, "all")
    assert len(closure) > 1
    for purl in closure:
        await in_graph(cypher, purl)
    (file,) = cypher(
        "MATCH (f:RequirementFile)-[e:REQUIRE]->(p) RETURN p.purl AS purl, e.constraints AS c"
    )
    assert file == {"purl": package.purl, "c": "^1"}


async def test_nothing_is_requested_twice(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The list and POMs that arrived before the host requested a pause are kept."""
    package = next(
        found
        for found in simulator.packages("maven", 30, start=30)
        if len(simulator.truth("maven", found.name).versions) >= 5
    )
    truth = simulator.truth("maven", package.name)
    simulator.fault(
        "status", endpoint="maven.pom", package=truth.purl, status=429, retry_after="2",
        after=3, times=1,
    )  # fmt: skip
    job_id = await start_job(state, package.name, "none", "maven")
    await eventually(state.queues.delayed)
    kept = [key async for key in state.cache.scan_iter("carryover:*")]
    assert kept == [f"carryover:{truth.purl}".encode()]
    before = simulator.counts().endpoints["maven.metadata"]
    assert not (await finished(state, job_id)).failed
    assert simulator.counts().endpoints["maven.metadata"] == before == 1
    assert_graph_holds(cypher, truth)
    await settled(state)
    await assert_nothing_is_left(state)
    assert [key async for key in state.cache.scan_iter("carryover:*")] == []


async def test_a_paused_registry_gets_no_requests(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher, tmp_path: Path
) -> None:
    """Urgent and bulk, new and old tasks wait during the pause and then complete."""

    def registries(*arguments: str) -> str:
        done = run_forked("registries", *arguments, environment=shared_fleet.environment,
                          folder=tmp_path, timeout=LONG_ENOUGH)  # fmt: skip
        done.check_returncode()
        return done.stdout

    assert registries("pause", "npm", "--reason", "test") == "npm is paused until it is resumed\n"
    urgent, *bulk, old = simulator.packages("npm", 12, start=30)
    job_id = await start_job(state, urgent.name, "none", "npm")
    messages = [
        TaskMessage(
            task=EXTRACT,
            queue="npm.bulk",
            kwargs={"ecosystem": "npm", "name": package.name, "dependencies": "none"},
            since=time.time() - OLD if package is old else None,
        )
        for package in (*bulk, old)
    ]
    await state.queues.publish(messages)

    async def all_wait() -> bool:
        return await state.queues.delayed() == 12

    await eventually(all_wait)
    await settled(state)
    # Another registry, on the same host here, is not concerned.
    other = simulator.packages("cargo", 1, start=30)[0]
    await finished(state, await start_job(state, other.name, "none", "cargo"))
    asked = simulator.counts().packages
    assert asked[other.purl] > 0
    assert not any(purl.startswith("pkg:npm/") for purl in asked)
    assert await state.dead_letters.count() == 0
    assert registries("resume", "npm") == "npm is resumed; 12 waiting packages requeued\n"
    assert not (await finished(state, job_id)).failed

    async def all_are_read() -> bool:
        (row,) = cypher("MATCH (p:NPMPackage) WHERE p.moment IS NOT NULL RETURN count(p) AS n")
        return bool(row["n"] == 12)

    await eventually(all_are_read)
    await settled(state)
    await assert_nothing_is_left(state)
