"""The list of workers, from their heartbeats."""

from ssc_ingest.monitoring.heartbeats import workers
from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually


async def test_a_stopped_worker_is_not_listed(fleet: Fleet, state: State) -> None:
    """A worker deletes its heartbeat when it stops, so it is no longer listed."""
    worker = fleet.start("pypi.bulk")

    async def is_there() -> bool:
        return [w.pid for w in await workers(state.redis)] == [worker.pid]

    await eventually(is_there)
    worker.terminate()
    assert await workers(state.redis) == []
