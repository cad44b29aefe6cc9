"""What one process counts for Prometheus.

Each process has one :class:`Metrics` with its own registry and hands it to the parts that count;
nothing is global. Only control fills the gauges about the whole fleet
(:mod:`ssc_ingest.monitoring.fleet_metrics`). docs/operations.md explains every name.
"""

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
"""Upper bounds of the durations of tasks; none runs longer than the last, but runs do."""

PREFIX = "ssc"


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._tasks_started = self._counter("tasks_started", "Tasks begun.", "task")
        self._tasks_ended = self._counter(
            "tasks_ended",
            "Tasks ended: succeeded, failed, retried (put off), returned (to their queue).",
            *("task", "outcome"),
        )
        self._task_seconds = Histogram(
            f"{PREFIX}_task_duration_seconds",
            "How long tasks took.",
            ["task"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._last_task = Gauge(
            f"{PREFIX}_last_task_timestamp_seconds",
            "When this process last began a task.",
            registry=self.registry,
        )
        self._redelivered = self._counter(
            "redeliveries", "Deliveries of tasks whose earlier delivery never ended."
        )
        self._packages = self._counter(
            "packages",
            "Packages done with: extracted (read from the registry and written), failed ...",
            *("ecosystem", "ending"),
        )
        self._requests = self._counter("requests", "Answers of registries.", *("host", "status"))
        self._limited = self._counter(
            "rate_limited",
            "Answers by which a host asked us to wait (429, 503).",
            *("host", "status"),
        )
        self._waits = self._counter(
            "rate_limit_waits",
            "Requests that our own limit held up: delayed (for seconds), refused (the work is put "
            "off).",
            *("host", "kind"),
        )
        self._waited = self._counter(
            "rate_limit_wait_seconds", "Seconds that requests were delayed for.", "host"
        )

    def task_started(self, task: str) -> None:
        """A task was taken from its queue."""
        self._tasks_started.labels(task).inc()
        self._last_task.set(time.time())

    def task_ended(self, task: str, outcome: str, seconds: float) -> None:
        """A task came to its end."""
        self._tasks_ended.labels(task, outcome).inc()
        self._task_seconds.labels(task).observe(seconds)

    def redelivered(self) -> None:
        """A task was delivered again, though its earlier delivery never ended."""
        self._redelivered.inc()

    def package_ended(self, ecosystem: str, ending: str) -> None:
        """A package was done with."""
        self._packages.labels(ecosystem, ending).inc()

    def answered(self, host: str, status: int) -> None:
        """A registry answered a request."""
        self._requests.labels(host, str(status)).inc()

    def asked_to_wait(self, host: str, status: int) -> None:
        """A registry told us to wait."""
        self._limited.labels(host, str(status)).inc()

    def delayed(self, host: str, seconds: float) -> None:
        """A request was sent later than it could have been."""
        self._waits.labels(host, "delayed").inc()
        self._waited.labels(host).inc(seconds)

    def refused(self, host: str) -> None:
        """A request was not sent, because the host is paused or its rate used up."""
        self._waits.labels(host, "refused").inc()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", about, labels, registry=self.registry)
