"""Concurrency within one package: concurrent requests, and blocking work in threads."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

from ssc_ingest.errors import RateLimited, RegistryOverloaded

PARSED_INLINE = 128 * 1024
"""Maximum bytes for which parsing is faster than passing it to a thread."""

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


async def fan_out(function: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int) -> list[R]:
    """The results of ``function`` for all items in order, with at most ``limit`` concurrent calls.

    Raises:
        RateLimited: the one with the longest wait. No call is started after the first one, but
            running calls complete, because their requests were permitted. The next attempt uses
            their responses from the checkpoint. After a 503 (:class:`.RegistryOverloaded`) calls
            are still started: if it concerns more than its document, the host is paused and
            refuses the next one.
        Exception: the first other error, unchanged; running calls are cancelled.
        CancelledError: with the notes that all running calls' cancellations have, such as the store
            that they waited for.
    """
    slots = asyncio.Semaphore(limit)
    refusals: list[RateLimited] = []
    cancelled: list[set[str]] = []

    async def run(item: T) -> R | None:
        async with slots:
            if not all(isinstance(refusal, RegistryOverloaded) for refusal in refusals):
                return None
            try:
                return await function(item)
            except RateLimited as error:
                refusals.append(error)
                return None
            except asyncio.CancelledError as error:
                cancelled.append(set(getattr(error, "__notes__", ())))
                raise

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(item)) for item in items]
    except asyncio.CancelledError as error:
        for note in set.intersection(*cancelled) if cancelled else ():
            error.add_note(note)
        raise
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if refusals:
        raise max(refusals, key=lambda refusal: refusal.retry_after)
    return [cast("R", task.result()) for task in tasks]


async def in_order(
    function: Callable[[T], Coroutine[Any, Any, R]], items: Iterable[T], limit: int
) -> AsyncGenerator[R]:
    """The results of ``function`` one by one in the items' order, computing up to ``limit`` ahead.

    Holds ``limit`` results in memory. Close it (``aclosing``) to cancel the running calls.

    Raises:
        The error of an item, unchanged, after the results of the items before it.
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
    """Run a short function in a thread.

    A cancellation takes effect when the thread has finished, so that the caller can safely close
    the file or database that the thread uses. The function should therefore take milliseconds.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments, **named))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # marks the exception as retrieved
        raise


async def off_loop(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Run CPU-heavy parsing of a document of ``size`` bytes without blocking the event loop."""
    if size <= PARSED_INLINE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
