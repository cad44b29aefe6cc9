"""Blocking work in a thread, whose end is waited for whatever happens to who asked for it."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
