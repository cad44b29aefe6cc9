"""A stream on the test server, and consumers like those of the control worker."""

import base64
import json
from typing import Any

import pytest

from ssc_ingest.on_demand.stream.consumer import StreamConsumer
from ssc_ingest.on_demand.stream.group import StreamGroup
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings, load_settings
from ssc_ingest.work.names import queue_name

STREAM = "package-extraction"

RECLAIM_AFTER = 60
"""Seconds; tests do not wait for them, see :func:`let_time_pass`."""

DEAD_READER = "package-consumer-gone-1"


class Producer:
    """Another service, which only writes to the stream."""

    def __init__(self, state: State) -> None:
        self._redis = state.stream_entries

    async def send(self, name: str = "requests", stream: str = STREAM, **fields: Any) -> str:
        """Write a message; returns the entry's id."""
        content = {"node_type": "PyPIPackage", "package": name, "constraints": "", **fields}
        return await self.write(json.dumps(content), stream)

    async def write(self, data: str | bytes, stream: str = STREAM) -> str:
        """Write any text; returns the entry's id."""
        entry_id: Any = await self._redis.xadd(stream, {"data": data})
        return str(entry_id.decode())

    async def dead_letters(self, stream: str = STREAM) -> list[dict[bytes, bytes]]:
        """The stream's dead letters, oldest first."""
        entries: Any = await self._redis.xrange(f"{stream}-dlq")
        return [fields for _, fields in entries]


@pytest.fixture
def producer(state: State) -> Producer:
    """Another service."""
    return Producer(state)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a consumer with few tasks in its queues."""
    return load_settings(
        None,
        data_dir=tmp_path_factory.mktemp("data"),
        task_timeout=RECLAIM_AFTER,
        stream_high_water=150,
    )


@pytest.fixture
def consumer(state: State, quick: Settings) -> StreamConsumer:
    """The consumer of the stream with the usual name."""
    return next(each for each in state.stream_consumers(quick) if each.stream == STREAM)


@pytest.fixture
def dead_reader(state: State) -> StreamGroup:
    """A consumer of the same group that reads and never acknowledges."""
    return StreamGroup(state.stream_entries, name=STREAM, group="extractors", consumer=DEAD_READER)


async def let_time_pass(state: State, *entries: str) -> None:
    """Make delivered entries as old as those that are taken from a dead reader."""
    await state.streams.xclaim(
        STREAM,
        "extractors",
        DEAD_READER,
        min_idle_time=0,
        message_ids=list(entries),
        idle=RECLAIM_AFTER * 1000,
        justid=True,
    )


async def waiting(state: State, ecosystem: str = "pypi") -> list[dict[str, Any]]:
    """The keywords of the tasks in an urgent queue, in order."""
    queue: Any = await state.queues._redis.lrange(queue_name(ecosystem, "urgent"), 0, -1)
    found = []
    for text in reversed(queue):
        body = json.loads(text)["body"]
        found.append(json.loads(base64.b64decode(body))[1])
    return found


async def pending(state: State, stream: str = STREAM) -> int:
    """Number of delivered, unacknowledged entries."""
    summary: Any = await state.streams.xpending(stream, "extractors")
    return int(summary["pending"])
