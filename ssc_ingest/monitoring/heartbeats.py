"""Heartbeats: every worker and beat process writes one to Redis every few seconds.

``worker:<hostname>`` and ``beat:<hostname>:<pid>`` are JSON documents that expire when their
process stops renewing them.
"""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

HEARTBEAT_EVERY = 5.0
"""Seconds."""

GONE_AFTER = 20
"""Seconds without a heartbeat until a process counts as ended."""

BEAT_LOCK = "beat:lock"
"""The beat that holds it fires the schedules."""

_PREFIX = "worker:"
_BEAT_PREFIX = "beat:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker process. Times are Unix times."""

    hostname: str
    pid: int
    queues: tuple[str, ...]
    concurrency: int
    started_at: float
    seen_at: float = 0.0
    running: int = 0
    last_task_at: float = 0.0
    """Start of its latest task; 0 before the first."""
    stalled_for: float = 0.0
    """Seconds for which messages have waited in its queues while it started no task."""

    def document(self) -> dict[str, Any]:
        """The heartbeat for JSON output; the times are aware, in UTC."""
        return {
            **asdict(self),
            "started_at": _moment(self.started_at),
            "seen_at": _moment(self.seen_at),
            "last_task_at": _moment(self.last_task_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One beat process; ``seen_at`` is a Unix time."""

    hostname: str
    pid: int
    leads: bool
    """Whether it fires the schedules; the others stand by."""
    schedules: tuple[str, ...]
    """Names of its schedules."""
    seen_at: float

    @property
    def key(self) -> str:
        """The Redis key of its heartbeat."""
        return f"{_BEAT_PREFIX}{self.hostname}:{self.pid}"

    def encode(self) -> str:
        """The heartbeat as JSON."""
        return json.dumps(asdict(self))

    def document(self) -> dict[str, Any]:
        """The heartbeat for JSON output; the time is aware, in UTC."""
        return {**asdict(self), "seen_at": _moment(self.seen_at)}


async def beat(redis: Redis, worker: Worker, **facts: float) -> None:
    """Write a worker's heartbeat; ``facts`` are changed fields of ``worker``."""
    document = {**asdict(worker), **facts, "seen_at": time.time()}
    await redis.set(_PREFIX + worker.hostname, json.dumps(document), ex=GONE_AFTER)


async def sign_off(redis: Redis, hostname: str) -> None:
    """Delete a worker's heartbeat, because it stops."""
    await redis.delete(_PREFIX + hostname)


async def workers(redis: Redis) -> list[Worker]:
    """The running workers, by name."""
    found = await _documents(redis, f"{_PREFIX}*")
    return [Worker(**{**document, "queues": tuple(document["queues"])}) for document in found]


async def beats(redis: Redis) -> list[Beat]:
    """The running beats, by name."""
    found = await _documents(redis, f"{_BEAT_PREFIX}*:*")
    return [Beat(**{**document, "schedules": tuple(document["schedules"])}) for document in found]


async def _documents(redis: Redis, pattern: str) -> list[dict[str, Any]]:
    names = sorted([str(key) async for key in redis.scan_iter(pattern, count=1000)])
    documents = await redis.mget(names) if names else []
    return [json.loads(document) for document in documents if document]


def _moment(seconds: float) -> datetime | None:
    """An aware time; ``None`` for 0, which stands for never."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
