"""Pauses between the steps of long work."""

import asyncio
from contextlib import suppress

import pytest

from ssc_ingest.work.leases import pause


async def test_a_swallowed_cancellation_takes_effect_at_the_next_pause() -> None:
    """A library on the way may swallow it; the work must not continue for ever."""
    entered, swallowed = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        entered.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        while True:
            await pause(0)

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    await swallowed.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_pause_of_a_task_that_was_not_cancelled() -> None:
    """Nothing is raised."""
    await pause(0)
