"""One delivery of an extraction task, from the claim to its end.

Whatever happens to the work is decided and recorded here (the job, the delayed set, the dead
letters), so that the queue's worker only has to acknowledge the message.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog
from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import (
    IngestError,
    InvalidArguments,
    PackageGone,
    PackageNotFound,
    ParentNotFound,
    ParentRefused,
)
from ssc_ingest.extraction.extract import Extracted, extract
from ssc_ingest.models import PackageRef, now
from ssc_ingest.on_demand.jobs import Budget, Ending, Membership, job_message
from ssc_ingest.resources import Resources
from ssc_ingest.runs.model import Ending as RunEnding
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name
from ssc_ingest.work.retry import Again, decide

STALE_ATTEMPTS = 3
"""Attempts after which an answer that is older than its registry's feed is taken as it is: what
the feed has announced may be withdrawn again, and then never comes."""

CALLERS = (InvalidArguments, ParentNotFound, ParentRefused, PackageNotFound)
"""Failures that say nothing about whether the package can be read."""

MAX_FIELD_LENGTH = 200
"""Characters of a caller's text in the log."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The work is done, or somebody else has taken it over."""

    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """The work waits in the delayed set."""

    seconds: float
    error_type: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """The work is in the dead letters."""

    dead_letter: str
    error_type: str
    error: str


Result = Done | Delayed | GaveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assignment:
    message: TaskMessage
    request: ExtractPackage
    ref: PackageRef
    job_id: str | None
    standing: Membership
    again: bool

    @property
    def asked(self) -> bool:
        return self.standing == "asked"

    @property
    def urgent(self) -> bool:
        return self.message.queue == queue_name(self.ref.ecosystem, "urgent")


