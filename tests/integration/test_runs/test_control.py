"""Run control: each change of a record also publishes its message."""

import pytest

from ssc_ingest.errors import InvalidArguments
from ssc_ingest.resources import State
from ssc_ingest.runs.control import WrongState
from ssc_ingest.runs.lease import RunLease


async def queued(state: State) -> int:
    """Messages in the queue of runs."""
    return (await state.queues.lengths(["control"]))["control"]


async def test_a_run_is_queued_once(state: State) -> None:
    """A task that starts a run executes it; a second caller gets the current run."""
    control = state.run_control()
    run, is_new = await control.begin("ingestion", "pypi", limit=3)
    assert (is_new, run.limit, await queued(state)) == (True, 3, 1)
    assert (await control.begin("ingestion", "pypi"))[0].id == run.id
    own, is_new = await control.begin("update", "pypi", task_id="mine")
    assert (is_new, own.task_id, await queued(state)) == (True, "mine", 1)


async def test_only_a_resumed_run_is_queued_again(state: State) -> None:
    """Each transition returns the new state, and fails in a wrong state."""
    control = state.run_control()
    run, _ = await control.begin("ingestion", "pypi")
    with pytest.raises(WrongState, match="is running: you can resume a run that is paused"):
        await control.resume(run.id)
    assert (await control.pause(run.id)).state == "paused"
    with pytest.raises(WrongState, match="is paused: you can pause a run that is running"):
        await control.pause(run.id)
    assert await queued(state) == 1
    assert (await control.resume(run.id)).state == "running"
    assert await queued(state) == 2
    cancelled = await control.cancel(run.id, "why not")
    assert (cancelled.state, cancelled.note) == ("cancelled", "why not")
    with pytest.raises(WrongState, match="cancel a run that is running or paused"):
        await control.cancel(run.id, "")
    with pytest.raises(InvalidArguments, match="no run 'x'"):
        await control.pause("x")
    assert await queued(state) == 2


async def test_a_run_is_handed_over_when_its_lease_is_released(state: State) -> None:
    """A run is not handed over while the lease is held, nor when the run is paused."""
    control = state.run_control()
    run, _ = await control.begin("update", "npm", task_id="mine")
    async with RunLease(state.runs, run).held():
        await control.hand_over(run.id)
        assert await queued(state) == 0
    await control.hand_over(run.id)
    assert await queued(state) == 1
    await control.pause(run.id)
    await control.hand_over(run.id)
    assert await queued(state) == 1
