"""The metrics of a process, and the small server that exports them."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from ssc_ingest.metrics import Metrics
from ssc_ingest.monitoring.endpoint import MonitoringServer
from ssc_ingest.work.messages import NextMessage, TaskMessage
from ssc_ingest.work.names import EXTRACT
from workers.process.activity import Activity


class Problems:
    """The problems of a process."""

    started: str | None = None
    alive: str | None = None
    ready: str | None = None


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of one process."""
    return Metrics()


@pytest.fixture
def problems() -> Problems:
    """A process without problems."""
    return Problems()


@pytest.fixture
def endpoint(metrics: Metrics, problems: Problems) -> Iterator[MonitoringServer]:
    """The process's server."""
    with MonitoringServer(
        "127.0.0.1",
        0,
        metrics.registry,
        started=lambda: problems.started,
        alive=lambda: problems.alive,
        ready=lambda: problems.ready,
    ) as endpoint:
        yield endpoint


def ask(endpoint: MonitoringServer, path: str) -> tuple[int, str]:
    """Status and body of a response."""
    connection = HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_what_was_counted_is_told(endpoint: MonitoringServer, metrics: Metrics) -> None:
    """Tasks with outcome and duration, packages, requests and waits, by name and host."""
    metrics.task_started("a.task")
    metrics.task_ended("a.task", "succeeded", 0.2)
    metrics.redelivered()
    metrics.package_ended("npm", "extracted")
    metrics.answered("npm.example", 200)
    metrics.asked_to_wait("npm.example", 429)
    metrics.delayed("npm.example", 1.5)
    metrics.refused("npm.example")
    status, text = ask(endpoint, "/metrics")
    assert status == 200
    for line in (
        'ssc_tasks_started_total{task="a.task"} 1.0',
        'ssc_tasks_ended_total{outcome="succeeded",task="a.task"} 1.0',
        'ssc_task_duration_seconds_bucket{le="0.3",task="a.task"} 1.0',
        'ssc_task_duration_seconds_bucket{le="0.1",task="a.task"} 0.0',
        "ssc_redeliveries_total 1.0",
        'ssc_packages_total{ecosystem="npm",ending="extracted"} 1.0',
        'ssc_requests_total{host="npm.example",status="200"} 1.0',
        'ssc_rate_limited_total{host="npm.example",status="429"} 1.0',
        'ssc_rate_limit_waits_total{host="npm.example",kind="delayed"} 1.0',
        'ssc_rate_limit_waits_total{host="npm.example",kind="refused"} 1.0',
        'ssc_rate_limit_wait_seconds_total{host="npm.example"} 1.5',
    ):
        assert line in text.splitlines(), line
    assert "process_resident_memory_bytes" in text
    assert "ssc_last_task_timestamp_seconds" in text


def test_processes_share_nothing(metrics: Metrics) -> None:
    """Two instances in one interpreter count separately."""
    metrics.redelivered()
    assert metrics.registry.get_sample_value("ssc_redeliveries_total") == 1
    assert Metrics().registry.get_sample_value("ssc_redeliveries_total") == 0


@pytest.mark.parametrize(
    ("path", "check"), [("/startupz", "started"), ("/healthz", "alive"), ("/readyz", "ready")]
)
def test_health(endpoint: MonitoringServer, problems: Problems, path: str, check: str) -> None:
    """The status is 200 without problems, otherwise 503 with the reason."""
    assert ask(endpoint, path) == (200, "ok\n")
    setattr(problems, check, "the loop hangs")
    assert ask(endpoint, path) == (503, "the loop hangs\n")


def test_other_pages_are_not_there(endpoint: MonitoringServer) -> None:
    """The response to another path names the existing ones."""
    status, text = ask(endpoint, "/")
    assert status == 404
    assert "/metrics" in text


def test_a_taken_port_is_an_error(metrics: Metrics) -> None:
    """Two processes cannot use one address."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        MonitoringServer(
            "127.0.0.1",
            taken.getsockname()[1],
            metrics.registry,
            started=lambda: None,
            alive=lambda: None,
            ready=lambda: None,
        )


def test_a_worker_that_takes_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time counts from the first waiting message until a task starts."""
    clock = [100.0]
    monkeypatch.setattr("workers.process.activity.time.monotonic", lambda: clock[0])
    activity = Activity()
    clock[0] += 900
    activity.saw(waiting=False)
    assert activity.stalled_for == 0
    clock[0] += 300
    activity.saw(waiting=True)
    assert activity.stalled_for == 300
    activity.began("a")
    assert activity.stalled_for == 0
    clock[0] += 7
    assert activity.ended("a") == 7
    assert activity.ended("never begun") == 0


def test_messages_say_how_long_they_wait() -> None:
    """The time counts from their queueing; other programs' messages have none."""
    message = TaskMessage(task=EXTRACT, kwargs={}, queue="npm.bulk", task_id="a")
    now, later = (NextMessage.decode(message.encode(delay)) for delay in (0, 3600))
    assert now.task_id == "a"
    assert now.published_at is not None
    assert later.published_at is not None
    assert 3590 < later.published_at - now.published_at < 3610
    assert NextMessage.decode('{"headers": {"id": "b"}}') == NextMessage("b", None)
    for junk in ("junk", "[]", '"x"', "{}", '{"headers": 1}'):
        assert NextMessage.decode(junk).published_at is None
