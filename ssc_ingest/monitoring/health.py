"""Whether a worker or beat of this machine works: ``python -m ssc_ingest.health [worker|beat]``.

Exit code 0 or 1, for the containers' health checks, and therefore quick: Celery is neither
asked nor imported. A process says every few seconds that it is there (:mod:`.heartbeats`): a
worker from its event loop, with how long messages have been waiting while it took none; beat
from its scheduler. A process that is there and does nothing of the kind is not healthy. With
several on a machine, one is enough.
"""

import argparse
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
"""Seconds for Redis to answer."""

STALLED_AFTER = 600.0
"""Seconds for which messages may wait while a worker takes none. Tasks end within a minute, but
a worker may have to run those that were delivered before one after the other."""


def stalled(worker: Worker) -> str | None:
    """Why a worker that says that it is there should be restarted, or ``None``."""
    if worker.stalled_for <= STALLED_AFTER:
        return None
    return (
        f"{worker.hostname} has taken nothing from its queues for "
        f"{worker.stalled_for:.0f} s, though messages wait there"
    )


async def healthy(kind: str) -> list[str]:
    """Names of the workers or beats of this machine that work.

    Raises:
        ConfigurationError: there is no telling where Redis is.
        RedisError: it does not answer.
        Unhealthy: those that are there do not work.
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
    """The process is there and does not work; the text says why."""


def main() -> None:
    """Say who is healthy, and exit."""
    parser = argparse.ArgumentParser(prog="python -m ssc_ingest.health")
    parser.add_argument("kind", nargs="?", choices=["worker", "beat"], default="worker")
    kind = parser.parse_args().kind
    try:
        names = asyncio.run(healthy(kind))
    except (ConfigurationError, RedisError, Unhealthy) as error:
        sys.exit(str(error))
    if not names:
        sys.exit(f"no {kind} of {socket.gethostname()} is alive")
    sys.stdout.write(f"{', '.join(names)}\n")


if __name__ == "__main__":
    main()
