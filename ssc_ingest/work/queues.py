"""The work queues: Redis lists from which Celery workers take their messages.

The library publishes messages itself: it does not depend on Celery, publishes a page in one round
trip, and moves a delayed message to its queue atomically.

Work that must wait (for a paused host, an unavailable store, the next attempt) is in the sorted set
``delayed``, scored by its due time. Its messages are in ``delayed:messages`` by task id, so a task
waits once, however often it was delivered. The time is the Redis server's: the clocks of the
processes may differ, or jump.
"""

from collections.abc import Sequence

from redis.asyncio import Redis

from ssc_ingest.work.lua import load
from ssc_ingest.work.messages import NextMessage, TaskMessage

DELAYED = "delayed"
MESSAGES = "delayed:messages"

PRIORITIES = (3, 6, 9)
"""kombu's steps above 0: a caller's message with such a priority is in a list of its own."""


class Queues:
    """Publishing, delaying and counting work. ``redis`` is the broker's database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._delay = redis.register_script(load("delay"))
        self._move_due = redis.register_script(load("move_due"))
        self._gather = redis.register_script(load("gather"))

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Append messages to their queues, in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.lpush(message.queue, message.encode())
            await pipeline.execute()

    async def delay(self, message: TaskMessage, seconds: float) -> None:
        """Delay a message by ``seconds``; replaces an earlier delay of the same task."""
        await self.delay_text(message.task_id, message.queue, message.encode(seconds), seconds)

    async def delay_text(self, task_id: str, queue: str, envelope: str, seconds: float) -> None:
        """As :meth:`delay`, for a message as kombu stores it."""
        entry = f"{queue}\n{envelope}"
        await self._delay(keys=[DELAYED, MESSAGES], args=[task_id, entry, seconds])

    async def move_due(self, most: int = 1000) -> int:
        """Move at most ``most`` due messages to their queues; returns their number."""
        return int(await self._move_due(keys=[DELAYED, MESSAGES], args=[most]))

    async def move_all_due(self) -> None:
        """Move all due messages to their queues, in batches."""
        while await self.move_due():
            pass

    async def gather(self, names: Sequence[str]) -> None:
        """Move messages with a priority of kombu to these queues.

        Urgency is the queue here, so no worker reads the lists of priorities.
        """
        keys = [
            key for name in names for step in PRIORITIES for key in (f"{name}\x06\x16{step}", name)
        ]
        while await self._gather(keys=keys, args=[1000]):
            pass

    async def wake(self, queues: Sequence[str]) -> int:
        """Make the delayed messages of these queues due at once; returns their number."""
        (now, _), woken = await self._redis.time(), 0
        async for task_id, entry in self._redis.hscan_iter(MESSAGES, count=1000):
            if entry.partition("\n")[0] in queues:
                # Never later, and only messages that are still waiting.
                woken += bool(
                    await self._redis.zadd(DELAYED, {task_id: now}, xx=True, lt=True, ch=True)
                )
        return woken

    async def lengths(self, names: Sequence[str]) -> dict[str, int]:
        """Number of messages in each queue, without those that workers have taken."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(name)
            return dict(zip(names, await pipeline.execute(), strict=True))

    async def next(self, names: Sequence[str]) -> dict[str, NextMessage]:
        """The next message of each queue; empty queues have none."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.lindex(name, -1)
            messages = await pipeline.execute()
        return {
            name: NextMessage.decode(message)
            for name, message in zip(names, messages, strict=True)
            if message
        }

    async def is_delayed(self, task_id: str) -> bool:
        """Whether the task is delayed."""
        return await self._redis.zscore(DELAYED, task_id) is not None

    async def delayed(self) -> int:
        """Number of delayed messages."""
        return int(await self._redis.zcard(DELAYED))

    async def unacknowledged(self) -> int:
        """Number of messages that workers have taken and not acknowledged."""
        return int(await self._redis.zcard("unacked_index"))
