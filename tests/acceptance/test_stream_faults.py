"""A thousand messages of other services, while processes and servers fail."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ssc_ingest.resources import State
from tests.acceptance.fleet import TASK_TIMEOUT, Fleet, WorkerProcess
from tests.acceptance.outages import OwnRedis
from tests.acceptance.producer import LABELS, STREAMS, Message, of_main, send
from tests.acceptance.streams import (
    assert_all_is_done,
    assert_dead_letters_are,
    good_and_bad,
    letters_of,
    read_to_the_end,
)
from tests.acceptance.work import assert_nothing_is_left, in_graph, settled
from tests.conftest import Cypher
from tests.simulator.client import Simulator

GROUP = "extractors"

KILLS = 3


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    """Small packages, so that a thousand of them take less than minutes."""
    with Simulator.start(packages=200, versions="1-3", requirements="0-1") as simulator:
        yield simulator


@pytest.mark.soak
async def test_a_thousand_messages(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """Valid messages of both generations reach the graph; invalid ones become dead letters."""
    messages, bad = good_and_bad(simulator, 900, 100)
    fleet.environment["TASK_TIMEOUT"] = "60"
    fleet.environment["VISIBILITY_TIMEOUT"] = "180"
    fleet.start()
    assert await asyncio.to_thread(send, fleet.streams, messages) == 1000
    assert len(bad) == 100
    await read_to_the_end(state)
    total = await assert_all_is_done(state, simulator, cypher, 900, bad)
    assert (total.failed, total.unsupported_types, total.validation_errors) == (7, 6, 87)
    letters = [letter for stream in STREAMS for letter in await letters_of(state, stream)]
    assert sum(b"PackageNotFound" in letter[b"error"] for letter in letters) == 7


async def test_a_killed_consumer_loses_and_doubles_nothing(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The consumer is killed three times, at least once with unacknowledged entries."""
    messages, bad = good_and_bad(simulator, 150, 15)
    fleet.start(*(f"{name}.{urgency}" for name in LABELS for urgency in ("urgent", "fresh")))
    part = len(messages) // KILLS
    in_the_middle = 0
    for number in range(KILLS):
        control = fleet.start("control", "celery", name=f"control-{number}@test")
        sending = asyncio.create_task(
            trickle(fleet.streams, messages[number * part : (number + 1) * part])
        )
        in_the_middle += await frozen_with_entries(control, state, sending)
        control.kill()
        await sending
    assert in_the_middle
    fleet.start("control", "celery", name="control@test")
    await read_to_the_end(state)
    total = await assert_all_is_done(state, simulator, cypher, 150, bad)
    # A reader that is killed between a dead letter and its count leaves the count out.
    assert total.total_processed - total.successful <= len(bad)
    # What was taken over late, or twice, would show now.
    await asyncio.sleep(TASK_TIMEOUT)
    await read_to_the_end(state)
    await assert_dead_letters_are(state, bad)


async def trickle(url: str, messages: list[Message]) -> None:
    """Write the entries over a few seconds."""
    for start in range(0, len(messages), 10):
        await asyncio.to_thread(send, url, messages[start : start + 10])
        await asyncio.sleep(0.1)


async def frozen_with_entries(
    control: WorkerProcess, state: State, sending: "asyncio.Task[None]"
) -> bool:
    """Freeze the process when it has unacknowledged entries, or else after all were written."""
    rng = random.Random(11)
    while not sending.done():
        await asyncio.sleep(rng.uniform(0.001, 0.03))
        control.freeze()
        found: list[Any] = [await state.streams.xpending(name, GROUP) for name in STREAMS]
        if any(each["pending"] for each in found):
            return True
        control.thaw()
    control.freeze()
    return False


async def test_a_stream_that_is_away_stops_no_worker(
    fleet: Fleet, own_redis: OwnRedis, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """The stream is on another server. While that is unavailable, other work continues.

    Then the stream does.
    """
    before, during, after = simulator.packages("npm", 3, start=170)
    fleet.environment["STREAM_REDIS_URL"] = own_redis.uri
    worker = fleet.start()
    send(own_redis.uri, [Message(STREAMS[1], of_main("NPMPackage", before.name))])
    await in_graph(cypher, before.purl)
    own_redis.kill()
    await asyncio.to_thread(worker.wait_for_log, "stream_unreadable")
    fleet.send(ecosystem="npm", name=during.name, dependencies="none")
    await in_graph(cypher, during.purl)
    readers = await state.standings.readers.all()
    assert {reader.state for reader in readers} <= {"failing", "reading"}
    own_redis.start()
    send(own_redis.uri, [Message(STREAMS[0], of_main("NPMPackage", after.name))])
    await in_graph(cypher, after.purl)
    assert worker.is_alive()
    await settled(state)
    await assert_nothing_is_left(state)
    assert not await state.streams.exists(*STREAMS)
