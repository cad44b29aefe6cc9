"""Replays that are requested by the task's name."""

from ssc_ingest.control.replay import PORTION
from ssc_ingest.models import now
from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import REPLAY
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import settled


async def test_all_are_replayed_once_and_those_that_fail_again_stay(
    fleet: Fleet, state: State
) -> None:
    """More than one execution replays; none of them replays later failures."""
    message = TaskMessage(task="nobody.knows", kwargs={}, queue="control")
    for _ in range(PORTION + 1):
        await state.dead_letters.add(message, ValueError("a bug"), now=now())
    old = {letter.id async for letter in state.dead_letters.all()}
    fleet.start("control", "celery")
    fleet.send(REPLAY, all=True)

    async def is_replayed() -> bool:
        letters = [letter async for letter in state.dead_letters.all()]
        return len(letters) == len(old) and old.isdisjoint(letter.id for letter in letters)

    await eventually(is_replayed)
    await settled(state)
    assert await is_replayed()
    assert await state.queues.delayed() == 0
