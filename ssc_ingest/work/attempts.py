"""Decides whether a failed attempt of a task is repeated, and after which delay."""

import time
from dataclasses import replace

from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.queues import Queues
from ssc_ingest.work.results import Delayed
from ssc_ingest.work.retry import Again, GiveUp, decide


class Attempts:
    """``max_attempts``: failed attempts that end the work."""

    def __init__(self, queues: Queues, *, max_attempts: int) -> None:
        self._queues = queues
        self._max_attempts = max_attempts

    def decide(
        self, message: TaskMessage, error: BaseException, *, progressed: bool = False
    ) -> Again | GiveUp:
        """The decision about a failed attempt.

        Args:
            message: the task.
            error: its failure.
            progressed: the attempt has read documents that the next one can skip.
        """
        return decide(
            error,
            attempts=message.attempts,
            max_attempts=self._max_attempts,
            waited=time.time() - message.since if message.since else 0.0,
            progressed=progressed,
        )

    async def delay(self, message: TaskMessage, decision: Again, error: BaseException) -> Delayed:
        """Put the next attempt into the delayed set."""
        now = time.time()
        later = replace(
            message,
            attempts=message.attempts + decision.counted,
            since=now if decision.restart_deadline else message.since or now,
        )
        await self._queues.delay(later, decision.seconds)
        return Delayed(seconds=decision.seconds, error_type=type(error).__name__, error=str(error))
