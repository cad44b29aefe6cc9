"""``/startupz``, ``/healthz`` and ``/readyz`` of a worker process, checked on its event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from typing import Any

import structlog
from neo4j import AsyncDriver
from neo4j.exceptions import DriverError, Neo4jError
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest.monitoring.endpoint import MonitoringServer
from ssc_ingest.monitoring.health import stalled
from ssc_ingest.monitoring.heartbeats import Worker
from ssc_ingest.work.queues import Queues
from workers.process.activity import Activity

PROBE_TIMEOUT = 5.0
"""Seconds until the event loop must respond."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A started worker and its stores."""

    worker: Worker
    activity: Activity
    redis: Redis
    """The state database."""
    queues: Queues
    driver: AsyncDriver


class Probes:
    """The checks, and the server that calls them from its own threads.

    Args:
        loop: of the process; a probe fails if it hangs.
        is_stopping: whether the process has received a stop signal.
    """

    probed: Probed | None = None
    """``None`` while the process starts."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_stopping: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_stopping = is_stopping
        self._server: MonitoringServer | None = None

    @property
    def listening(self) -> bool:
        """Whether the server runs."""
        return self._server is not None

    def listen(self, host: str, port: int, registry: CollectorRegistry) -> None:
        """Serve the probes and the metrics; only logs a warning if the port is in use."""
        try:
            self._server = MonitoringServer(
                host,
                port,
                registry,
                started=self._started,
                alive=self._alive,
                ready=self._ready,
            )
        except OSError as error:
            log.warning("metrics_unavailable", address=f"{host}:{port}", error=str(error))

    def close(self) -> None:
        """Stop the server."""
        if self._server:
            self._server.close()

    def _started(self) -> str | None:
        """The reason to wait for the process, or to restart it."""
        return self._alive() if self.probed else "it starts"

    def _alive(self) -> str | None:
        """The reason to restart the process: its loop hangs, or it takes no messages."""
        return self._ask(_problem(self.probed)) if self.probed else None

    def _ready(self) -> str | None:
        """The reason why the process cannot work at the moment."""
        if self._is_stopping():
            return "it stops"
        if not self.probed:
            return "it starts"
        return self._ask(_missing_store(self.probed))

    def _ask(self, check: Coroutine[Any, Any, str | None]) -> str | None:
        future = asyncio.run_coroutine_threadsafe(check, self._loop)
        try:
            return future.result(PROBE_TIMEOUT)
        except FutureTimeout:
            future.cancel()
            return f"no answer within {PROBE_TIMEOUT:g} s"


async def _problem(probed: Probed) -> str | None:
    return stalled(replace(probed.worker, stalled_for=probed.activity.stalled_for))


async def _missing_store(probed: Probed) -> str | None:
    try:
        await probed.redis.ping()
        await probed.queues.delayed()
        await probed.driver.execute_query("RETURN 1")
    except (RedisError, Neo4jError, DriverError) as error:
        return f"{type(error).__name__}: {error}"
    return None
