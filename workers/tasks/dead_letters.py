"""``dead_letters.replay``: returns the tasks of dead letters to their queues."""

from contextlib import suppress
from typing import Any

from celery import Task

from ssc_ingest.control.replay import REPLAY, Replayed
from ssc_ingest.resources import Resources
from ssc_ingest.work.arguments import ReplayDeadLetters
from ssc_ingest.work.locks import LockHeld, exclusive
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL
from workers.app import app
from workers.process.calls import BadCall, refusing
from workers.process.delivery import delivered, run_or_requeue

GO_ON_AFTER = 1.0
"""Seconds before a follow-up task continues the remaining replays."""


@app.task(bind=True, name=REPLAY, ignore_result=False, throws=(BadCall,))
def replay_dead_letters(self: Task, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[type-arg]
    """Return the tasks of dead letters to their queues, by ids or by filter.

    One execution replays a limited number within seconds. It returns the id of a follow-up task for
    the others, and the dead letters that cannot be replayed, with reasons. Safe to repeat: a
    replayed dead letter is deleted, and those newer than the request are not replayed. The keywords
    are those of :class:`ssc_ingest.work.arguments.ReplayDeadLetters`.
    """
    runtime = app.runtime
    call = delivered(REPLAY, self.request, args, kwargs)
    return run_or_requeue(runtime, _replay(runtime.resources, call))


async def _replay(resources: Resources, call: TaskMessage) -> dict[str, Any]:
    state = resources.state
    replay = state.replay()
    replayed = Replayed()
    ReplayDeadLetters.log_unknown(call.kwargs)
    async with refusing(resources, call):
        request = await replay.pin(ReplayDeadLetters.parse(call.kwargs), call.task_id)
        rest: ReplayDeadLetters | None = request
        with suppress(LockHeld, TimeoutError):
            async with exclusive(state.redis, REPLAY, resources.settings.task_timeout):
                replayed, rest = await replay.replay_portion(request)
    if rest is None:
        return {"replayed": replayed.ids, "kept": replayed.kept, "rest": []}
    message = TaskMessage(task=REPLAY, kwargs=rest.model_dump(), queue=CONTROL, ignore_result=False)
    await state.queues.delay(message, GO_ON_AFTER)
    return {"replayed": replayed.ids, "kept": replayed.kept, "rest": [message.task_id]}
