"""Runs with real workers: what they survive, their counts, and the command line."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.endurance import Endurance, assert_all_is_there
from tests.acceptance.fleet import LONG_ENOUGH, RECOVERY, Fleet, eventually
from tests.acceptance.outages import OwnRedis
from tests.acceptance.work import assert_nothing_is_left, settled
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds
from tests.simulator.client import Simulator
from tests.toy.registry import ToyRegistry

PACKAGES = int(os.environ.get("SSC_RUN_PACKAGES", "600"))

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))


@pytest.mark.timeout(900)
async def test_an_ingestion_survives_everything(
    own_redis: OwnRedis,
    servers: Servers,
    settings: Settings,
    clean_graph: None,
    *,
    cypher: Cypher,
    tmp_path: Path,
) -> None:
    """Three workers killed at random points, Redis killed once: graph and metrics are the truth."""
    servers = replace(servers, redis_url=own_redis.uri)
    with Simulator.start(packages=PACKAGES, versions="3", requirements="2") as simulator:
        fleet = Fleet(servers, simulator.environment(), tmp_path)
        fleet.environment["RUN_HIGH_WATER"] = str(most := 64)
        try:
            async with open_state(settings, servers) as state:
                pending: list[int] = []
                endurance = Endurance(
                    fleet, state, own_redis, told=lambda run: pending.append(run.pending)
                )
                simulator.latency(30)
                run = await endurance.ingest(PACKAGES, kills=3, seed=5, seconds=600 + PACKAGES / 5)
                assert len(endurance.killed) == 4
                assert run.state == "finished"
                assert run.restarts >= 1
                assert max(pending) <= most
                await settled(state, RECOVERY + 30)
                found = assert_all_is_there(cypher, simulator, "pypi", "PyPIPackage")
                assert found == PACKAGES
                assert run.metrics() == {
                    "total_in_registry": PACKAGES,
                    "new_packages_ingested": PACKAGES,
                    "skipped_existing": 0,
                    "errors": 0,
                    "ingestion_rate": 100.0,
                    "missing": 0,
                    "invalid_names": 0,
                }
                assert _result(servers, run.task_id) == run.report()
                await state.queues.move_due()
                await assert_nothing_is_left(state)
        finally:
            fleet.close()


def _result(servers: Servers, task_id: str) -> Any:
    """The result of a task, as another program reads it."""
    stranger = Celery(broker=servers.redis(1), backend=servers.redis(2))
    try:
        return AsyncResult(task_id, app=stranger).get(timeout=LONG_ENOUGH)
    finally:
        stranger.close()


async def test_stopping_releases_a_run_at_once(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """SIGTERM does not wait for the run; the next worker continues it at once."""
    fleet.environment |= {"RUN_HIGH_WATER": "20", "SHUTDOWN_GRACE": "20"}
    simulator.latency(50)
    worker = fleet.start()
    fleet.send("ingestion.ingest", ecosystem="pypi", limit=80)

    async def is_under_way() -> bool:
        return any(run.done >= 20 for run in await state.runs.newest(1))

    await eventually(is_under_way)
    assert await asyncio.to_thread(worker.terminate, 15) == 0
    (run,) = await state.runs.newest(1)
    assert (run.state, run.owner) == ("running", None)
    assert await state.queues.lengths(["control"]) == {"control": 1}
    simulator.latency(0)
    fleet.start(name="another@test")

    async def has_ended() -> bool:
        return (await state.runs.newest(1))[0].ended

    await eventually(has_ended)
    (run,) = await state.runs.newest(1)
    assert run.metrics()["new_packages_ingested"] == 80
    assert (run.restarts, run.stuck) == (1, 0)
    await settled(state)
    await assert_nothing_is_left(state)
    assert cypher("MATCH (p:PyPIPackage) RETURN count(p.moment) AS n") == [{"n": 80}]


async def test_an_update_reads_the_changes(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A new version, and no package that the graph lacks; a second update changes nothing."""
    fleet.start()
    await _ended(fleet, state, "ingestion.ingest", ecosystem="pypi", limit=40)
    name = cypher("MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN p.name AS name LIMIT 1")
    changed = simulator.publish("pypi", name[0]["name"])
    unread = simulator.packages("pypi", 1, start=1400)[0]
    simulator.publish("pypi", unread.name)
    run = await _ended(fleet, state, "updates.update", ecosystem="pypi")
    assert run.metrics()["packages_processed"] == 1
    assert run.metrics()["unknown"] == 1
    assert_graph_holds(cypher, changed)
    run = await _ended(fleet, state, "updates.update", ecosystem="pypi")
    assert run.metrics()["changes"] == 0
    await settled(state)
    await assert_nothing_is_left(state)


async def _ended(fleet: Fleet, state: State, task: str, **kwargs: Any) -> Any:
    task_id = await asyncio.to_thread(lambda: fleet.send(task, **kwargs))

    async def has_ended() -> bool:
        return any(run.task_id == task_id and run.ended for run in await state.runs.newest(1))

    await eventually(has_ended)
    (run,) = await state.runs.newest(1)
    assert run.state == "finished"
    return run


BAD_CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown ecosystem": ("ingestion.ingest", {"ecosystem": "cobol"}, "UnknownEcosystem"),
    "no ecosystem": ("updates.update", {}, "InvalidArguments"),
    "senseless limit": (
        "ingestion.ingest",
        {"ecosystem": "pypi", "limit": 0},
        "InvalidArguments",
    ),
    "no such run": (
        "updates.update",
        {"ecosystem": "pypi", "run_id": "nothing"},
        "InvalidArguments",
    ),
}


