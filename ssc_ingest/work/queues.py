"""The work queues as Redis lists, in the message format that Celery workers read.

Publishing is done here and not by Celery because the library works without it, because a
whole page of work goes out in one round trip, and because a message that waits can then be
moved to its queue in one atomic step. The format is Celery's message protocol, version 2
(https://docs.celeryq.dev/en/stable/internals/protocol.html) in kombu's Redis envelope.

Work that must wait (a paused host, a store that is down, the next attempt) stands in the
sorted set ``delayed`` by the time when it is due, its messages in ``delayed:messages`` by
task id: a task waits once, however often it was delivered.
"""

import base64
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from redis.asyncio import Redis

EXTRACT = "extraction.extract_package"
INGEST = "ingestion.ingest"
UPDATE = "updates.update"
REPLAY = "dead_letters.replay"
SWEEP = "runs.sweep"
STALENESS = "staleness.sweep"

CONTROL = "control"
DEFAULT = "celery"
"""Where callers without our configuration publish; control forwards it."""

URGENCIES = ("urgent", "fresh", "bulk")

DELAYED = "delayed"
MESSAGES = "delayed:messages"

PUBLISHED = "published_at"
"""Header of ours: since when the message is in its queue (Unix time)."""

LONGEST_REPR = 1024
"""Characters of the arguments that Flower shows."""

# KEYS: delayed, messages. ARGV: now, most. Returns how many were moved.
_MOVE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  local entry = redis.call('HGET', KEYS[2], id)
  if entry then
    local queue, message = string.match(entry, '^([^\\n]*)\\n(.*)$')
    redis.call('LPUSH', queue, message)
  end
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
return #due
"""


def queue_name(ecosystem: str, urgency: str) -> str:
    """The queue of one ecosystem's work of one urgency: ``pypi.urgent``."""
    return f"{ecosystem}.{urgency}"


def queue_names(ecosystems: Iterable[str]) -> list[str]:
    """All queues, the most urgent first, control and the default queue last."""
    names = list(ecosystems)
    work = [queue_name(ecosystem, urgency) for urgency in URGENCIES for ecosystem in names]
    return [*work, CONTROL, DEFAULT]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMessage:
    """One task on its way: what to do, where, and what it has been through."""

    task: str
    kwargs: Mapping[str, Any]
    queue: str
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0
    """Failures so far that counted."""
    since: float | None = None
    """Unix time since when it has not succeeded; ``None`` before the first failure."""
    ignore_result: bool = True
    """Whether nobody asks for its result: those of packages are in the graph."""

    def moved_to(self, queue: str) -> "TaskMessage":
        """The same task for another queue."""
        return replace(self, queue=queue)

    def as_wish(self) -> str:
        """The message as text that :meth:`from_wish` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_wish(cls, text: str) -> "TaskMessage":
        """The inverse of :meth:`as_wish`."""
        return cls(**json.loads(text))

    def encode(self, delay: float = 0) -> str:
        """The message as kombu's Redis transport stores it; it is to be there in ``delay`` s."""
        body = [[], dict(self.kwargs), dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))]
        headers = {
            "lang": "py",
            "task": self.task,
            "id": self.task_id,
            "root_id": self.task_id,
            "parent_id": None,
            "group": None,
            "shadow": None,
            "eta": None,
            "expires": None,
            "retries": self.attempts,
            "timelimit": [None, None],
            "argsrepr": "()",
            "kwargsrepr": repr(dict(self.kwargs))[:LONGEST_REPR],
            "origin": f"{os.getpid()}@{socket.gethostname()}",
            "ignore_result": self.ignore_result,
            "attempts": self.attempts,
            "since": self.since,
            PUBLISHED: time.time() + delay,
        }
        properties = {
            "correlation_id": self.task_id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": self.queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        }
        return json.dumps(
            {
                "body": base64.b64encode(json.dumps(body).encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": headers,
                "properties": properties,
            }
        )


@dataclass(frozen=True, slots=True)
class NextMessage:
    """What is known about a message without taking it."""

    task_id: str
    published_at: float | None
    """Unix time; ``None`` where another program published it."""

    @classmethod
    def decode(cls, message: str) -> "NextMessage":
        """From the form in which kombu stores it."""
        try:
            headers = json.loads(message)["headers"]
            return cls(str(headers["id"]), headers.get(PUBLISHED))
        except (ValueError, KeyError, TypeError):  # none of Celery's: whoever takes it will see
            return cls(message[:100], None)


class Queues:
    """Publishing, delaying and counting work. ``redis`` is the broker's database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._move_due = redis.register_script(_MOVE_DUE)

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Put messages at the end of their queues, all in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.lpush(message.queue, message.encode())
            await pipeline.execute()

    async def delay(self, message: TaskMessage, seconds: float) -> None:
        """Keep a message back for so many seconds; replaces an earlier delay of the same task."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            entry = f"{message.queue}\n{message.encode(seconds)}"
            pipeline.hset(MESSAGES, message.task_id, entry)
            pipeline.zadd(DELAYED, {message.task_id: time.time() + seconds})
            await pipeline.execute()

    async def move_due(self, most: int = 1000) -> int:
        """Move at most so many delayed messages that are due to their queues; returns how many."""
        return int(await self._move_due(keys=[DELAYED, MESSAGES], args=[time.time(), most]))

    async def wake(self, queues: Sequence[str]) -> int:
        """Make due at once what waits to go to one of these queues; returns how many did."""
        now, woken = time.time(), 0
        async for task_id, entry in self._redis.hscan_iter(MESSAGES, count=1000):
            if entry.partition("\n")[0] in queues:
                # Only sooner; and only what still waits.
                woken += bool(
                    await self._redis.zadd(DELAYED, {task_id: now}, xx=True, lt=True, ch=True)
                )
        return woken

    async def lengths(self, names: Sequence[str]) -> dict[str, int]:
        """Messages waiting in each queue (those being worked on are not in it)."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(name)
            return dict(zip(names, await pipeline.execute(), strict=True))

    async def next(self, names: Sequence[str]) -> dict[str, NextMessage]:
        """The message of each queue that will be taken next; empty queues have none."""
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
        """Whether that task waits for its time."""
        return await self._redis.zscore(DELAYED, task_id) is not None

    async def delayed(self) -> int:
        """Messages that wait for their time."""
        return int(await self._redis.zcard(DELAYED))

    async def unacknowledged(self) -> int:
        """Messages that workers have taken and not finished."""
        return int(await self._redis.zcard("unacked_index"))
