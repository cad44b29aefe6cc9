"""Trimming, removing consumers, and the status of the streams."""

import asyncio
from dataclasses import replace
from typing import Any

from ssc_ingest.models import now
from ssc_ingest.on_demand.stream.consumer import StreamConsumer
from ssc_ingest.on_demand.stream.group import StreamGroup
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.dead_letters import KEPT
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.integration.test_stream.conftest import STREAM, Producer

OLD = -10.0
"""A retention that is over for everything."""


async def ids(state: State) -> list[str]:
    """The ids in the stream."""
    entries: Any = await state.streams.xrange(STREAM)
    return [entry_id for entry_id, _ in entries]


async def test_processed_entries_are_removed_after_their_time(
    state: State, producer: Producer, consumer: StreamConsumer
) -> None:
    """Processed entries are not removed earlier.

    The last delivered one stays, as the position of the group.
    """
    sent = [await producer.send() for _ in range(5)]
    await consumer.process(100, 0)
    group = consumer._group
    assert await group.trim(3600) == 0
    assert await group.trim(OLD) == 4
    assert await ids(state) == sent[-1:]


async def test_no_group_loses_what_it_has_not_done(
    state: State, producer: Producer, consumer: StreamConsumer, dead_reader: StreamGroup
) -> None:
    """Neither pending nor undelivered entries are removed.

    This holds for this program's group and for others.
    """
    sent = [await producer.send() for _ in range(6)]
    await state.streams.xgroup_create(STREAM, "others", id=sent[3])
    await consumer.process(100, 0)
    assert await consumer._group.trim(OLD) == 3
    assert await ids(state) == sent[3:]
    await state.streams.xgroup_destroy(STREAM, "others")
    await producer.send()
    (left,) = await dead_reader.read(1)
    await producer.send()
    await consumer.process(100, 0)
    await consumer._group.trim(OLD)
    assert (await ids(state))[0] == left.id


async def test_a_stream_that_nobody_reads_is_not_trimmed(
    state: State, producer: Producer, dead_reader: StreamGroup
) -> None:
    """Without a group, no entry was processed."""
    sent = [await producer.send() for _ in range(3)]
    assert await dead_reader.trim(OLD) == 0
    assert await ids(state) == sent


async def test_consumers_go_when_nothing_of_theirs_is_pending(
    state: State, producer: Producer, consumer: StreamConsumer, dead_reader: StreamGroup
) -> None:
    """Only this program's consumers go: Redis deletes pending entries together with a consumer."""
    await dead_reader.create()
    await producer.send()
    await dead_reader.read(1)
    await state.streams.xgroup_createconsumer(STREAM, "extractors", "package-consumer-idle-1")
    await state.streams.xgroup_createconsumer(STREAM, "extractors", "somebody")
    await asyncio.sleep(0.05)
    assert await consumer._group.remove_consumers("package-consumer-", 3600) == 0
    assert await consumer._group.remove_consumers("package-consumer-", 0.01) == 1
    found: Any = await state.streams.xinfo_consumers(STREAM, "extractors")
    assert {each["name"] for each in found} == {dead_reader.consumer, "somebody"}


async def test_an_unknown_lag_is_not_none(
    state: State, producer: Producer, consumer: StreamConsumer
) -> None:
    """Redis does not know it after deletions of entries; it must not look like 0."""
    sent = [await producer.send() for _ in range(5)]
    await consumer.process(1, 0)
    await state.streams.xdel(STREAM, sent[3])
    (stream, _) = await state.standings.standings()
    assert stream.lag is None
    assert (stream.entries, stream.pending, stream.dead_letters) == (4, 0, 0)
    assert stream.document()["lag"] is None


async def test_letters_are_kept_while_their_server_is_away(
    state: State, producer: Producer, settings: Settings, redis_servers: Servers
) -> None:
    """The failure of a task does not wait for the server.

    The dead letter is delivered later, once.
    """
    task = TaskMessage(
        task=EXTRACT, kwargs={"origin": {"stream": STREAM, "data": "raw"}}, queue="pypi.urgent"
    )
    away = replace(redis_servers, stream_url="redis://127.0.0.1:9")
    async with open_state(settings, away) as cut_off:
        await cut_off.dead_letters.add(task, ValueError("no such luck"), now=now())
        assert await cut_off.dead_letters.count() == 1
        counts = await cut_off.dead_letters.counts()
        assert counts == {
            "dead-letters": 0, KEPT: 1, f"{STREAM}-dlq": None, "package_extraction-dlq": None
        }  # fmt: skip
        standings = await cut_off.standings.standings()
        assert all(stream.error and stream.pending is None for stream in standings)
        assert await cut_off.dead_letters.deliver_kept() == 0
    assert await state.dead_letters.deliver_kept() == 1
    assert await state.dead_letters.deliver_kept() == 0
    (letter,) = await producer.dead_letters()
    assert (letter[b"data"], letter[b"error"]) == (b"raw", b"ValueError: no such luck")
    assert await state.redis.exists(KEPT) == 0


async def test_the_stream_may_be_on_another_server(
    producer: Producer, state: State, settings: Settings, redis_servers: Servers
) -> None:
    """In the test, it is in another database, given by the address."""
    elsewhere = replace(redis_servers, stream_url=f"{redis_servers.redis_url}/7")
    async with open_state(settings, elsewhere) as there:
        await Producer(there).send("there")
        (consumer, _) = there.stream_consumers(settings)
        assert (await consumer.process(10, 0)).handed_over == 1
    assert not await state.streams.exists(STREAM)
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
