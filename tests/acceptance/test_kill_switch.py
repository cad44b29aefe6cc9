"""Pausing a registry by hand: no request is sent, no work is lost."""

import subprocess
import sys
import time
from pathlib import Path

from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import assert_nothing_is_left, finished, settled, start_job
from tests.conftest import Cypher
from tests.simulator.client import Simulator

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))
OLD = 3 * 24 * 3600
"""Seconds; longer than work may wait for anything else."""


async def test_a_paused_registry_gets_no_requests(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher, tmp_path: Path
) -> None:
    """Urgent and bulk, new and old work waits meanwhile; afterwards all of it is done."""

    def registries(*arguments: str) -> str:
        done = subprocess.run(
            [PROGRAM, "registries", *arguments], env=fleet.environment, cwd=tmp_path,
            capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout

    fleet.start()
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
    assert registries("resume", "npm") == "npm is resumed, with 12 waiting packages\n"
    assert not (await finished(state, job_id)).failed

    async def all_are_read() -> bool:
        (row,) = cypher("MATCH (p:NPMPackage) WHERE p.moment IS NOT NULL RETURN count(p) AS n")
        return bool(row["n"] == 12)

    await eventually(all_are_read)
    await settled(state)
    await assert_nothing_is_left(state)