async def test_bad_calls_are_dead_letters(fleet: Fleet, state: State) -> None:
    """Each one of its type, and no run starts."""
    fleet.start("control", "celery")
    sent = {fleet.send(task, **kwargs): error for task, kwargs, error in BAD_CALLS.values()}
    positional = fleet.stranger.send_task("ingestion.ingest", args=["pypi"])
    sent[str(positional.id)] = "InvalidArguments"

    async def all_failed() -> bool:
        return await state.dead_letters.count() == len(sent)

    await eventually(all_failed)
    letters = {letter.task_id: letter async for letter in state.dead_letters.all()}
    assert {task_id: letter.error_type for task_id, letter in letters.items()} == sent
    assert await state.runs.newest() == []


class CommandLine:
    """The installed program, with the fleet's settings."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet, self._folder = fleet, folder

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            env=self._fleet.environment,
            cwd=self._folder,  # no .env there
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def __call__(self, *arguments: str, returncode: int = 0) -> tuple[str, str]:
        """Both outputs of a command that ends with this code."""
        process = self.start(*arguments)
        out, err = await asyncio.to_thread(process.communicate, timeout=LONG_ENOUGH)
        assert process.returncode == returncode, (out, err)
        return out, err

    async def json(self, *arguments: str, returncode: int = 0) -> Any:
        """The JSON output of a command."""
        return json.loads((await self(*arguments, "--json", returncode=returncode))[0])


@pytest.fixture
def run(fleet: Fleet, plugin: None, toys: ToyRegistry, tmp_path: Path) -> CommandLine:
    """The program, with a registry of a few toys."""
    for name in ("ball", "kite", "truck", "wheel", "yo-yo"):
        toys.put(name, {"1": {}})
    return CommandLine(fleet, tmp_path)


async def test_runs_on_the_command_line(
    run: CommandLine, fleet: Fleet, toys: ToyRegistry, state: State, cypher: Cypher
) -> None:
    """A dry run, an ingestion, updates, a package that is gone; lists, status, and mistakes."""
    dry = await run.json("ingest", "toy", "--dry-run")
    assert (dry["listed"], dry["packages"], dry["packages_requests"]) == (5, 5, 5)
    text, _ = await run("ingest", "toy", "--dry-run")
    assert "nothing was begun" in text
    assert await state.runs.newest() == []
    assert "no runs yet" in (await run("runs", "list"))[0]

    fleet.start()
    done = await run.json("ingest", "toy", "--limit", "2", "--wait")
    assert (done["state"], done["new_packages_ingested"]) == ("finished", 2)
    text, _ = await run("ingest", "toy", "--wait")
    assert "new_packages_ingested" in text
    assert "finished" in text
    toys.delete("kite")
    toys.put("ball", {"1": {}, "2": {}})
    text, _ = await run("update", "toy", "--dry-run")
    assert "toy" in text
    done = await run.json("update", "toy", "--wait")
    assert (done["packages_processed"], done["gone"], done["total_versions"]) == (2, 1, 2)
    (gone,) = cypher("MATCH (p:ToyPackage) WHERE p.gone_since IS NOT NULL RETURN p.name AS name")
    assert gone == {"name": "kite"}

    listed = await run.json("runs", "list")
    assert [each["kind"] for each in listed] == ["update", "ingestion", "ingestion"]
    assert await run.json("runs", "show", done["run_id"]) == listed[0]
    status = await run.json("status")
    assert status["runs"] == []
    assert status["feeds"]["toy"]["updated_at"]
    assert "last update" in (await run("status"))[0]
    _, error = await run("runs", "show", "nothing", returncode=1)
    assert "runs list" in error
    _, error = await run("runs", "pause", done["run_id"], returncode=1)
    assert "finished" in error
    _, error = await run("ingest", "toys", returncode=2)
    assert "known are" in error


async def test_runs_are_controlled_on_the_command_line(
    run: CommandLine, fleet: Fleet, state: State
) -> None:
    """Started without a worker, interrupted, paused, resumed, cancelled; no second one starts."""
    waiting = run.start("ingest", "toy", "--wait")
    assert waiting.stderr

    async def is_begun() -> bool:
        return bool(await state.runs.newest(1))

    await eventually(is_begun)
    for line in waiting.stderr:
        if "no worker reads control" in line:
            break
    waiting.send_signal(signal.SIGINT)
    _, error = await asyncio.to_thread(waiting.communicate, timeout=LONG_ENOUGH)
    assert waiting.returncode == 130
    (begun,) = await state.runs.newest()
    assert f"ssc-ingest runs show {begun.id}" in error

    _, error = await run("ingest", "toy")
    assert "already" in error
    for each in await run.json("update", "all"):
        text, _ = await run("runs", "cancel", each["run_id"])
        assert "is cancelled" in text
    assert "paused" in (await run("runs", "pause", begun.id))[0]
    fleet.start()
    await eventually(lambda: _settled(state))
    assert (await state.runs.get(begun.id)).done == 0  # type: ignore[union-attr]
    await run("runs", "resume", begun.id)
    done = await run.json("runs", "show", begun.id, "--wait")
    assert (done["state"], done["new_packages_ingested"]) == ("finished", 5)


async def _settled(state: State) -> bool:
    lengths = await state.queues.lengths(["control", "celery"])
    return not any(lengths.values()) and not await state.queues.unacknowledged()