class DeliveryHandler:
    """Carries out extraction tasks of one process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._state = resources.state
        settings = resources.settings
        self._budget = Budget(settings.job_max_packages, settings.job_max_requests)

    async def execute(self, message: TaskMessage, *, again: bool) -> Result:
        """Carry out one delivery.

        Args:
            message: the task.
            again: it was delivered before.

        Raises:
            RedisError: the state cannot be kept; give the message back to its queue.
            asyncio.CancelledError: the process stops; give the message back to its queue.
        """
        assignment = await self._accepted(message, again=again)
        if not isinstance(assignment, _Assignment):
            return assignment
        purl, owner = assignment.ref.purl, message.task_id
        if not await self._state.claims.claim(purl, owner, message.to_json()):
            return Done(summary="handed over to the task that works on this package")
        async with self._state.claims.renewed(purl, owner):
            # A redelivery may have nothing left to do but to end the claim that its first
            # delivery could not.
            result = await self._attempt(assignment)
            await self._state.claims.hand_over(purl, owner)
        return result

    async def give_up(self, message: TaskMessage, error: BaseException) -> GaveUp:
        """Put a task that cannot be carried out at all into the dead letters."""
        result = await self._fail(message, error)
        with suppress(InvalidArguments):
            request = ExtractPackage.parse(dict(message.kwargs))
            purl = ecosystem(request.ecosystem).ref(request.name).purl
            if job_id := _job_id(message, request):
                await self._state.jobs.finish(job_id, purl, Ending.FAILED, reason=_reason(error))
            await self._state.cooldowns.start(purl)
            if request.run_id:
                await self._state.runs.end(request.run_id, purl, request.sequence, RunEnding.FAILED)
            await self._state.claims.hand_over(purl, message.task_id)
        return result

    async def _accepted(self, message: TaskMessage, *, again: bool) -> _Assignment | Result:
        """What is to be done, or what became of a message with which nothing can be done."""
        try:
            return await self._accept(message, again=again)
        except RedisError:
            raise
        except InvalidArguments as error:
            return await self._fail(message, error)
        except Exception as error:
            log.exception("unexpected_error")
            return await self._fail(message, error)

    async def _accept(self, message: TaskMessage, *, again: bool) -> _Assignment:
        request = ExtractPackage.parse(dict(message.kwargs))
        if unknown := ExtractPackage.unknown(dict(message.kwargs)):
            log.warning("unknown_arguments", names=unknown)
        ref = ecosystem(request.ecosystem).ref(request.name)
        job_id = _job_id(message, request)
        # Without a job, somebody's own call is urgent; runs use the other queues.
        standing: Membership = (
            "asked" if message.queue == queue_name(ref.ecosystem, "urgent") else "followed"
        )
        if job_id:
            standing = await self._state.jobs.enter(
                job_id,
                ref.purl,
                request=request.keywords(),
                dependencies=request.dependencies,
                insist=request.refresh or request.parent_id is not None,
            )
        elif request.run_id and not await self._state.runs.wants(
            request.run_id, ref.purl, request.sequence
        ):
            standing = "done"
        if message.attempts >= STALE_ATTEMPTS:
            request = request.model_copy(update={"expected": None})
        return _Assignment(
            message=message,
            request=request,
            ref=ref,
            job_id=job_id,
            standing=standing,
            again=again,
        )

    async def _attempt(self, assignment: _Assignment) -> Result:
        try:
            return await self._work(assignment)
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every failure is decided here
            return await self._decide(assignment, error)

    async def _work(self, assignment: _Assignment) -> Result:
        message, job_id = assignment.message, assignment.job_id
        jobs = self._state.jobs
        if assignment.standing == "done":
            return Done(summary="the job or run has finished with this package")
        if job_id and not assignment.asked and await jobs.exhausted(job_id, self._budget):
            await jobs.finish(job_id, assignment.ref.purl, Ending.LEFT_OVER)
            return Done(summary="left over: the job's requests are used up")
        try:
            extracted = await extract(
                assignment.request,
                self._resources,
                urgent=assignment.urgent,
                asked=assignment.asked,
                carried=assignment.again or message.since is not None,
            )
        except PackageNotFound as error:
            if assignment.asked or assignment.request.origin:
                raise
            log.info("package_missing")
            self._resources.metrics.package_ended(assignment.ref.ecosystem, Ending.MISSING.value)
            if job_id:
                await jobs.finish(job_id, assignment.ref.purl, Ending.MISSING)
            gone = isinstance(error, PackageGone)
            await self._end_in_run(assignment, RunEnding.GONE if gone else RunEnding.MISSING)
            return Done(summary="the registry does not have it")
        self._resources.metrics.package_ended(extracted.ref.ecosystem, extracted.ending.value)
        followed = await self._follow(assignment, extracted)
        if job_id:
            counts = {
                "versions": extracted.versions,
                "requirements": extracted.requirements,
                "requests": extracted.requests,
            }
            await jobs.finish(job_id, assignment.ref.purl, extracted.ending, counts=counts)
        await self._end_in_run(
            assignment,
            RunEnding.UNCHANGED if extracted.unchanged else RunEnding(extracted.ending.value),
            versions=extracted.total_versions,
            new_versions=extracted.new_versions,
            requirements=extracted.requirements,
            requests=extracted.requests,
        )
        return Done(summary=f"{extracted.ending.value}, {followed} followed")

    async def _follow(self, assignment: _Assignment, extracted: Extracted) -> int:
        """Publish tasks for what the package requires; returns how many."""
        request, job_id = assignment.request, assignment.job_id
        if not job_id or request.dependencies == "none":
            return 0
        required = await self._resources.reader.requirements(extracted.ref, request.dependencies)
        followed = {
            item.purl: ExtractPackage(
                ecosystem=request.ecosystem,
                name=item.registry_name,
                dependencies=request.dependencies,
                job_id=job_id,
            )
            for item in required
        }
        purls = await self._state.jobs.follow(
            job_id, list(followed), self._budget, again=assignment.again
        )
        await self._state.queues.publish([job_message(purl, followed[purl]) for purl in purls])
        return len(purls)

    async def _decide(self, assignment: _Assignment, error: Exception) -> Result:
        message = assignment.message
        since = message.since or time.time()
        decision = decide(
            error,
            attempts=message.attempts,
            max_attempts=self._resources.settings.max_attempts,
            waited=time.time() - since,
        )
        facts = {
            "attempt": message.attempts + 1,
            "error_type": type(error).__name__,
            "error": str(error),
        }
        if isinstance(decision, Again):
            log.info("package_delayed", seconds=round(decision.seconds, 1), **facts)
            attempts = message.attempts + decision.counted
            since = time.time() if decision.anew else since
            await self._state.queues.delay(
                replace(message, attempts=attempts, since=since), decision.seconds
            )
            return Delayed(
                seconds=decision.seconds, error_type=type(error).__name__, error=str(error)
            )
        if isinstance(error, IngestError):
            log.warning("package_failed", reason=decision.reason, **facts)
        else:
            log.error("unexpected_error", exc_info=error, **facts)
        self._resources.metrics.package_ended(assignment.ref.ecosystem, Ending.FAILED.value)
        result = await self._fail(message, error)
        if not isinstance(error, CALLERS):
            await self._state.cooldowns.start(assignment.ref.purl)
        if assignment.job_id:
            await self._state.jobs.finish(
                assignment.job_id,
                assignment.ref.purl,
                Ending.FAILED,
                reason=_reason(error),
            )
        await self._end_in_run(assignment, RunEnding.FAILED)
        return result

    async def _end_in_run(self, assignment: _Assignment, ending: RunEnding, **counts: int) -> None:
        """Tell the package's run, if it has one, how it ended."""
        request = assignment.request
        if request.run_id:
            await self._state.runs.end(
                request.run_id, assignment.ref.purl, request.sequence, ending, counts
            )

    async def _fail(self, message: TaskMessage, error: BaseException) -> GaveUp:
        letter = await self._state.dead_letters.add(message, error, now=now())
        return GaveUp(dead_letter=letter, error_type=type(error).__name__, error=str(error))


def log_fields(task_id: str, kwargs: Mapping[str, Any]) -> dict[str, str]:
    """What every line of a task's work says: which task, and about what.

    ``package`` is the purl, or as much of the text as there is where it names no package.
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


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _job_id(message: TaskMessage, request: ExtractPackage) -> str | None:
    """The job of a task: its own, or one that has the task's id; none if nothing is followed."""
    return request.job_id or (message.task_id if request.dependencies != "none" else None)
