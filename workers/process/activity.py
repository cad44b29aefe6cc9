"""Detects a worker that starts no tasks although messages wait in its queues.

Its event loop and its connections to Redis may work: a client library may wait without a limit
inside the loop that receives messages (seen).
"""

import time


class Activity:
    """The times when the process started tasks. Thread-safe."""

    def __init__(self) -> None:
        self.last_task_at = 0.0
        """Unix time of the last start; 0 before the first task."""
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
        """Record a check of the queues: whether messages wait in them."""
        if not waiting:
            self._well_since = time.monotonic()

    @property
    def stalled_for(self) -> float:
        """Approximate seconds for which messages have waited while no task was started."""
        return time.monotonic() - self._well_since
