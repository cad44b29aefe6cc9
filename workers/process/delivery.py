"""One delivery of a task about packages, as Celery needs it: the message, its end, its isolation.

The tasks are ``extraction.extract_package``, ``import_names.extract`` and
``vulnerabilities.attribute``.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import structlog
from celery.exceptions import Ignore, Reject, Retry
from celery.worker.state import requests
from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.work.deliveries import SUSPICIOUS
from ssc_ingest.work.messages import FOLLOWING, PUBLISHED, Failure, Progress, TaskMessage
from ssc_ingest.work.names import DEFAULT, queue_name
from ssc_ingest.work.redis_errors import explain
from ssc_ingest.work.results import Delayed, Done, GaveUp, Result
from ssc_ingest.work.retry import MAX_WAITING
from workers.process.isolation import IsolationBusy, WorkerCrashed
from workers.process.runtime import Runtime, Stopping

REQUEUE_PAUSE = 1.0
"""Seconds until a message returns to its queue if its state cannot be stored."""

BUSY_PAUSE = 5.0
"""Seconds until a suspicious task tries again to run alone."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class WorkFailed(Exception):
    """The work is a dead letter; the text has the reason and the id."""


class WorkDelayed(Retry):
    """The next attempt waits in the delayed set; the text has the reason."""

    def __repr__(self) -> str:
        # Events have this text. Celery's own is "Retry(Retry(...), None, 60)".
        return f"{type(self).__name__}({self.message!r}, {self.humanize()})"


class Handler(Protocol):
    """Executes the deliveries of one task."""

    async def handle(self, message: TaskMessage, *, redelivered: bool) -> Result:
        """Execute one delivery."""

    async def crashed(self, message: TaskMessage, error: BaseException) -> Result:
        """Record that the task killed the process in which it was alone."""

    async def give_up(self, message: TaskMessage, error: BaseException) -> Result:
        """Record the failure of a task that cannot be executed at all."""


def execute(
    runtime: Runtime,
    handler: Handler,
    message: TaskMessage,
    *,
    urgency: str,
    returned: bool,
) -> str:
    """Execute one delivery in the event loop of the process, and end it as Celery expects.

    Args:
        runtime: of the process.
        handler: of the task.
        message: the delivered message.
        urgency: of a call that came through the default queue.
        returned: the message returned to its queue before, possibly during its execution.

    Raises:
        Ignore: another message has the work, and the tasks that follow it.
        Reject: the message returns to its queue.
        WorkDelayed: the next attempt waits in the delayed set.
        WorkFailed: the task is a dead letter.
    """
    match run_or_requeue(runtime, _deliver(runtime, handler, message, urgency, returned=returned)):
        case Delayed() as result:
            reason = f"{result.error_type}: {result.error}"
            raise WorkDelayed(reason, when=round(result.seconds))  # type: ignore[arg-type] # an int is Real
        case GaveUp() as result:
            raise WorkFailed(f"{result.error_type}: {result.error} [{result.dead_letter}]")
        case Done() as result:
            if result.elsewhere and message.followers:
                raise Ignore  # otherwise they would begin before the work is done
            return result.summary


def run_or_requeue(runtime: Runtime, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop of the process; returns its result.

    Raises:
        Reject: the worker stops, or the state cannot be stored: the message returns to its queue.
    """
    try:
        return runtime.run(coroutine)
    except Stopping:
        raise Reject("the worker stops", requeue=True) from None
    except RedisError as error:
        log.warning("state_unavailable", error=explain(error))
        time.sleep(REQUEUE_PAUSE)
        raise Reject(str(error), requeue=True) from error


def acknowledge(task_id: str) -> None:
    """Acknowledge the message of a running task now: from here on, a record replaces it."""
    if request := requests.get(task_id):
        request.acknowledge()


def delivered(
    task: str, request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TaskMessage:
    """The delivered message; the headers from ``attempts`` on are ours."""
    return TaskMessage(
        task=task,
        task_id=request.id,
        kwargs={**kwargs, **({"args": list(args)} if args else {})},
        # A message from another program may have none.
        queue=request.delivery_info.get("routing_key") or DEFAULT,
        attempts=request.get("attempts") or 0,
        since=request.get("since"),
        progress=Progress.decode(request.get("progress")),
        failures=Failure.decode(request.get("failures")),
        published_at=request.get(PUBLISHED),
        followers={name: found for name in FOLLOWING if (found := request.get(name))},
    )


async def _deliver(
    runtime: Runtime, handler: Handler, message: TaskMessage, urgency: str, *, returned: bool
) -> Result:
    """Execute the task, alone if it is suspicious; forward it if it is from the default queue."""
    ecosystem = message.kwargs.get("ecosystem")
    state = runtime.resources.state
    if message.queue == DEFAULT and isinstance(ecosystem, str) and ecosystem in ecosystems():
        queue = queue_name(ecosystem, urgency)
        await state.queues.publish([message.moved_to(queue)])
        return Done(summary=f"forwarded to {queue}", elsewhere=True)
    count = await state.deliveries.begin(message.task_id)
    try:
        if count < SUSPICIOUS:
            result = await handler.handle(message, redelivered=returned)
        else:
            log.warning("delivered_again", deliveries=count)
            runtime.resources.metrics.redelivered()
            result = await runtime.isolation.execute(message)
    except IsolationBusy as error:
        # Still suspicious: its count stays.
        log.info("waits_to_run_alone", reason=str(error))
        since = message.since or time.time()
        if time.time() - since >= MAX_WAITING:
            return await handler.give_up(message, error)
        await state.queues.delay(replace(message, since=since), BUSY_PAUSE)
        return Delayed(seconds=BUSY_PAUSE, error_type=type(error).__name__, error=str(error))
    except WorkerCrashed as error:
        result = await handler.crashed(message, error)
    except (RedisError, asyncio.CancelledError):
        await state.deliveries.end(message.task_id)  # the message returns in order
        raise
    except Exception as error:
        log.exception("unexpected_error")
        result = await handler.give_up(message, error)
    await state.deliveries.end(message.task_id)
    return result
