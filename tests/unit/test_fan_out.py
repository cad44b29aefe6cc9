"""Concurrent requests for one package."""

import asyncio
from contextlib import aclosing

import pytest

from ssc_ingest.ecosystems.concurrency import fan_out, in_order
from ssc_ingest.errors import MalformedMetadata, RateLimited, RegistryOverloaded
from ssc_ingest.work.waiting import REDIS, silent_store, waiting_for


async def test_results_come_in_order_and_within_the_limit() -> None:
    """At most the limit runs at once, and results are in the order of the items."""
    running, most = 0, 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10 - number):
            await asyncio.sleep(0)
        running -= 1
        return number * 2

    assert await fan_out(double, range(10), limit=3) == [n * 2 for n in range(10)]
    assert most == 3
    assert await fan_out(double, [], limit=3) == []


async def test_the_first_error_comes_out_alone() -> None:
    """The error is the typed one; running and waiting calls are cancelled."""
    finished: list[int] = []

    async def work(number: int) -> None:
        if number == 1:
            raise MalformedMetadata("no name")
        await asyncio.Event().wait()
        finished.append(number)

    with pytest.raises(MalformedMetadata, match="no name"):
        await fan_out(work, range(5), limit=2)
    assert finished == []


@pytest.mark.parametrize("others_wait_for_it", [True, False])
async def test_a_time_limit_names_the_store_that_all_calls_wait_for(
    *, others_wait_for_it: bool
) -> None:
    """If one call waits for something else, the store may respond."""

    async def work(number: int) -> None:
        if number == 0 or others_wait_for_it:
            with waiting_for(REDIS):
                await asyncio.Event().wait()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01):
            await fan_out(work, range(5), limit=2)
    assert silent_store(caught.value) == (REDIS if others_wait_for_it else None)


async def test_a_503_concerns_its_document() -> None:
    """Other calls are still started, until the host is paused."""
    begun: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        if number in {0, 2}:
            raise RegistryOverloaded("503", retry_after=5)
        if number == 4:
            raise RateLimited("the host is paused", retry_after=3)
        return number

    with pytest.raises(RegistryOverloaded) as caught:
        await fan_out(work, range(9), limit=1)
    assert caught.value.retry_after == 5
    assert begun == [0, 1, 2, 3, 4]


async def test_a_refusal_lets_what_runs_end() -> None:
    """Permitted calls complete; no new call starts."""
    begun: list[int] = []
    finished: list[int] = []
    refused = asyncio.Event()

    async def work(number: int) -> None:
        begun.append(number)
        if number in {1, 2}:
            await asyncio.sleep(0)
            refused.set()
            raise RateLimited("wait", retry_after=number)
        await refused.wait()
        await asyncio.sleep(0)
        finished.append(number)

    with pytest.raises(RateLimited) as error:
        await fan_out(work, range(9), limit=4)
    assert error.value.retry_after == 2
    assert begun == [0, 1, 2, 3]
    assert finished == [0, 3]


async def test_results_come_one_by_one_and_ahead() -> None:
    """Results are in order; at most the requested number is computed ahead."""
    begun: list[int] = []

    async def double(number: int) -> int:
        begun.append(number)
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return number * 2

    found = []
    async for result in in_order(double, range(10), limit=3):
        found.append(result)
        assert len(begun) <= len(found) + 3
    assert found == [n * 2 for n in range(10)]
    assert [result async for result in in_order(double, [], limit=3)] == []


async def test_an_error_comes_after_what_was_before_it() -> None:
    """Earlier results come first; no call starts after the error or a close."""

    async def work(number: int) -> int:
        if number == 2:
            raise RateLimited("wait", retry_after=1.0)
        await asyncio.sleep(0 if number < 2 else 600)
        return number

    before = asyncio.all_tasks()
    found = []
    with pytest.raises(RateLimited):  # noqa: PT012
        async for result in in_order(work, range(9), limit=4):
            found.append(result)  # noqa: PERF401 - what came before the error counts
    assert found == [0, 1]
    assert asyncio.all_tasks() == before
    async with aclosing(in_order(work, [0, 3, 4, 5], limit=2)) as results:
        assert await anext(results) == 0
        assert len(asyncio.all_tasks() - before) == 2
    assert asyncio.all_tasks() == before
