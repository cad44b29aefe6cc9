"""Outcomes: the only module that decides and records how a delivery ends.

Successes, failures and crashes all pass through :class:`Recorder`. It updates the job, the run, the
metrics, the dead letters and the cooldowns.
"""

from contextlib import suppress
from dataclasses import replace

from ssc_ingest.errors import IngestError, InvalidArguments
from ssc_ingest.extraction.assignment import Assignment, Assignments, Counts, Request
from ssc_ingest.logs import get_logger
from ssc_ingest.metrics import Metrics
from ssc_ingest.models import Outcome, now
from ssc_ingest.on_demand.stream.counts import StreamCounts, StreamMetrics
from ssc_ingest.work.attempts import Attempts
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.messages import Progress, TaskMessage
from ssc_ingest.work.results import Delayed, GaveUp
from ssc_ingest.work.retry import Again

NONE = Counts()

UNKNOWN = "unknown"
"""The metrics' ecosystem of a message that names none."""

log = get_logger(__name__)


class Recorder:
    """Decides and records the outcomes of deliveries."""

    def __init__(
        self,
        assignments: Assignments,
        attempts: Attempts,
        dead_letters: DeadLetters,
        cooldowns: Cooldowns,
        metrics: Metrics,
        *,
        streams: StreamMetrics,
    ) -> None:
        self._assignments = assignments
        self._attempts = attempts
        self._dead_letters = dead_letters
        self._cooldowns = cooldowns
        self._streams = streams
        self._metrics = metrics

    async def ended(self, assignment: Assignment, outcome: Outcome, counts: Counts = NONE) -> None:
        """Record an orderly end.

        Args:
            assignment: the request.
            outcome: any outcome except ``FAILED``.
            counts: the counts for the job and the run.
        """
        request = assignment.request
        if await request.ended(outcome, counts):
            await self._count_message(request, StreamCounts(successful=1))
        self._metrics.package_ended(request.ref.ecosystem, outcome.coarse.value)

    async def failed(
        self,
        assignment: Assignment,
        error: Exception,
        progress: Progress,
        *,
        progressed: bool = False,
    ) -> Delayed | GaveUp:
        """Decide about an error, and record the decision.

        Args:
            assignment: the request.
            error: the error.
            progress: the counts of all attempts so far; a later attempt adds to them.
            progressed: this attempt has read documents that the next one can skip.
        """
        message = assignment.message
        decision = self._attempts.decide(message, error, progressed=progressed)
        facts = {
            "attempt": message.attempts + 1,
            "error_type": type(error).__name__,
            "error": str(error),
        }
        if isinstance(decision, Again):
            log.info("package_delayed", seconds=round(decision.seconds, 1), **facts)
            return await self._attempts.delay(replace(message, progress=progress), decision, error)
        if isinstance(error, IngestError):
            log.warning("package_failed", reason=decision.reason, **facts)
        else:
            log.error("unexpected_error", exc_info=error, **facts)
        return await self.give_up(replace(message, progress=progress), error)

    async def give_up(self, message: TaskMessage, error: BaseException) -> GaveUp:
        """Record a permanent failure, including that of an unreadable message."""
        letter = await self._dead_letters.add(message, error, now=now())
        reason = f"{type(error).__name__}: {error}"
        ecosystem = UNKNOWN
        with suppress(InvalidArguments):
            request = self._assignments.read(message)
            ecosystem = request.ref.ecosystem
            counts = Counts(requests=message.progress.requests)
            if await request.ended(Outcome.FAILED, counts, reason):
                await self._count_message(request, StreamCounts(failed=1))
            if not isinstance(error, IngestError) or error.blames_package:
                await self._cooldowns.start(request.ref.purl)
        self._metrics.package_ended(ecosystem, Outcome.FAILED.value)
        return GaveUp(dead_letter=letter, error_type=type(error).__name__, error=str(error))

    async def _count_message(self, request: Request, counts: StreamCounts) -> None:
        """Count the message of another service that requested the package, if there is one."""
        if origin := request.arguments.origin:
            await self._streams.add(origin.stream, counts)
