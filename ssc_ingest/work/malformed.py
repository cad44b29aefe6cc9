"""Texts in the queues that are not messages: they become dead letters.

The workers' transport puts them aside in the list ``malformed``, because one would stop every
worker that reads its queue.
"""

from typing import Any

from redis.asyncio import Redis

from ssc_ingest.errors import InvalidArguments
from ssc_ingest.models import now
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.messages import TaskMessage

MALFORMED = "malformed"
"""The list."""

MAX_LENGTH = 64 * 1024
"""Bytes of such a text that are kept."""

KEEP_EVERY = 5.0
"""Seconds."""

REASON = "it is not a message of Celery: its envelope cannot be read"


class MalformedTexts:
    """Turns malformed texts into dead letters. ``redis`` is the broker's database, with bytes."""

    def __init__(self, redis: Redis, dead_letters: DeadLetters) -> None:
        self._redis = redis
        self._dead_letters = dead_letters

    async def keep(self) -> None:
        """Store all as dead letters; a crash in between stores one twice, but loses none."""
        redis: Any = self._redis  # its stubs know texts only
        while (text := await redis.lindex(MALFORMED, -1)) is not None:
            kept = text[:MAX_LENGTH].decode(errors="replace")
            letter = TaskMessage(task="", queue="", kwargs={"message": kept})
            await self._dead_letters.add(letter, InvalidArguments(REASON), now=now())
            await redis.lrem(MALFORMED, -1, text)
