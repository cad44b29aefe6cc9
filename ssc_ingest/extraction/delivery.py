"""One delivery of an extraction task, from the claim to its outcome.

The outcome is recorded before a delivery ends (:mod:`.outcomes`), so the worker only has to
acknowledge the message.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import BudgetExhausted, InvalidArguments, PackageGone, PackageNotFound
from ssc_ingest.extraction.assignment import Assignment, Assignments, Counts
from ssc_ingest.extraction.extract import Attempt, Extracted, Extractor
from ssc_ingest.extraction.following import Following
from ssc_ingest.extraction.outcomes import Recorder
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Outcome
from ssc_ingest.work.claims import Claims
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.results import Done, GaveUp, Result

MAX_FIELD_LENGTH = 200
"""Maximum length of a caller's text in the log."""

log = get_logger(__name__)


class DeliveryHandler:
    """Handles all deliveries of one process."""

    def __init__(
        self,
        assignments: Assignments,
        claims: Claims,
        extractor: Extractor,
        following: Following,
        recorder: Recorder,
    ) -> None:
        self._assignments = assignments
        self._claims = claims
        self._extractor = extractor
        self._following = following
        self.recorder = recorder

    async def handle(self, message: TaskMessage, *, redelivered: bool) -> Result:
        """Execute one delivery.

        Args:
            message: the task.
            redelivered: the message was delivered before.

        Raises:
            RedisError: the state cannot be stored; return the message to its queue.
            asyncio.CancelledError: the process stops; return the message to its queue.
        """
        try:
            assignment = await self._assignments.accept(message, redelivered=redelivered)
        except RedisError:
            raise
        except InvalidArguments as error:
            return await self.recorder.give_up(message, error)
        except Exception as error:
            log.exception("unexpected_error")
            return await self.recorder.give_up(message, error)
        purl, owner = assignment.request.ref.purl, message.task_id
        # Nearly always free, so its text is not needed.
        is_free = await self._claims.claim_free(purl, owner)
        if not is_free and not await self._claims.claim(purl, owner, message.to_json()):
            return Done(
                summary="deferred to the task that has claimed this package", elsewhere=True
            )
        async with self._claims.renewed(purl, owner):
            # A redelivery may only have to release the claim of its first delivery.
            result = await self._attempt(assignment)
            await self._claims.hand_over(purl, owner)
        return result

    async def crashed(self, message: TaskMessage, error: BaseException) -> GaveUp:
        """Record that a task killed the process in which it was alone."""
        return await self.give_up(message, error)

    async def give_up(self, message: TaskMessage, error: BaseException) -> GaveUp:
        """Record the failure of a task that cannot be executed at all, and release its claim."""
        result = await self.recorder.give_up(message, error)
        with suppress(InvalidArguments):
            ref = self._assignments.read(message).ref
            await self._claims.hand_over(ref.purl, message.task_id)
        return result

    async def _attempt(self, assignment: Assignment) -> Result:
        attempt = Attempt(
            urgent=assignment.urgent,
            requested=assignment.requested,
            resume=assignment.resume,
            lacked=assignment.lacked,
            own_since=assignment.own_since,
            progress=assignment.message.progress,
        )
        try:
            return await self._extract(assignment, attempt)
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every failure is decided here
            return await self.recorder.failed(
                assignment, error, attempt.progress, progressed=attempt.scope.has_grown
            )

    async def _extract(self, assignment: Assignment, attempt: Attempt) -> Result:
        request = assignment.request
        if assignment.membership == "done":
            return Done(summary="the job or run has finished with this package")
        try:
            extracted = await self._spend(assignment, attempt)
        except BudgetExhausted:
            await self.recorder.ended(assignment, Outcome.LEFT_OVER)
            return Done(summary="left over: the job's budget of requests is used up")
        except PackageNotFound as error:
            if assignment.requested or request.arguments.origin:
                raise
            log.info("package_missing")
            gone = isinstance(error, PackageGone)
            counts = Counts(requests=attempt.progress.requests)
            await self.recorder.ended(assignment, Outcome.GONE if gone else Outcome.MISSING, counts)
            return Done(summary="the registry does not have it")
        followed = await self._following.follow(assignment, extracted)
        await self._following.read_names(extracted, assignment.message.queue)
        await self.recorder.ended(assignment, extracted.outcome, extracted.counts)
        return Done(summary=f"{extracted.outcome.coarse.value}, {followed} followed")

    async def _spend(self, assignment: Assignment, attempt: Attempt) -> Extracted:
        """Extract the package; its requests are reserved in the budget of its job.

        Raises:
            BudgetExhausted: the job's requests are used up.
            Exception: those of :meth:`Extractor.extract`.
        """
        members = assignment.request.members
        if not assignment.requested and any([await member.exhausted() for member in members]):
            raise BudgetExhausted
        spending = assignment.request.spending(limited=not assignment.requested)
        if spending is None:
            return await self._extractor.extract(assignment.request.arguments, attempt)
        attempt.scope.more = spending.more
        try:
            return await self._extractor.extract(assignment.request.arguments, attempt)
        finally:
            await asyncio.shield(spending.settle(attempt.scope.requests))


def log_fields(task_id: str, kwargs: Mapping[str, Any]) -> dict[str, str]:
    """The log fields of a task: its id, ecosystem and package.

    ``package`` is the purl, or the given text if that is not a valid package.
    """
    fields = {"task_id": task_id}
    name, ecosystem_name = kwargs.get("name"), kwargs.get("ecosystem")
    if isinstance(ecosystem_name, str):
        fields["ecosystem"] = ecosystem_name[:MAX_FIELD_LENGTH]
    if isinstance(name, str):
        fields["package"] = name[:MAX_FIELD_LENGTH]
        with suppress(InvalidArguments):
            fields["package"] = ecosystem(str(ecosystem_name)).ref(name).purl
    return fields
