"""A producer that writes faster than the fleet works."""

import asyncio

import psutil
import pytest

from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.producer import STREAMS, Message, of_main, send
from tests.conftest import IS_SHORT

MEGABYTE = 1024 * 1024

BOUND = 24 * MEGABYTE
"""What the process may grow by: buffers that fill up. As messages in memory, 100,000 would take
100 MB."""

WARM_UP = 2_000


@pytest.mark.soak
async def test_a_hundred_thousand_messages(fleet: Fleet, state: State, settings: Settings) -> None:
    """The messages stay in the stream; the memory of the reader does not grow."""
    await assert_held_back(fleet, state, settings, 100_000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_million_messages(fleet: Fleet, state: State, settings: Settings) -> None:
    """With ten times as many messages, the memory of the reader does not grow, either."""
    await assert_held_back(fleet, state, settings, 200_000 if IS_SHORT else 1_000_000)


async def assert_held_back(fleet: Fleet, state: State, settings: Settings, count: int) -> None:
    """Check that queues stay below the mark while full, and that memory does not grow.

    Half of the messages are handed over, and their tasks are discarded at once.
    """
    most, urgent = settings.stream_high_water, "pypi.urgent"
    control = fleet.start("control", "celery", name="control@test")
    process = psutil.Process(control.pid)

    async def length() -> int:
        return (await state.queues.lengths([urgent]))[urgent]

    async def handed_over() -> int:
        return (await state.standings.metrics.total(STREAMS[0])).handed_over

    def messages(number: int) -> list[Message]:
        return [Message(STREAMS[0], of_main("PyPIPackage", f"package-{n}")) for n in range(number)]

    await asyncio.to_thread(send, fleet.streams, messages(WARM_UP))

    async def is_full() -> bool:
        return await length() >= most

    async def waits() -> bool:
        readers = await state.standings.readers.all()
        return any(r.stream == STREAMS[0] and r.state == "waiting" for r in readers)

    await eventually(is_full)
    await eventually(waits)
    before = process.memory_info().rss
    await asyncio.to_thread(send, fleet.streams, messages(count))
    await asyncio.sleep(2)
    assert await length() == most, "nothing is handed over beyond the mark"
    (stream, _) = await state.standings.standings()
    assert (stream.lag, stream.pending) == (WARM_UP + count - most, 0)
    longest = 0
    while await handed_over() < count // 2:
        longest = max(longest, await length())
        await state.queues._redis.delete(urgent)
        await asyncio.sleep(0.02)
    assert longest <= most
    assert process.memory_info().rss < before + BOUND
    assert control.is_alive()
