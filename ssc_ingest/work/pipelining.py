"""Commands of tasks that run at the same time share their way to Redis.

A task asks Redis for a handful of things, one after the other, and dozens of tasks do so at
once. A round trip costs the process much more than a command does, so what is asked while one
is on its way goes out together, as the next pipeline.
"""

import asyncio
from contextvars import Context
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import DataError

MAX_BATCH = 200
"""Commands of one pipeline."""


class _Command(NamedTuple):
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    answer: asyncio.Future[Any]


class PipeliningRedis(Redis):
    """A client for the tasks of one event loop; not for commands that block.

    A command is sent at the next turn of the loop, or when the pipeline before it has its
    answers. Each gets its own answer or error; a lost connection is everybody's.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        """``pool`` is closed with the client."""
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._waiting: list[_Command] = []
        self._sender: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer to one command; raises what redis-py raises."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Command(args, options, answer))
        if self._sender is None or self._sender.done():
            # In a context of its own: it is everybody's, not this task's.
            self._sender = asyncio.create_task(
                self._drain(), name="redis-pipeline", context=Context()
            )
        return await answer

    async def aclose(
        self,
        close_connection_pool: bool | None = None,  # noqa: FBT001 - its own signature
    ) -> None:
        """Send what was asked, then close."""
        if self._sender:
            await self._sender
        await super().aclose(close_connection_pool)

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                await self._send(batch)
            finally:
                for command in batch:
                    command.answer.cancel()  # nothing where it has its answer: only if stopped

    async def _send(self, batch: list[_Command]) -> None:
        pipeline = self.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command.arguments, **command.options)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except (DataError, UnicodeError) as error:
            # Something that cannot be encoded; nothing was sent.
            if len(batch) > 1:
                for command in batch:
                    await self._send([command])
                return
            answers = [error]
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            answers = [error] * len(batch)
        for command, answer in zip(batch, answers, strict=True):
            if command.answer.done():  # its task was cancelled
                continue
            if isinstance(answer, Exception):
                command.answer.set_exception(answer)
            else:
                command.answer.set_result(answer)
