"""Concurrent small reads become one query."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from ssc_ingest.graph.coalescing import MAX_BATCH, Coalescer


class Asked:
    """Returns squares of even numbers only, and records its calls."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.batches.append(list(keys))
        await asyncio.sleep(0)
        if -1 in keys:
            raise OSError("no answer")
        return {key: key * key for key in keys if key % 2 == 0}


async def test_one_query_for_many_questions() -> None:
    """Each caller gets its own value or None; each key is read once."""
    asked = Asked()
    coalescer = Coalescer(asked)
    keys = [*range(50), *range(50)]
    answers = await asyncio.gather(*(coalescer.get(key) for key in keys))
    assert answers == [key * key if key % 2 == 0 else None for key in keys]
    assert asked.batches == [list(range(50))]


async def test_batches_are_bounded() -> None:
    """Too many reads for one query become several queries."""
    asked = Asked()
    coalescer = Coalescer(asked)
    await asyncio.gather(*(coalescer.get(key) for key in range(2 * MAX_BATCH + 1)))
    assert [len(batch) for batch in asked.batches] == [MAX_BATCH, MAX_BATCH, 1]


async def test_a_failure_is_everybodys_and_ends_nothing() -> None:
    """All reads of a query share its failure; the next query works."""
    coalescer = Coalescer(Asked())
    answers = await asyncio.gather(coalescer.get(-1), coalescer.get(2), return_exceptions=True)
    assert all(isinstance(answer, OSError) for answer in answers)
    assert await coalescer.get(2) == 4


async def test_who_gives_up_takes_nobody_along() -> None:
    """A cancelled read does not cancel the others."""
    coalescer = Coalescer(Asked())
    first = asyncio.create_task(coalescer.get(4))
    second = asyncio.create_task(coalescer.get(4))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == 16


class Held(Asked):
    """Returns its result on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.begun.set()
        await self.open.wait()
        return await super().__call__(keys)


async def test_a_later_question_gets_a_later_answer() -> None:
    """A running query may be older than a new read, so the read waits for the next one."""
    held = Held()
    coalescer = Coalescer(held)
    first = asyncio.create_task(coalescer.get(2))
    await held.begun.wait()
    second = asyncio.create_task(coalescer.get(2))
    await asyncio.sleep(0)
    held.open.set()
    assert list(await asyncio.gather(first, second)) == [4, 4]
    assert held.batches == [[2], [2]]


async def test_nobody_waits_for_a_query_that_was_stopped() -> None:
    """If the loop's tasks are cancelled, waiting reads end, too."""
    held = Held()
    coalescer = Coalescer(held)
    waiter = asyncio.create_task(coalescer.get(2))
    await held.begun.wait()
    late = asyncio.create_task(coalescer.get(4))
    await asyncio.sleep(0)
    assert coalescer._batches._task
    coalescer._batches._task.cancel()
    for stopped in (waiter, late):
        with pytest.raises(asyncio.CancelledError):
            await stopped
    held.open.set()
    assert await coalescer.get(4) == 16
