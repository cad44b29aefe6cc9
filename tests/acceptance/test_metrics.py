"""Metrics and health of workers, over real HTTP."""

import asyncio
from collections.abc import Mapping
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import finished, settled, start_job
from tests.ports import unused_port
from tests.simulator.client import Simulator

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body of a response."""
    opener = build_opener(ProxyHandler({}))  # loopback: no proxy of the environment
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def scrape(port: int) -> Samples:
    """All values of a process by name and labels."""
    status, text = ask(port, "/metrics")
    assert status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """One value, or ``None``."""
    return samples.get((f"ssc_{name}", frozenset(labels.items())))


async def test_a_worker_reports_its_work(fleet: Fleet, simulator: Simulator, state: State) -> None:
    """Tasks by outcome, packages, responses, and hosts that requested a pause."""
    port = unused_port()
    fleet.environment["METRICS_PORT"] = str(port)
    fleet.start("npm.urgent")
    package, slow = simulator.packages("npm", 2, start=30)
    simulator.fault("status", package=slow.purl, status=429, retry_after="1", times=1)
    await finished(state, await start_job(state, package.name, "none", "npm"))
    absent = {"ecosystem": "npm", "name": "no-such-package", "dependencies": "none"}
    await state.queues.publish([TaskMessage(task=EXTRACT, queue="npm.urgent", kwargs=absent)])
    await eventually(state.dead_letters.count)
    await start_job(state, slow.name, "none", "npm")
    await eventually(state.queues.delayed)
    await settled(state)
    samples = scrape(port)
    host = simulator.url.removeprefix("http://")
    assert value(samples, "tasks_started_total", task=EXTRACT) == 3
    for outcome in ("succeeded", "failed", "retried"):
        assert value(samples, "tasks_ended_total", task=EXTRACT, outcome=outcome) == 1, outcome
    assert value(samples, "task_duration_seconds_count", task=EXTRACT) == 3
    assert value(samples, "packages_total", ecosystem="npm", ending="extracted") == 1
    assert value(samples, "packages_total", ecosystem="npm", ending="failed") == 1
    assert value(samples, "rate_limited_total", host=host, status="429") == 1
    assert value(samples, "requests_total", host=host, status="404") == 1
    assert value(samples, "last_task_timestamp_seconds")
    # Not every worker reports the metrics of the fleet.
    assert value(samples, "delayed_messages") is None
    assert ask(port, "/startupz") == (200, "ok\n")
    assert ask(port, "/healthz") == (200, "ok\n")
    assert ask(port, "/readyz") == (200, "ok\n")


async def test_control_reports_the_fleet(fleet: Fleet, simulator: Simulator, state: State) -> None:
    """Queues with their oldest message, dead letters, feeds, streams, workers, freshness."""
    waiting = TaskMessage(task=EXTRACT, queue="npm.bulk", kwargs={})
    await state.queues.publish([waiting, waiting])
    await state.queues.delay(TaskMessage(task="x", queue="npm.bulk", kwargs={}), 3600)
    await state.redis.hset("feed:npm", mapping={"cursor": "7", "moment": "1", "updated_at": "2"})
    await state.streams.xgroup_create("package-extraction", "extractors", id="0", mkstream=True)
    await state.streams.xadd("package-extraction", {"data": "{}"})
    # Nobody empties this queue, so the stream is not read.
    fleet.environment["STREAM_HIGH_WATER"] = "1"
    await state.queues.publish([TaskMessage(task=EXTRACT, queue="cargo.urgent", kwargs={})])
    port = unused_port()
    fleet.environment["METRICS_PORT"] = str(port)
    fleet.start("control", "npm.urgent", name="control@test")
    package = simulator.packages("npm", 1, start=30)[0]
    await finished(state, await start_job(state, package.name, "none", "npm"))

    async def is_seen() -> bool:
        samples = await asyncio.to_thread(scrape, port)
        return bool(value(samples, "worker_last_task_timestamp_seconds", worker="control@test"))

    await eventually(is_seen)
    samples = scrape(port)
    assert value(samples, "queue_messages", queue="npm.bulk") == 2
    assert value(samples, "queue_messages", queue="npm.urgent") == 0
    # As celery-exporter names them: every queue, also those without messages and workers.
    celery = {
        (name, *dict(labels).values()): number
        for (name, labels), number in samples.items()
        if name.startswith("celery_")
    }
    assert celery["celery_queue_length", "npm.bulk"] == 2
    assert celery["celery_queue_length", "pypi.bulk"] == 0
    assert celery["celery_active_worker_count", "npm.urgent"] == 1
    assert celery["celery_active_worker_count", "npm.bulk"] == 0
    assert celery["celery_worker_up", "control@test"] == 1
    assert celery["celery_worker_tasks_active", "control@test"] >= 0
    assert value(samples, "queue_oldest_seconds", queue="npm.bulk") is not None
    assert value(samples, "queue_oldest_seconds", queue="npm.urgent") is None
    assert value(samples, "delayed_messages") == 1
    assert value(samples, "dead_letters") == 0
    assert value(samples, "beats") == 0
    assert (value(samples, "feed_lag_seconds", ecosystem="npm") or 0) > 1e9
    assert value(samples, "feed_lag_seconds", ecosystem="pypi") is None
    group = {"stream": "package-extraction", "group": "extractors"}
    assert value(samples, "stream_lag", **group) == 1
    assert value(samples, "stream_pending", **group) == 0
    assert value(samples, "stream_readers", stream="package-extraction") == 1
    assert value(samples, "stream_messages", stream="package-extraction", outcome="failed") == 0
    assert value(samples, "graph_packages", ecosystem="npm") is not None
    assert value(samples, "fleet_refreshed_timestamp_seconds")


async def test_two_workers_cannot_share_a_port(fleet: Fleet) -> None:
    """The second one works without metrics, and logs that."""
    fleet.environment["METRICS_PORT"] = str(unused_port())
    fleet.start("npm.urgent", name="first@test")
    second = fleet.start("npm.urgent", name="second@test")
    assert "metrics_unavailable" in second.log.read_text()
    assert second.is_alive()
