"""Batches the requests of many tasks, one batch at a time.

A single request is sent at once. Under load, all requests that arrive during one batch form the
next batch, so batches grow with the load.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
A = TypeVar("A")


@dataclass(slots=True, eq=False)
class Request(Generic[T, A]):
    """An item to send, with the future that its task awaits."""

    item: T
    answer: "asyncio.Future[A]"

    def settle(self, answer: A | Exception) -> None:
        """Set the result, unless the task was cancelled."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


def first(count: int, waiting: list[T]) -> list[T]:
    """Remove and return this number of items from the front of a list, or all of them."""
    batch = waiting[:count]
    del waiting[:count]
    return batch


class Batcher(Generic[T, A]):
    """Sends the requests of the tasks of one event loop.

    Args:
        send: sends items and returns one result per item, in order. A result that is an exception
            is raised for its item; an exception of ``send`` is raised for all items.
        take: removes the next batch from the waiting requests, and returns it.
        linger: seconds for which the first request of a batch waits for others.
        stopped: the exception for waiting requests if the batcher's task ends early; ``None``
            cancels them.
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[Sequence[A | Exception]]],
        take: Callable[[list[Request[T, A]]], list[Request[T, A]]],
        *,
        linger: float = 0.0,
        stopped: Exception | None = None,
    ) -> None:
        self._send = send
        self._take = take
        self._linger = linger
        self._stopped = stopped
        self._waiting: list[Request[T, A]] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, item: T) -> "asyncio.Future[A]":
        """Add a request to the next batch; returns its result."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append(Request(item, answer))
        if self._task is None or self._task.done():
            # In its own context, because it serves all tasks, not only the one that starts it.
            self._task = asyncio.create_task(self._drain(), context=Context())
        return answer

    async def close(self) -> None:
        """Send the waiting requests; later batches do not linger."""
        self._linger = 0.0
        if self._task:
            await self._task

    async def _drain(self) -> None:
        batch: list[Request[T, A]] = []
        try:
            while self._waiting:
                if self._linger:
                    await asyncio.sleep(self._linger)
                batch = self._take(self._waiting)
                try:
                    answers = await self._send([request.item for request in batch])
                except Exception as error:  # noqa: BLE001 - it belongs to the tasks that wait
                    answers = [error] * len(batch)
                for request, answer in zip(batch, answers, strict=True):
                    request.settle(answer)
        finally:
            # No requests are left, unless this task was cancelled.
            for request in [*batch, *self._waiting]:
                if self._stopped:
                    request.settle(self._stopped)
                else:
                    request.answer.cancel()
            self._waiting.clear()
