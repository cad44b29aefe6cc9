"""Orderly ends of tasks are one line of the log each, without a traceback.

Celery logs a task that returns to its queue with the traceback of its ``Reject``. A worker that
stops under load would log dozens of them, and hide what an operator should read.
"""

import logging

from celery.exceptions import Ignore, Reject, Retry

LOGGER = "celery.app.trace"

ORDERLY = (Ignore, Reject, Retry)


def without_traceback(record: logging.LogRecord) -> bool:
    """A filter of Celery's logger for ends of tasks: keeps every record."""
    if record.exc_info and isinstance(record.exc_info[1], ORDERLY):
        record.exc_info = None
        record.exc_text = None
    return True
