"""Whether a worker process takes work: when it last did, and whether messages wait meanwhile.

A worker whose loop runs and whose way to Redis is open can still be deaf: after a lost
connection Celery has been seen to wait for ever at the old one.
"""

import time


class Activity:
    """Called from all threads of the process; each call is a single step for them."""

    def __init__(self) -> None:
        self.last_task_at = 0.0
        """Unix time; 0 before the first task."""
        self._running: dict[str, float] = {}
        self._well_since = time.monotonic()

    def began(self, task_id: str) -> None:
        """A task was taken."""
        self.last_task_at = time.time()
        self._running[task_id] = self._well_since = time.monotonic()

    def ended(self, task_id: str) -> float:
        """A task is done with; returns how many seconds it took."""
        return time.monotonic() - self._running.pop(task_id, time.monotonic())

    def saw(self, *, waiting: bool) -> None:
        """Somebody has looked whether messages wait in the worker's queues."""
        if not waiting:
            self._well_since = time.monotonic()

    @property
    def stalled_for(self) -> float:
        """Seconds since when messages have been waiting and none was taken; about."""
        return time.monotonic() - self._well_since
