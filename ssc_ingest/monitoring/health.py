"""The health of the workers or beats on this machine, by their heartbeats in Redis.

``python -m ssc_ingest.health`` prints it. A worker writes its heartbeat (:mod:`.heartbeats`) from
its event loop, with the time for which messages have been waiting while it took none; beat writes
its own from its scheduler. If several processes run on a machine, one healthy process is enough.
"""

import asyncio
import socket
import sys

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.monitoring.heartbeats import Worker, beats, workers
from ssc_ingest.servers import locate
from ssc_ingest.settings import load_settings

REDIS_TIMEOUT = 3.0
"""Seconds until Redis must respond."""

STALLED_AFTER = 600.0
"""Seconds for which messages may wait while a worker takes none. Tasks end within a minute, but a
worker may have to run redelivered tasks one after the other."""


def stalled(worker: Worker) -> str | None:
    """The reason to restart a worker that has a heartbeat, or ``None``."""
    if worker.stalled_for <= STALLED_AFTER:
        return None
    return (
        f"{worker.hostname} has taken no messages from its queues for "
        f"{worker.stalled_for:.0f} s, although messages are waiting"
    )


async def healthy(kind: str) -> list[str]:
    """Names of the healthy workers or beats of this machine.

    Raises:
        ConfigurationError: the address of Redis is unknown.
        RedisError: Redis does not respond.
        Unhealthy: all processes with a heartbeat are unhealthy.
    """
    settings = load_settings()
    client = Redis.from_url(
        locate(settings).redis(settings.redis_state_db),
        decode_responses=True,
        socket_connect_timeout=REDIS_TIMEOUT,
        socket_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    here = socket.gethostname()
    async with client:
        if kind == "beat":
            return [beat.hostname for beat in await beats(client) if beat.hostname == here]
        there = [w for w in await workers(client) if w.hostname.rpartition("@")[2] == here]
    problems = {worker.hostname: stalled(worker) for worker in there}
    found = [name for name, problem in problems.items() if problem is None]
    if problems and not found:
        raise Unhealthy("; ".join(filter(None, problems.values())))
    return found


class Unhealthy(Exception):
    """The process has a heartbeat but does not work; the text gives the reason."""


def report(kind: str) -> None:
    """Print the healthy processes of a kind, and exit with 1 if there is none."""
    try:
        names = asyncio.run(healthy(kind))
    except (ConfigurationError, RedisError, Unhealthy) as error:
        sys.exit(str(error))
    if not names:
        sys.exit(f"no {kind} of {socket.gethostname()} is alive")
    sys.stdout.write(f"{', '.join(names)}\n")
