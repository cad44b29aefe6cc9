"""Messages that the previous release has left in the queues are carried out by this one."""

import json
import time
from pathlib import Path
from typing import NamedTuple

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import assert_nothing_is_left, in_graph, settled
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds
from tests.simulator.client import Simulator

RECORDED = Path(__file__).with_name("previous_release.jsonl")
"""What that release wrote to Redis, byte for byte. Record anew before each release, and keep the
lines of the last one."""

DELAYED = "delayed"


class Recorded(NamedTuple):
    """One message as it stood in Redis."""

    about: str
    ecosystem: str
    name: str
    """Of the package that must be in the graph afterwards; empty for other work."""
    queue: str
    message: str


async def test_what_the_previous_release_queued(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """This release handles the queued and delayed messages, also those of ended runs."""
    recorded = [Recorded(**json.loads(line)) for line in RECORDED.read_text().splitlines()]
    broker = state.queues._redis
    for each in recorded:
        if each.queue == DELAYED:
            task_id = json.loads(each.message.partition("\n")[2])["headers"]["id"]
            await broker.hset("delayed:messages", task_id, each.message)
            await broker.zadd(DELAYED, {task_id: time.time()})
        else:
            await broker.lpush(each.queue, each.message)
    # One message has no attempt left, and a busy machine is slow.
    fleet.environment |= {"TASK_TIMEOUT": "60", "VISIBILITY_TIMEOUT": "180"}
    fleet.start()
    for each in recorded:
        if each.name:
            truth = simulator.truth(each.ecosystem, each.name)
            await in_graph(cypher, truth.purl)
            assert_graph_holds(cypher, truth, links=each.ecosystem != "cargo")

    async def is_ingested() -> bool:
        return any(run.ended for run in await state.runs.newest(1))

    await eventually(is_ingested)
    (run,) = await state.runs.newest(1)
    assert (run.kind, run.ecosystem, run.state) == ("ingestion", "nuget", "finished")
    assert run.metrics()["new_packages_ingested"] == 3
    await settled(state)
    await assert_nothing_is_left(state)
