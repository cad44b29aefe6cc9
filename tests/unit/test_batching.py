"""Requests that arrive during a batch form the next batch."""

import asyncio
from functools import partial

import pytest

from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.work.batching import Batcher, first

GONE = StoreUnavailable("graph", "the writer was stopped")


class Sender:
    """Doubles numbers, rejects odd ones, records its batches; can be held until released."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.release = asyncio.Event(), asyncio.Event()

    async def __call__(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        self.started.set()
        await self.release.wait()
        return [2 * item if item % 2 == 0 else ValueError(item) for item in items]


async def test_each_request_has_its_own_answer_or_error() -> None:
    """Batches are bounded and ordered; a rejected item fails alone."""
    sender = Sender()
    sender.release.set()
    batcher: Batcher[int, int] = Batcher(sender, partial(first, 3))
    answers = await asyncio.gather(*map(batcher.put, range(5)), return_exceptions=True)
    assert sender.batches == [[0, 1, 2], [3, 4]]
    assert answers[::2] == [0, 4, 8]
    assert all(isinstance(answer, ValueError) for answer in answers[1::2])


async def test_what_comes_meanwhile_is_the_next_batch() -> None:
    """Even a single request is a batch; the batcher can be used again after everything is sent."""
    sender = Sender()
    batcher: Batcher[int, int] = Batcher(sender, partial(first, 3))
    waiting = [batcher.put(0)]
    await sender.started.wait()
    waiting += [batcher.put(2), batcher.put(4)]
    sender.release.set()
    assert await asyncio.gather(*waiting) == [0, 4, 8]
    assert await batcher.put(6) == 12
    assert sender.batches == [[0], [2, 4], [6]]


async def test_closing_sends_all_and_does_not_linger() -> None:
    """Closing the batcher sends all waiting requests at once."""
    sender = Sender()
    batcher: Batcher[int, int] = Batcher(sender, partial(first, 1), linger=60.0)
    waiting = [batcher.put(0), batcher.put(2)]
    sender.release.set()
    async with asyncio.timeout(5):
        await batcher.close()
    assert [request.result() for request in waiting] == [0, 4]


@pytest.mark.parametrize(
    ("error", "expected"), [(None, asyncio.CancelledError), (GONE, type(GONE))]
)
async def test_a_stopped_batcher_leaves_nobody_waiting(
    error: Exception | None, expected: type[BaseException]
) -> None:
    """The requests of the current and of the next batch fail."""
    sender = Sender()
    batcher: Batcher[int, int] = Batcher(sender, partial(first, 1), stopped=error)
    waiting = [batcher.put(0), batcher.put(2)]
    await sender.started.wait()
    assert batcher._task
    batcher._task.cancel()
    for request in waiting:
        with pytest.raises(expected):
            await request
