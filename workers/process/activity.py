"""Detects a worker that starts no tasks although messages wait in its queues.

Its event loop and its connections to Redis can be fine all the same: after a lost connection,
Celery has been seen to wait for ever on the old one.
"""

import time


class Activity:
    """When the process started tasks; its methods may be called from any thread."""

    def __init__(self) -> None:
        self.last_task_at = 0.0
        """Unix time; 0 before the first task."""
        self._running: dict[str, float] = {}
        self._well_since = time.monotonic()

    def began(self, task_id: str) -> None:
        """A task starts."""
        self.last_task_at = time.time()
        self._running[task_id] = self._well_since = time.monotonic()

    def ended(self, task_id: str) -> float:
        """A task has ended; returns its duration in seconds."""
        return time.monotonic() - self._running.pop(task_id, time.monotonic())

    def saw(self, *, waiting: bool) -> None:
        """The queues were checked: do messages wait in them?"""
        if not waiting:
            self._well_since = time.monotonic()

    @property
    def stalled_for(self) -> float:
        """Seconds for which messages have waited while no task was started, roughly."""
        return time.monotonic() - self._well_since
