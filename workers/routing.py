"""The queues, the order in which a worker reads them, and the default queue of a task."""

from collections.abc import Iterable, Mapping
from typing import Any

from kombu import Queue
from kombu.utils.scheduling import round_robin_cycle

from ssc_ingest.control.schedules import PROCESS_STREAM
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.vulnerabilities.changed import ATTRIBUTE
from ssc_ingest.work.names import (
    CONTROL,
    EXTRACT,
    EXTRACT_NAMES,
    SWEEP,
    URGENCIES,
    queue_name,
    queue_names,
)

HOUSEKEEPING = frozenset({SWEEP, PROCESS_STREAM})
"""Tasks that beat starts every few minutes, mostly without anything to do. They send no events, or
they would fill Flower's list of tasks."""

URGENCY_OF_CALLS = {EXTRACT: "urgent", ATTRIBUTE: "fresh", EXTRACT_NAMES: "bulk"}
"""Of the tasks that are about packages, for calls that name no queue."""


def task_queues() -> list[Queue]:
    """All queues of the fleet; a worker without ``-Q`` reads all of them."""
    return [Queue(name, routing_key=name) for name in queue_names(ecosystems())]


def route(
    name: str,
    args: Iterable[Any],  # noqa: ARG001 - Celery's signature
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],  # noqa: ARG001
    task: Any = None,  # noqa: ARG001
    **_: Any,
) -> dict[str, str]:
    """The queue of a task that is sent without one: that of its ecosystem.

    A call with an unknown ecosystem goes to control, where it becomes a dead letter.
    """
    ecosystem = (kwargs or {}).get("ecosystem")
    if name in URGENCY_OF_CALLS and ecosystem in ecosystems():
        return {"queue": queue_name(str(ecosystem), URGENCY_OF_CALLS[name])}
    return {"queue": CONTROL}


class UrgencyCycle(round_robin_cycle):  # type: ignore[type-arg] # not generic at run time
    """Reads urgent queues first, then fresh, then bulk ones, and rotates through the ecosystems.

    kombu's own orders do not fit: ``round_robin`` ignores urgency, ``priority`` starves the last
    ecosystems, and ``sorted`` reads bulk before urgent.
    """

    items: list[str]

    def consume(self, n: int) -> list[str]:  # type: ignore[override] # kombu's is a list too
        """The first ``n`` queues to read; ``rotate`` moves the last used one to the end."""
        return sorted(self.items, key=rank)[:n]


def rank(queue: str) -> int:
    """The urgency of a queue: 0 for the queues that are read first, at most 9."""
    urgency = queue.rpartition(".")[2]
    return URGENCIES.index(urgency) if urgency in URGENCIES else 0
