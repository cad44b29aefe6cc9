"""Flower's list of tasks: the package instead of a dictionary, and no housekeeping.

Only Flower's process imports this module.
"""

import ast
from collections.abc import Mapping
from typing import Any

from celery import states
from celery.events.state import Task as CeleryTask
from flower.events import EventsState
from flower.options import default_options
from flower.views.tasks import TASK_COLUMNS

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import InvalidName
from workers.overrides.events import WHOLE
from workers.routing import HOUSEKEEPING

COLUMNS = "name,args,state,result,kwargs,received,runtime,worker,uuid"
"""Our columns of tasks, unless an option names others."""

LONGEST_REPR = 10_000
"""Characters of arguments that are parsed; the others are shown as they are."""

LONGEST_TEXT = 200
"""Characters that are shown of arguments and results."""


class Task(CeleryTask):
    """A task that starts again when it is received again, after a replay or a redelivery.

    Celery takes the order of states for the order of events: a task that has failed would be shown
    as failed until it succeeds.
    """

    def event(  # type: ignore[override] # the others are constants that no caller passes
        self,
        type_: str,
        timestamp: Any = None,
        local_received: Any = None,
        fields: Any = None,
    ) -> None:
        """Apply an event of a worker or publisher."""
        is_later = bool(timestamp) and timestamp > (self.timestamp or 0)
        begins = type_ == "received" or _is_whole(type_, fields or {})
        if begins and is_later and self.state in states.READY_STATES:
            self.state, self.exception, self.result = states.PENDING, None, None
            self.traceback = self.runtime = None
        super().event(type_, timestamp, local_received, fields)


def show_tasks_readably() -> None:
    """Change Flower's list of tasks; call it before Flower starts to listen."""
    if default_options.tasks_columns == default_options._options["tasks-columns"].default:  # noqa: SLF001 - tornado has no other way
        default_options.tasks_columns = COLUMNS
    default_options.format_task = default_options.format_task or readable
    TASK_COLUMNS.update(args="Package", kwargs="Arguments")
    EventsState.Task = Task
    apply = EventsState.event

    def event(state: EventsState, event: dict[str, Any]) -> None:
        if event["type"] == "task-sent" and event.get("name") in HOUSEKEEPING:
            return
        apply(state, event)
        if _is_whole(event["type"].removeprefix("task-"), event):
            _count_merged(state, event)

    EventsState.event = event


def _is_whole(type_: str, fields: Mapping[str, Any]) -> bool:
    """Whether an event stands for all events of a task (:func:`.events.merged`)."""
    return type_ == "succeeded" and "received" in fields and "started" in fields


def _count_merged(state: Any, event: Mapping[str, Any]) -> None:
    """Count the events that were merged into this one, as Flower counts them."""
    state.task_count += 1
    for merged in WHOLE[:-1]:
        state.counter[event["hostname"]][merged] += 1
        state.metrics.events.labels(event["hostname"], merged, event.get("name") or "").inc()


def readable(task: Any) -> Any:
    """A copy of a task of Flower, with texts for people.

    ``args`` becomes the package URL, ``kwargs`` the other arguments, and ``result`` the result
    without quotes or, of a task that has failed or waits, the reason.
    """
    arguments = _parsed(task.kwargs)
    if isinstance(arguments, Mapping):
        rest = {name: value for name, value in arguments.items() if value is not None}
        task.args = _package(rest)
        task.kwargs = _short(", ".join(f"{name}={value}" for name, value in rest.items()))
    if task.state in {states.FAILURE, states.RETRY} and task.exception:
        task.result = _short(str(task.exception))
    elif isinstance(result := _parsed(task.result), str):
        task.result = _short(result)
    return task


def _package(arguments: dict[str, Any]) -> str:
    """The package URL; its parts are taken out of the arguments."""
    ecosystem, name = arguments.get("ecosystem"), arguments.get("name")
    if not isinstance(ecosystem, str) or not isinstance(name, str):
        return ""
    cls = ecosystems().get(ecosystem)
    if cls is None:
        return ""
    try:
        purl = cls.ref(name).purl
    except InvalidName:
        return ""
    del arguments["ecosystem"], arguments["name"]
    return purl


def _parsed(text: Any) -> Any:
    """The value of a ``repr``; ``None`` if it is none, or cut off."""
    if not isinstance(text, str) or len(text) > LONGEST_REPR:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
