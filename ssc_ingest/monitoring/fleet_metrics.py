"""Fleet-wide gauges, which control reads from Redis and the graph.

Other processes do not export them, so each exists once. An unknown value (the oldest message of an
empty queue, the lag of a registry without updates) is not exported. Four gauges also have the names
of celery-exporter, which dashboards for Celery expect (:class:`_CeleryNames`).
"""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge
from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import IngestError
from ssc_ingest.graph.views import GraphViews
from ssc_ingest.http.rate_limit import RateLimiter
from ssc_ingest.metrics import PREFIX
from ssc_ingest.models import now
from ssc_ingest.monitoring.heartbeats import Worker, beats, workers
from ssc_ingest.on_demand.stream.status import Streams
from ssc_ingest.runs.store import Runs
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.messages import NextMessage
from ssc_ingest.work.names import queue_names
from ssc_ingest.work.queues import Queues

REFRESH_EVERY = 10.0
"""Seconds between reads of Redis."""

COUNT_EVERY = 300.0
"""Seconds between reads of the graph, which cost more."""


class FleetMetrics:
    """Sets the gauges; one instance per process that reads the queue ``control``.

    Args:
        registry: exports the gauges.
        queues: the queues and the delayed set.
        dead_letters: all dead letters.
        runs: the positions of updates.
        limiter: the pauses of registries.
        redis: the state database.
        streams: the streams of other services.
        views: reads the graph.
        freshness_goal: the age from which a package is stale.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        queues: Queues,
        dead_letters: DeadLetters,
        runs: Runs,
        limiter: RateLimiter,
        redis: Redis,
        streams: Streams,
        views: GraphViews,
        freshness_goal: timedelta,
    ) -> None:
        self._work = queues
        self._letters = dead_letters
        self._runs = runs
        self._limiter = limiter
        self._redis = redis
        self._streams = streams
        self._views = views
        self._freshness_goal = freshness_goal
        self._queues = queue_names(ecosystems())
        self._counted_at = -math.inf
        self._next: dict[str, tuple[NextMessage, float]] = {}
        self._celery = _CeleryNames(registry)
        self._refreshed = _gauge(
            registry, "fleet_refreshed_timestamp_seconds", "Time when Redis was last read."
        )
        self._messages = _gauge(registry, "queue_messages", "Messages waiting.", "queue")
        self._oldest = _gauge(
            registry,
            "queue_oldest_seconds",
            "Seconds for which the next message has been waiting.",
            "queue",
        )
        self._delayed = _gauge(registry, "delayed_messages", "Messages in the delayed set.")
        self._taken = _gauge(
            registry, "unacknowledged_messages", "Messages taken and not acknowledged."
        )
        self._dead_letters = _gauge(registry, "dead_letters", "Tasks that failed permanently.")
        self._feed_lag = _gauge(
            registry,
            "feed_lag_seconds",
            "Seconds since an update last read the registry's feed to its end.",
            "ecosystem",
        )
        self._stream_lag = _gauge(
            registry, "stream_lag", "Entries of the stream not delivered yet.", *("stream", "group")
        )
        self._stream_pending = _gauge(
            registry,
            "stream_pending",
            "Entries of the stream delivered and not acknowledged.",
            *("stream", "group"),
        )
        self._stream_messages = _gauge(
            registry,
            "stream_messages",
            "Messages of the stream so far, by outcome.",
            *("stream", "outcome"),
        )
        self._stream_readers = _gauge(
            registry, "stream_readers", "Processes that read the stream.", "stream"
        )
        self._last_task = _gauge(
            registry,
            "worker_last_task_timestamp_seconds",
            "Time when each worker last started a task.",
            "worker",
        )
        self._running = _gauge(
            registry, "worker_running_tasks", "Running tasks of each worker.", "worker"
        )
        self._beats = _gauge(registry, "beats", "Running beat processes.")
        self._paused = _gauge(
            registry, "registry_paused", "1 while an operator has paused it.", "ecosystem"
        )
        self._stale = _gauge(
            registry,
            "stale_packages_ratio",
            "Share of packages last read more than FRESHNESS_GOAL_DAYS ago.",
            "ecosystem",
        )
        self._packages = _gauge(
            registry, "graph_packages", "Packages in the graph, without stubs.", "ecosystem"
        )

    async def keep_fresh(self) -> None:
        """Read Redis, and less often the graph; call this every :data:`REFRESH_EVERY` seconds.

        Raises:
            RedisError: Redis does not respond; the gauges keep their values.
        """
        await self.refresh()
        if time.monotonic() - self._counted_at > COUNT_EVERY:
            self._counted_at = time.monotonic()
            with suppress(IngestError):  # the graph is unavailable, or too busy to count
                await self.count()

    async def refresh(self) -> None:
        """Read Redis.

        Raises:
            RedisError: Redis does not respond; the gauges keep their values.
        """
        lengths = await self._work.lengths(self._queues)
        _set(self._messages, {(name,): length for name, length in lengths.items()})
        self._note_oldest(await self._work.next(self._queues))
        self._delayed.set(await self._work.delayed())
        self._taken.set(await self._work.unacknowledged())
        self._dead_letters.set(await self._letters.count())
        await self._refresh_feeds()
        await self._refresh_streams()
        held = {name: await self._limiter.held(name) for name in ecosystems()}
        _set(self._paused, {(name,): float(hold is not None) for name, hold in held.items()})
        there = await workers(self._redis)
        _set(self._last_task, {(w.hostname,): w.last_task_at for w in there if w.last_task_at})
        _set(self._running, {(worker.hostname,): worker.running for worker in there})
        self._celery.show(lengths, there)
        self._beats.set(len(await beats(self._redis)))
        self._refreshed.set(time.time())

    async def count(self) -> None:
        """Read the graph.

        Raises:
            StoreUnavailable: the graph does not respond; the gauges keep their values.
        """
        labels = {name: cls.identity.label for name, cls in ecosystems().items()}
        found = await self._views.ages(labels, now() - self._freshness_goal)
        _set(self._packages, {(name,): ages.read for name, ages in found.items()})
        _set(self._stale, {(n,): ages.stale / ages.read for n, ages in found.items() if ages.read})

    def _note_oldest(self, messages: Mapping[str, NextMessage]) -> None:
        """Export how long the next message of each queue has waited, at least since we found it."""
        moment = time.time()
        before, self._next = self._next, {}
        for name, message in messages.items():
            known, since = before.get(name, (message, moment))
            if known.task_id != message.task_id:
                since = moment
            self._next[name] = (message, message.published_at or since)
        _set(
            self._oldest,
            {(name,): max(0.0, moment - since) for name, (_, since) in self._next.items()},
        )

    async def _refresh_feeds(self) -> None:
        moment = time.time()
        found: dict[tuple[str, ...], float] = {}
        for name in ecosystems():
            if feed := await self._runs.feed(name):
                found[(name,)] = moment - (feed.updated_at or feed.moment).timestamp()
        _set(self._feed_lag, found)

    async def _refresh_streams(self) -> None:
        lag: dict[tuple[str, ...], float] = {}
        pending: dict[tuple[str, ...], float] = {}
        messages: dict[tuple[str, ...], float] = {}
        readers: dict[tuple[str, ...], float] = {}
        for stream in await self._streams.standings():
            if stream.pending is not None:
                pending[(stream.name, stream.group)] = stream.pending
            if stream.lag is not None:
                lag[(stream.name, stream.group)] = stream.lag
            readers[(stream.name,)] = sum(reader.state != "failing" for reader in stream.readers)
            for outcome, count in asdict(stream.total).items():
                messages[(stream.name, outcome)] = count
        _set(self._stream_lag, lag)
        _set(self._stream_pending, pending)
        _set(self._stream_messages, messages)
        _set(self._stream_readers, readers)


class _CeleryNames:
    """The state of queues and workers by the names and labels of celery-exporter.

    A worker that has ended has no series: celery-exporter reports it as 0 for a while. Every queue
    is reported, also an empty one without workers.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, about: str, label: str) -> Gauge:
            return Gauge(f"celery_{name}", about, (label,), registry=registry)

        self._length = gauge("queue_length", "Messages waiting.", "queue_name")
        self._readers = gauge("active_worker_count", "Workers of the queue.", "queue_name")
        self._up = gauge("worker_up", "1 for each worker with a heartbeat.", "hostname")
        self._active = gauge("worker_tasks_active", "Running tasks.", "hostname")

    def show(self, lengths: Mapping[str, int], there: Sequence[Worker]) -> None:
        """Replace all values."""
        _set(self._length, {(name,): length for name, length in lengths.items()})
        readers = Counter(name for worker in there for name in worker.queues)
        _set(self._readers, {(name,): readers[name] for name in lengths})
        _set(self._up, {(worker.hostname,): 1 for worker in there})
        _set(self._active, {(worker.hostname,): worker.running for worker in there})


def _gauge(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Gauge:
    return Gauge(f"{PREFIX}_{name}", about, labels, registry=registry)


def _set(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """Replace all values of a gauge."""
    gauge.clear()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
