"""The number of series while workers come and go."""

from datetime import timedelta

from neo4j import AsyncGraphDatabase
from prometheus_client import CollectorRegistry

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.views import GraphViews
from ssc_ingest.monitoring.fleet_metrics import FleetMetrics
from ssc_ingest.monitoring.heartbeats import Worker, beat, sign_off
from ssc_ingest.resources import State
from ssc_ingest.work.names import queue_names


def series(registry: CollectorRegistry) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Name and labels of everything that a scrape returns."""
    return {
        (sample.name, frozenset(sample.labels.items()))
        for metric in registry.collect()
        for sample in metric.samples
    }


async def test_workers_that_have_ended_have_no_series(state: State) -> None:
    """After fifty restarts there are as many series as after one; every queue has one at 0."""
    registry = CollectorRegistry()
    async with AsyncGraphDatabase.driver("bolt://127.0.0.1:1") as driver:  # is not asked
        metrics = FleetMetrics(
            registry=registry,
            queues=state.queues,
            dead_letters=state.dead_letters,
            runs=state.runs,
            limiter=state.limiter,
            redis=state.redis,
            streams=state.standings,
            views=GraphViews(driver, timeout=1),
            freshness_goal=timedelta(days=7),
        )
        await metrics.refresh()
        empty = series(registry)
        queues = queue_names(ecosystems())
        for name in queues:
            labels = {"queue_name": name}
            assert registry.get_sample_value("celery_queue_length", labels) == 0
            assert registry.get_sample_value("celery_active_worker_count", labels) == 0
        counts = set()
        for number in range(50):
            worker = Worker(
                hostname=f"worker@pod-{number}",
                pid=number,
                queues=tuple(queues),
                concurrency=8,
                started_at=1,
            )
            await beat(state.redis, worker, last_task_at=2)
            await metrics.refresh()
            up = registry.get_sample_value("celery_worker_up", {"hostname": worker.hostname})
            assert up == 1
            counts.add(len(series(registry)))
            await sign_off(state.redis, worker.hostname)
        assert counts == {len(empty) + 4}
        await metrics.refresh()
        assert series(registry) == empty
