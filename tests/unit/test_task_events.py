"""Events of tasks: of those that begin and end within a batch, and of those that wait."""

from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from kombu.utils.encoding import safe_repr

from workers.overrides.events import merged
from workers.process.delivery import WorkDelayed


def event(kind: str, task: str, moment: float, **fields: Any) -> dict[str, Any]:
    """An event of a worker."""
    return {"type": f"task-{kind}", "uuid": task, "timestamp": moment, "clock": moment, **fields}


def whole(task: str) -> list[dict[str, Any]]:
    """The events of a task that succeeds."""
    return [
        event("received", task, 1.0, name="a.task", kwargs="{'name': 'six'}", retries=0),
        event("started", task, 2.0),
        event("succeeded", task, 3.0, result="'done'", runtime=1.0),
    ]


def test_a_task_that_succeeded_at_once_has_one_event() -> None:
    """It has what all of them say; events of other tasks lie between them."""
    batch = [event for pair in zip(whole("a"), whole("b"), strict=True) for event in pair]
    found = merged(batch)
    assert [each["uuid"] for each in found] == ["a", "b"]
    assert found[0] == {
        "type": "task-succeeded",
        "uuid": "a",
        "timestamp": 3.0,
        "clock": 3.0,
        "name": "a.task",
        "kwargs": "{'name': 'six'}",
        "retries": 0,
        "result": "'done'",
        "runtime": 1.0,
        "received": 1.0,
        "started": 2.0,
    }


def test_all_other_events_stay_in_order() -> None:
    """Of tasks that fail, run, return or are of another batch, or that are delivered twice."""
    received, started, succeeded = whole("twice")
    batch = [
        received,
        started,
        event("retried", "twice", 2.5),
        succeeded,
        *whole("running")[:2],
        whole("earlier")[2],
        *whole("failed")[:2],
        event("failed", "failed", 3.0),
        {"type": "worker-heartbeat", "timestamp": 4.0},
        {"type": "worker-heartbeat", "timestamp": 5.0},
    ]
    assert merged(batch) == batch
    assert merged([]) == []


def test_the_event_of_a_task_that_waits_has_the_reason() -> None:
    """As Celery's request makes the event; it knows the exception only with its traceback."""
    with pytest.raises(WorkDelayed) as caught:
        raise WorkDelayed("AwaitsTurn: the host's rate", when=60)  # type: ignore[arg-type] # an int is Real
    known: Any = ExceptionInfo((caught.type, caught.value, caught.tb))
    said = safe_repr(known.exception.exc)
    assert said == """WorkDelayed("AwaitsTurn: the host's rate", in 60s)"""
