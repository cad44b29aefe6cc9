"""Prometheus metrics of one process.

Each process has one :class:`Metrics` with its own registry and passes it to its services; nothing
is global. Only control sets the fleet-wide gauges (:mod:`ssc_ingest.monitoring.fleet_metrics`).
docs/operations.md explains every name.
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
"""Upper bounds of the duration histogram, in seconds; only runs take longer than the last one."""

PREFIX = "ssc"


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._tasks_started = self._counter("tasks_started", "Tasks started.", "task")
        self._tasks_ended = self._counter(
            "tasks_ended",
            "Tasks ended: succeeded, failed, retried (delayed), returned (to their queue).",
            *("task", "outcome"),
        )
        self._task_seconds = Histogram(
            f"{PREFIX}_task_duration_seconds",
            "Duration of tasks.",
            ["task"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._last_task = Gauge(
            f"{PREFIX}_last_task_timestamp_seconds",
            "Time when this process last started a task.",
            registry=self.registry,
        )
        self._redelivered = self._counter(
            "redeliveries", "Deliveries of tasks whose earlier delivery did not end."
        )
        self._packages = self._counter(
            "packages",
            "Packages by outcome: extracted (read from the registry and written), failed ...",
            *("ecosystem", "ending"),
        )
        self._import_names = self._counter(
            "import_names",
            "Readings of import names by outcome: named, without_names, failed ...",
            *("ecosystem", "outcome"),
        )
        self._names_left_out = self._counter(
            "import_names_left_out",
            "Import names not stored: unsafe (characters), limit (IMPORT_NAMES_MAX).",
            *("ecosystem", "reason"),
        )
        self._requests = self._counter("requests", "Responses of registries.", *("host", "status"))
        self._limited = self._counter(
            "rate_limited",
            "Responses that requested a pause (429, 503) or refused us (403).",
            *("host", "status"),
        )
        self._waits = self._counter(
            "rate_limit_waits",
            "Requests held back by our own limit: delayed (for seconds), refused (the task waits).",
            *("host", "kind"),
        )
        self._waited = self._counter(
            "rate_limit_wait_seconds", "Total waiting time of delayed requests.", "host"
        )

    def task_started(self, task: str) -> None:
        """A task was taken from its queue."""
        self._tasks_started.labels(task).inc()
        self._last_task.set(time.time())

    def task_ended(self, task: str, outcome: str, seconds: float) -> None:
        """A task ended."""
        self._tasks_ended.labels(task, outcome).inc()
        self._task_seconds.labels(task).observe(seconds)

    def redelivered(self) -> None:
        """A task was delivered again because its earlier delivery did not end."""
        self._redelivered.inc()

    def package_ended(self, ecosystem: str, ending: str) -> None:
        """The work on a package ended."""
        self._packages.labels(ecosystem, ending).inc()

    def import_names_read(self, ecosystem: str, outcome: str) -> None:
        """A reading of import names ended."""
        self._import_names.labels(ecosystem, outcome).inc()

    def names_left_out(self, ecosystem: str, reason: str, names: int) -> None:
        """Some import names are not stored."""
        if names:
            self._names_left_out.labels(ecosystem, reason).inc(names)

    def answered(self, host: str, status: int) -> None:
        """A registry responded to a request."""
        self._requests.labels(host, str(status)).inc()

    def asked_to_wait(self, host: str, status: int) -> None:
        """A registry requested a pause."""
        self._limited.labels(host, str(status)).inc()

    def delayed(self, host: str, seconds: float) -> None:
        """Our own limit delayed a request."""
        self._waits.labels(host, "delayed").inc()
        self._waited.labels(host).inc(seconds)

    def refused(self, host: str) -> None:
        """A request was not sent because the host is paused or its rate limit is reached."""
        self._waits.labels(host, "refused").inc()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", about, labels, registry=self.registry)
