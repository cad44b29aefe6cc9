"""Messages become tasks or dead letters, and are acknowledged."""

import asyncio
import json

import pytest

from ssc_ingest.models import Outcome, Purl, now
from ssc_ingest.on_demand.stream.consumer import MAX_DELIVERIES, StreamConsumer
from ssc_ingest.on_demand.stream.group import StreamGroup
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from ssc_ingest.work.messages import TaskMessage
from tests.integration.test_stream.conftest import (
    RECLAIM_AFTER,
    STREAM,
    Producer,
    let_time_pass,
    pending,
    waiting,
)


async def test_a_message_becomes_a_task_with_its_input(
    state: State, producer: Producer, consumer: StreamConsumer
) -> None:
    """The message is acknowledged; its job exists and has the entry's id."""
    entry = await producer.send(constraints=">= 2", parent_id="4:a:1", refresh=True)
    counts = await consumer.process(100, 0)
    assert (counts.handed_over, counts.total_processed) == (1, 0)
    (task,) = await waiting(state)
    assert task["name"] == "requests"
    assert (task["dependencies"], task["refresh"]) == ("all", True)
    assert (task["parent_id"], task["constraints"]) == ("4:a:1", ">= 2")
    assert task["origin"]["stream"] == STREAM
    assert json.loads(task["origin"]["data"])["package"] == "requests"
    assert await pending(state) == 0
    job = await state.jobs.get(f"{STREAM}-{entry}")
    assert job is not None
    assert (job.pending, job.roots) == (1, ("pkg:pypi/requests",))


async def test_both_spellings_are_read_each_on_its_own(
    state: State, producer: Producer, quick: Settings
) -> None:
    """A key of the wrong type stops only its own consumer, which reports it once."""
    await state.streams.set("package_extraction", "not a stream")
    await producer.send("requests")
    consumers = {each.stream: each for each in state.stream_consumers(quick)}
    assert set(consumers) == {"package-extraction", "package_extraction"}
    tasks = [asyncio.create_task(each.run()) for each in consumers.values()]
    try:
        async with asyncio.timeout(30):
            while not await waiting(state):  # noqa: ASYNC110 - Redis does not tell
                await asyncio.sleep(0.05)
            while not (await state.standings.standings())[1].readers:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            good, bad = await state.standings.standings()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert (good.is_read, good.error) == (True, None)
    assert not bad.is_read
    assert "WRONGTYPE" in str(bad.error)
    assert "WRONGTYPE" in str(bad.readers[0].error)
    assert bad.pending is None
    assert bad.lag is None


async def test_a_stream_that_is_deleted_is_read_again(
    state: State, producer: Producer, consumer: StreamConsumer
) -> None:
    """A deleted stream's group is created again, at the beginning."""
    await producer.send("a")
    await consumer.process(100, 0)
    await state.streams.delete(STREAM)
    assert (await consumer.process(100, 0)).handed_over == 0
    await state.streams.delete(STREAM)
    await producer.send("b")
    assert (await consumer.process(100, 0)).handed_over == 1
    assert [task["name"] for task in await waiting(state)] == ["a", "b"]


GARBAGE = {
    b"not JSON": ("JSON decode error: ", "validation_errors"),
    b"\xff\x00\xfe": ("JSON decode error: the message is not UTF-8", "validation_errors"),
    b"{}": ("Validation error: node_type: Field required", "validation_errors"),
    b'{"node_type": "GoPackage", "package": "x"}': ("Unsupported node_type", "unsupported_types"),
    b'{"node_type": "PyPIPackage", "package": ""}': ("Validation error", "validation_errors"),
    b"x" * 1_000_000: ("Validation error: the message has 1000000 bytes", "validation_errors"),
}


async def test_garbage_is_one_dead_letter_each(
    state: State, producer: Producer, consumer: StreamConsumer
) -> None:
    """Each dead letter has the raw bytes and the reason; valid messages are handed over."""
    for data in GARBAGE:
        await producer.write(data)
        await producer.send()
    await state.streams.xadd(STREAM, {"colour": "blue"})
    counts = await consumer.process(100, 0)
    letters = await producer.dead_letters()
    assert [letter[b"data"] for letter in letters] == [*GARBAGE, b""]
    for letter, (reason, _) in zip(letters, GARBAGE.values(), strict=False):
        assert letter[b"error"].decode().startswith(reason)
    assert letters[-1][b"error"] == b"Validation error: the entry has no field 'data'"
    assert letters[-1][b"fields"] == b'{"colour":"blue"}'
    assert (counts.validation_errors, counts.unsupported_types) == (6, 1)
    assert counts.handed_over == len(await waiting(state)) == len(GARBAGE)
    assert await pending(state) == 0
    total = await state.standings.metrics.total(STREAM)
    assert total == await state.standings.metrics.recent(STREAM)
    assert (total.validation_errors, total.unsupported_types) == (6, 1)
    listed = [letter async for letter in state.dead_letters.all()]
    assert len(listed) == len(letters)
    assert listed[-2].data == "\\xff\x00\\xfe"


