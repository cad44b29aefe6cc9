"""``dead_letters.replay``: returns the tasks of dead letters to their queues."""

from contextlib import suppress
from typing import Any

from celery import Task

from ssc_ingest.control.replay import REPLAY, Replayed
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.models import now
from ssc_ingest.resources import Resources
from ssc_ingest.work.arguments import ReplayDeadLetters
from ssc_ingest.work.locks import LockHeld, exclusive
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL
from workers.app import app
from workers.process.delivery import run_or_requeue

GO_ON_AFTER = 1.0
"""Seconds before a follow-up task continues the remaining replays."""


class BadReplay(Exception):
    """The arguments are invalid; the text has the reason and the dead letter's id."""


@app.task(bind=True, name=REPLAY, ignore_result=False, throws=(BadReplay,))
def replay_dead_letters(self: Task, /, **kwargs: Any) -> dict[str, Any]:  # type: ignore[type-arg]
    """Return the tasks of dead letters to their queues, by ids or by filter.

    One execution replays a limited number within seconds. It returns the id of a follow-up task for
    the others, and the dead letters that cannot be replayed, with reasons. Safe to repeat: a
    replayed dead letter is deleted, and those newer than the request are not replayed. The keywords
    are those of :class:`ssc_ingest.work.arguments.ReplayDeadLetters`.
    """
    runtime = app.runtime
    return run_or_requeue(runtime, _replay(runtime.resources, str(self.request.id), kwargs))


async def _replay(resources: Resources, task_id: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    state = resources.state
    replay = state.replay()
    replayed = Replayed()
    try:
        request = await replay.pin(ReplayDeadLetters.parse(kwargs), task_id)
        rest: ReplayDeadLetters | None = request
        with suppress(LockHeld, TimeoutError):
            async with exclusive(state.redis, REPLAY, resources.settings.task_timeout):
                replayed, rest = await replay.replay_portion(request)
    except InvalidArguments as error:
        call = TaskMessage(task=REPLAY, task_id=task_id, kwargs=kwargs, queue=CONTROL)
        letter = await state.dead_letters.add(call, error, now=now())
        raise BadReplay(f"{type(error).__name__}: {error} [{letter}]") from error
    if rest is None:
        return {"replayed": replayed.ids, "kept": replayed.kept, "rest": []}
    message = TaskMessage(task=REPLAY, kwargs=rest.model_dump(), queue=CONTROL, ignore_result=False)
    await state.queues.delay(message, GO_ON_AFTER)
    return {"replayed": replayed.ids, "kept": replayed.kept, "rest": [message.task_id]}
