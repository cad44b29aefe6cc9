"""Task events in batches, and one event for a task that begins and ends within a batch.

Celery sends three events for a task that succeeds. Their readers (Flower above all) spend more time
on them than on anything else, and nobody looks at a task in its first second.
"""

from collections.abc import Sequence
from typing import Any

from celery.app import events
from celery.events.dispatcher import EventDispatcher

Event = dict[str, Any]

BUFFERED = 1000
"""Events in a full buffer, which is sent at once. Celery's 24 are those of eight tasks."""

WHOLE = ("task-received", "task-started", "task-succeeded")
"""Events of a task that succeeds at once, in their order."""


def merged(batch: Sequence[Event]) -> list[Event]:
    """A batch of events in which a task that succeeded at once has only its last event.

    That one also has the fields of the first, and the times of both others as ``received`` and
    ``started``. Tasks with any other events keep them all.
    """
    by_task: dict[Any, list[Event]] = {}
    for event in batch:
        by_task.setdefault(event.get("uuid"), []).append(event)
    found = []
    for event in batch:
        of_task = by_task[event.get("uuid")]
        if tuple(each["type"] for each in of_task) != WHOLE:
            found.append(event)
        elif event is of_task[-1]:
            first, begun, last = of_task
            times = {"received": first["timestamp"], "started": begun["timestamp"]}
            found.append({**first, **last, **times})
    return found


class Dispatcher(EventDispatcher):
    """A worker's dispatcher."""

    mutex: Any
    _group_buffer: dict[str, list[Event]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"buffer_limit": BUFFERED, **kwargs})

    @property
    def buffered(self) -> int:
        """Number of buffered events."""
        return sum(map(len, self._group_buffer.values()))

    def flush(self, errors: bool = True, groups: bool = True) -> None:  # noqa: FBT001, FBT002 - Celery's signature
        """Merge the buffered events, then send them."""
        with self.mutex:
            for batch in self._group_buffer.values():
                count = len(batch)  # other threads append meanwhile
                batch[:count] = merged(batch[:count])
        super().flush(errors, groups)


class Events(events.Events):
    """Celery's factory of dispatchers and readers; the application refers to it by name."""

    dispatcher_cls = "workers.overrides.events:Dispatcher"
