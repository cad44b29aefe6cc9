"""Which of Celery's lines are in the log."""

import logging
from typing import Any

import pytest
from celery import Celery, _state
from celery.app.trace import LOG_FAILURE, LOG_SUCCESS

from workers.overrides.logs import is_no_bulk_success


def line(message: str) -> logging.LogRecord:
    """A record of Celery about the end of a task."""
    return logging.LogRecord("celery.app.trace", logging.INFO, "", 0, message, ({"id": "a"},), None)


@pytest.mark.parametrize(
    ("message", "queue", "is_kept"),
    [
        (LOG_SUCCESS, "npm.bulk", False),
        (LOG_FAILURE, "npm.bulk", True),
        (LOG_SUCCESS, "npm.fresh", True),
        (LOG_SUCCESS, "npm.urgent", True),
        (LOG_SUCCESS, "control", True),
        (LOG_SUCCESS, None, True),
    ],
)
def test_a_success_in_a_bulk_queue_has_no_line(
    message: str,
    queue: str | None,
    is_kept: bool,  # noqa: FBT001 - pytest's
) -> None:
    """Failures have one, as have all ends in other queues."""
    task: Any = Celery(set_as_current=False).task(name="a.task", shared=False)(line)
    stack: Any = _state._task_stack  # type: ignore[attr-defined] # the stubs lack it
    task.push_request(delivery_info={"routing_key": queue})
    stack.push(task)
    try:
        assert is_no_bulk_success(line(message)) == is_kept
    finally:
        stack.pop()
        task.pop_request()


def test_a_line_outside_a_task_is_kept() -> None:
    """Another part of the process may use the same logger."""
    assert is_no_bulk_success(line(LOG_SUCCESS))
