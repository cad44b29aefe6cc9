"""Locks with a time limit, on a real Redis."""

import asyncio

import pytest

from ssc_ingest.resources import State
from ssc_ingest.work.locks import GRACE, LockHeld, exclusive

LONG = 60


async def test_one_at_a_time(state: State) -> None:
    """A second holder does not start; other locks are free, and this one is free afterwards."""
    async with exclusive(state.redis, "work", LONG):
        with pytest.raises(LockHeld):
            await _work(state)
        async with exclusive(state.redis, "other work", LONG):
            pass
    await _work(state)


async def test_a_failure_frees_the_lock(state: State) -> None:
    """The lock is free after any end of the block."""
    with pytest.raises(ValueError, match="a bug"):
        await _work(state, ValueError("a bug"))
    await _work(state)


async def test_the_block_ends_before_its_lock(state: State) -> None:
    """The block is cancelled in time, and its lock is free."""
    left: list[int] = []

    async def work() -> None:
        async with exclusive(state.redis, "work", 1):
            left.append(await state.redis.pttl("lock:work"))
            await asyncio.sleep(LONG)

    with pytest.raises(TimeoutError):
        await work()
    assert 0 < left[0] <= (1 + GRACE) * 1000
    await _work(state)


async def _work(state: State, error: Exception | None = None) -> None:
    async with exclusive(state.redis, "work", LONG):
        if error:
            raise error
