"""Which workers there are, as they say themselves."""

from ssc_ingest.monitoring.heartbeats import workers
from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually


async def test_a_worker_that_has_ended_is_not_there_any_more(fleet: Fleet, state: State) -> None:
    """Asked to stop, it signs off: nobody waits until it is taken for dead."""
    worker = fleet.start("pypi.bulk")

    async def is_there() -> bool:
        return [w.pid for w in await workers(state.redis)] == [worker.pid]

    await eventually(is_there)
    worker.terminate()
    assert await workers(state.redis) == []
