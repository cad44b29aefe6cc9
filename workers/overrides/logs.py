"""Celery's lines in the log: one for the end of a task, and none for each package of a run.

Celery logs a task that returns to its queue with the traceback of its ``Reject``. A worker that
stops under load would log dozens of them, and hide what an operator should read.

It also logs that a task was received, which the line about its end repeats, and the success of each
task of bulk queues: millions of lines for a registry. The run logs how far it is.
"""

import logging
from typing import Any

from celery._state import get_current_task
from celery.app.trace import LOG_SUCCESS
from celery.exceptions import Ignore, Reject, Retry

RECEIVED = "celery.worker.strategy"
"""Celery's logger for received tasks."""

ENDED = "celery.app.trace"
"""Celery's logger for ends of tasks."""

ORDERLY = (Ignore, Reject, Retry)


def quieten(level: int) -> None:
    """Reduce Celery's lines to those that say something; all of them stay at debug level.

    Args:
        level: of the process's log.
    """
    ended = logging.getLogger(ENDED)
    ended.addFilter(without_traceback)
    if level > logging.DEBUG:
        logging.getLogger(RECEIVED).setLevel(max(logging.WARNING, level))
        ended.addFilter(is_no_bulk_success)


def without_traceback(record: logging.LogRecord) -> bool:
    """A filter for ends of tasks: keeps every record."""
    if record.exc_info and isinstance(record.exc_info[1], ORDERLY):
        record.exc_info = None
        record.exc_text = None
    return True


def is_no_bulk_success(record: logging.LogRecord) -> bool:
    """A filter for ends of tasks: drops the successes of bulk queues."""
    task: Any = get_current_task()  # the stubs lack None
    if record.msg != LOG_SUCCESS or task is None:
        return True
    queue = (task.request.delivery_info or {}).get("routing_key") or ""
    return not queue.endswith(".bulk")
