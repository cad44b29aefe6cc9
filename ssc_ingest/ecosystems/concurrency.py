"""Concurrency within one package: several requests at a time, blocking work in threads."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

from ssc_ingest.errors import RateLimited

PARSED_INLINE = 128 * 1024
"""Bytes up to which parsing is quicker than handing it to a thread."""

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


async def fan_out(function: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int) -> list[R]:
    """The results of ``function`` for all items, in their order, ``limit`` of them at a time.

    Raises:
        RateLimited: the one with the longest wait. Nothing more was begun after the first, but
            what was running has ended: it had permission to ask, and what it read is kept for
            the next execution, which would otherwise spend the same permissions again.
        The first of other errors, as it is; what was still running has then been cancelled.
    """
    slots = asyncio.Semaphore(limit)
    refusals: list[RateLimited] = []

    async def run(item: T) -> R | None:
        async with slots:
            if refusals:
                return None
            try:
                return await function(item)
            except RateLimited as error:
                refusals.append(error)
                return None

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if refusals:
        raise max(refusals, key=lambda refusal: refusal.retry_after)
    return [cast("R", task.result()) for task in tasks]


async def in_order(
    function: Callable[[T], Coroutine[Any, Any, R]], items: Iterable[T], limit: int
) -> AsyncGenerator[R]:
    """The results of ``function`` one by one in the items' order, ``limit`` computed ahead.

    Memory is that of ``limit`` results. Close it (``aclosing``): what is running is cancelled then.

    Raises:
        The error of an item, as it is, after the results of those before it.
    """
    waiting = iter(items)
    running = deque(asyncio.create_task(function(item)) for item in islice(waiting, limit))
    try:
        while running:
            result = await running[0]
            running.popleft()
            running.extend(asyncio.create_task(function(item)) for item in islice(waiting, 1))
            yield result
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run a short piece of work in a thread.

    Who is cancelled waits until the thread is done, and is cancelled then: what the thread works
    on (a file, a database) can be closed safely. So the pieces should take milliseconds.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments, **named))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # looked at, so that nobody complains that it was not
        raise


async def off_loop(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Run CPU-heavy parsing of a document of ``size`` bytes without holding up the event loop."""
    if size <= PARSED_INLINE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
