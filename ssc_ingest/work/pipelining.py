"""Concurrent tasks share their round trips to Redis.

A task sends Redis a few commands, one after the other, and dozens of tasks do so at once. A round
trip costs the process much more than a command. So all commands that arrive during one round trip
form the next pipeline.
"""

from functools import partial
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import DataError

from ssc_ingest.work.batching import Batcher, first
from ssc_ingest.work.waiting import REDIS, waiting_for

MAX_BATCH = 200
"""Maximum commands per pipeline."""


_Command: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments and options of redis-py."""


class PipeliningRedis(Redis):
    """A client for the tasks of one event loop; not for commands that block.

    A command is sent at the next turn of the loop, or after the current pipeline. Each command gets
    its own result or error; a lost connection fails the whole pipeline.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        """``pool`` is closed with the client."""
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._pipelines: Batcher[_Command, Any] = Batcher(self._send, partial(first, MAX_BATCH))

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute one command; raises the errors of redis-py."""
        with waiting_for(REDIS):  # the pipeline is sent by another task
            return await self._pipelines.put((args, options))

    async def aclose(
        self,
        close_connection_pool: bool | None = None,  # noqa: FBT001 - its own signature
    ) -> None:
        """Send the waiting commands, then close."""
        await self._pipelines.close()
        await super().aclose(close_connection_pool)

    async def _send(self, commands: list[_Command]) -> list[Any]:
        pipeline = self.pipeline(transaction=False)
        for arguments, options in commands:
            pipeline.execute_command(*arguments, **options)
        try:
            return await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - it belongs to the tasks that wait
            if len(commands) == 1 or not isinstance(error, (DataError, UnicodeError)):
                return [error] * len(commands)
            # One command cannot be encoded; nothing was sent.
            return [answer for command in commands for answer in await self._send([command])]