async def test_what_a_dead_reader_left_is_taken_over(
    state: State, producer: Producer, consumer: StreamConsumer, dead_reader: StreamGroup
) -> None:
    """After the time of a hand-over; completed work is not repeated."""
    await dead_reader.create()
    done = await producer.send("done")
    lost = await producer.send("lost")
    garbage = await producer.write("garbage")
    assert len(await dead_reader.read(10)) == 3
    job_id = f"{STREAM}-{done}"
    await state.jobs.enter(job_id, _purl("done"), request={}, dependencies="all")
    await state.jobs.finish(job_id, _purl("done"), Outcome.EXTRACTED)
    assert (await consumer.process(100, 0)).reclaimed == 0
    await let_time_pass(state, done, lost, garbage)
    consumer._reclaim_at = 0
    counts = await consumer.process(100, 0)
    assert (counts.reclaimed, counts.handed_over, counts.validation_errors) == (3, 2, 1)
    assert [task["name"] for task in await waiting(state)] == ["lost"]
    assert await pending(state) == 0
    assert len(await producer.dead_letters()) == 1


async def test_a_message_that_kills_its_readers_is_a_dead_letter(
    state: State, producer: Producer, consumer: StreamConsumer, dead_reader: StreamGroup
) -> None:
    """After several deliveries; its content is not read."""
    await dead_reader.create()
    entry = await producer.send("poison")
    await dead_reader.read(1)
    await state.streams.xclaim(
        STREAM, "extractors", "x", 0, [entry], retrycount=MAX_DELIVERIES, idle=RECLAIM_AFTER * 1000
    )
    counts = await consumer.process(100, 0)
    assert (counts.failed, counts.handed_over) == (1, 0)
    (letter,) = await producer.dead_letters()
    assert json.loads(letter[b"data"])["package"] == "poison"
    assert letter[b"error"].startswith(b"Processing error: the message was delivered 5 times")
    assert await pending(state) == 0


async def test_messages_that_were_deleted_are_counted(
    state: State, producer: Producer, consumer: StreamConsumer, dead_reader: StreamGroup
) -> None:
    """Another program has trimmed the stream, so there is no content for a dead letter."""
    await dead_reader.create()
    entries = [await producer.send() for _ in range(3)]
    await dead_reader.read(3)
    await let_time_pass(state, *entries)
    await state.streams.xtrim(STREAM, maxlen=1, approximate=False)
    counts = await consumer.process(100, 0)
    assert (counts.vanished, counts.handed_over) == (2, 1)
    assert await pending(state) == 0
    assert (await state.standings.metrics.total(STREAM)).vanished == 2


async def test_nothing_is_read_while_the_queues_are_full(
    state: State, producer: Producer, consumer: StreamConsumer, quick: Settings
) -> None:
    """Entries stay in the stream, undelivered; later, reading continues up to the mark."""
    task = TaskMessage(task="x", kwargs={}, queue="npm.urgent")
    await state.queues.publish([task] * 100)
    for _ in range(120):
        await producer.send()
    assert (await consumer.process(100, 0)).handed_over == 50
    assert (await consumer.process(100, 0)).handed_over == 0
    (stream, _) = await state.standings.standings()
    assert (stream.lag, stream.pending) == (70, 0)
    await state.queues._redis.delete("npm.urgent")
    assert (await consumer.process(1000, 0)).handed_over == 70


async def test_a_full_queue_of_followed_packages_holds_the_stream_back(
    state: State, producer: Producer, consumer: StreamConsumer, quick: Settings
) -> None:
    """The limit for a queue of followed packages is higher: an update's packages are there, too."""
    await producer.send()
    await state.queues._redis.lpush("npm.fresh", *["x"] * (50 * quick.stream_high_water))
    assert (await consumer.process(100, 0)).handed_over == 0
    await state.queues._redis.rpop("npm.fresh")
    assert (await consumer.process(100, 0)).handed_over == 1


async def test_a_long_wait_is_no_error(consumer: StreamConsumer) -> None:
    """Longer than redis-py's own time limit."""
    assert (await consumer.process(1, 6.0)).handed_over == 0


async def test_a_task_that_fails_returns_to_its_stream(
    state: State, producer: Producer, quick: Settings
) -> None:
    """A failed task becomes a dead letter of the stream, with the raw text and the error."""
    await producer.send("x", "package_extraction")
    other = next(c for c in state.stream_consumers(quick) if c.stream != STREAM)
    await other.process(1, 0)
    (task,) = await waiting(state)
    message = TaskMessage(task="extraction.extract_package", kwargs=task, queue="pypi.urgent")
    await state.dead_letters.add(message, ValueError("no such luck"), now=now())
    (letter,) = await producer.dead_letters("package_extraction")
    assert json.loads(letter[b"data"])["package"] == "x"
    assert letter[b"error"] == b"ValueError: no such luck"


@pytest.mark.parametrize("entry", ["1-1", "1-12", "2-0", "10-0"])
async def test_the_later_of_two_messages_about_one_edge_counts(state: State, entry: str) -> None:
    """The message with the later id counts, in any order of announcement."""
    order, purl = state.edge_order, _purl("x")
    await order.announce("4:a:1", purl, entry)
    await order.announce("4:a:1", purl, "1-0")
    assert await order.is_superseded("4:a:1", purl, "1-0")
    assert not await order.is_superseded("4:a:1", purl, entry)
    assert not await order.is_superseded("4:a:2", purl, "1-0")
    assert not await order.is_superseded("4:a:1", purl, "")


def _purl(name: str) -> Purl:
    return Purl(f"pkg:pypi/{name}")
