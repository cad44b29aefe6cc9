"""Runs with real workers: interruptions, counts, and the command line."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually
from tests.acceptance.forks import run_forked
from tests.acceptance.work import assert_nothing_is_left, settled
from tests.conftest import Cypher
from tests.simulator.client import Simulator
from tests.toy.registry import ToyRegistry

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))


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
    assert await asyncio.to_thread(worker.terminate) == 0
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


async def test_a_call_whose_run_cannot_be_recorded_returns(
    fleet: Fleet, simulator: Simulator, state: State
) -> None:
    """The message of a call is acknowledged when its run has a record, and not before."""
    current = "runs:current:ingestion:pypi"
    await state.redis.rpush(current, "of another type")
    worker = fleet.start("control", "celery", name="control@test")
    task_id = fleet.send("ingestion.ingest", ecosystem="pypi", limit=5)
    await asyncio.to_thread(worker.wait_for_log, "state_unavailable")
    await state.redis.delete(current)

    async def is_recorded() -> bool:
        return bool(await state.runs.newest(1))

    await eventually(is_recorded)
    (run,) = await state.runs.newest(1)
    assert run.task_id == task_id

    async def is_acknowledged() -> bool:
        return not await state.queues.unacknowledged()

    await eventually(is_acknowledged)
    assert not (await state.runs.newest(1))[0].ended  # nobody reads its packages


class CommandLine:
    """The installed program, with the fleet's settings."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet, self._folder = fleet, folder
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command, which ends with the test at the latest."""
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            env=self._fleet.environment,
            cwd=self._folder,  # no .env there
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End all commands."""
        for process in self._started:
            with process:
                process.kill()

    async def __call__(self, *arguments: str, returncode: int = 0) -> tuple[str, str]:
        """Run a command with this exit code; returns both outputs."""
        done = await asyncio.to_thread(
            run_forked,
            *arguments,
            environment=self._fleet.environment,
            folder=self._folder,
            timeout=LONG_ENOUGH,
        )
        assert done.returncode == returncode, done
        return done.stdout, done.stderr

    async def json(self, *arguments: str, returncode: int = 0) -> Any:
        """The JSON output of a command."""
        return json.loads((await self(*arguments, "--json", returncode=returncode))[0])


@pytest.fixture
def run(fleet: Fleet, plugin: None, toys: ToyRegistry, tmp_path: Path) -> Iterator[CommandLine]:
    """The program, with a registry of a few toys."""
    for name in ("ball", "kite", "truck", "wheel", "yo-yo"):
        toys.put(name, {"1": {}})
    command_line = CommandLine(fleet, tmp_path)
    yield command_line
    command_line.close()


async def test_runs_on_the_command_line(
    run: CommandLine, fleet: Fleet, toys: ToyRegistry, state: State, cypher: Cypher
) -> None:
    """A dry run, an ingestion, updates, a gone package; lists, status, and wrong usage."""
    dry = await run.json("ingest", "toy", "--dry-run")
    assert (dry["listed"], dry["packages"], dry["packages_requests"]) == (5, 5, 5)
    text, _ = await run("ingest", "toy", "--dry-run")
    assert "no run was started" in text
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
    status = await run.json("status", returncode=69)  # beat is absent
    assert status["runs"] == []
    assert status["feeds"]["toy"]["updated_at"]
    assert "last update" in (await run("status", returncode=69))[0]
    _, error = await run("runs", "show", "nothing", returncode=1)
    assert "runs list" in error
    _, error = await run("runs", "pause", done["run_id"], returncode=1)
    assert "finished" in error
    _, error = await run("ingest", "toys", returncode=2)
    assert "known are" in error


async def test_runs_are_controlled_on_the_command_line(
    run: CommandLine, fleet: Fleet, state: State
) -> None:
    """A run is started without a worker, paused, resumed and cancelled; no second one starts."""
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
    await settled(state)
    assert (await state.runs.get(begun.id)).done == 0  # type: ignore[union-attr]
    await run("runs", "resume", begun.id)
    done = await run.json("runs", "show", begun.id, "--wait")
    assert (done["state"], done["new_packages_ingested"]) == ("finished", 5)
