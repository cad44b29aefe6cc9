"""Assignments: the request in a delivered message, with its membership in a job or run.

Jobs and runs have the same interface here: they decide whether the package is still needed, and
they count its outcome. A call without a job or run has no membership.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Protocol

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.models import Outcome, PackageRef
from ssc_ingest.on_demand.jobs import Budget, Jobs, Membership
from ssc_ingest.on_demand.spending import Spending
from ssc_ingest.runs.store import Runs
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name

MAX_STALE_ATTEMPTS = 3
"""Attempts after which a response older than the registry's feed is accepted. The registry may have
withdrawn the announced change, so that a newer response never comes."""

COMPARED_FOR = 600.0
"""Seconds for which a task relies on its run's comparison of the package with the graph."""

EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The counts that an extraction reports."""

    versions: int = 0
    """Versions in the registry's response."""
    total_versions: int = 0
    """Versions that the graph has now; 0 if the package was present and not requested again."""
    new_versions: int = 0
    """Versions that the graph lacked."""
    requirements: int = 0
    """Requirement edges written."""
    requests: int = 0
    """HTTP requests sent."""


class Member(Protocol):
    """A package's membership in a job or a run."""

    async def join(self) -> Membership:
        """The package's role in the job or run, or ``done`` if nothing is left to do."""

    async def exhausted(self) -> bool:
        """Whether the budget of requests is used up."""

    async def ended(self, outcome: Outcome, counts: Counts, reason: str) -> bool:
        """Count the package, only once; returns whether this call counted it."""


@dataclass(frozen=True, slots=True)
class JobMember:
    """A package of a job."""

    jobs: Jobs
    job_id: str
    ref: PackageRef
    request: ExtractPackage
    budget: Budget

    async def join(self) -> Membership:
        """Create the job if it does not exist, and add the package to it."""
        return await self.jobs.enter(
            self.job_id,
            self.ref.purl,
            request=self.request.keywords(),
            dependencies=self.request.dependencies,
            # A stream message is its own job, so its second delivery has nothing to do.
            force=self.request.origin is None
            and (self.request.refresh or self.request.parent_id is not None),
        )

    async def exhausted(self) -> bool:
        """Whether the job's requests are used up."""
        return await self.jobs.exhausted(self.job_id, self.budget)

    async def ended(self, outcome: Outcome, counts: Counts, reason: str) -> bool:
        """The job is finished when none of its packages is pending."""
        # Its requests have been counted at the end of each attempt.
        amounts = {"versions": counts.versions, "requirements": counts.requirements}
        return await self.jobs.finish(
            self.job_id, self.ref.purl, outcome.coarse, reason=reason, counts=amounts
        )


@dataclass(frozen=True, slots=True)
class DirectMember:
    """A direct requirement that a job fills beyond its budget."""

    jobs: Jobs
    job_id: str
    ref: PackageRef

    async def join(self) -> Membership:
        """Always read the package, whatever the state of the job."""
        return "followed"

    async def exhausted(self) -> bool:
        """It is outside the budget."""
        return False

    async def ended(self, outcome: Outcome, counts: Counts, reason: str) -> bool:
        """The job counts it as done."""
        del outcome, counts, reason
        return await self.jobs.filled(self.job_id, self.ref.purl)


@dataclass(frozen=True, slots=True)
class RunMember:
    """A package of a run."""

    runs: Runs
    run_id: str
    ref: PackageRef
    sequence: int

    async def join(self) -> Membership:
        """Whether the run still waits for this message."""
        wanted = await self.runs.wants(self.run_id, self.ref.purl, self.sequence)
        return "followed" if wanted else "done"

    async def exhausted(self) -> bool:
        """Always false, because runs have no budget."""
        return False

    async def ended(self, outcome: Outcome, counts: Counts, reason: str) -> bool:
        """Count the package, unless a newer message for it is pending."""
        del reason  # the dead letter has the error
        amounts = {
            "versions": counts.total_versions,
            "new_versions": counts.new_versions,
            "requirements": counts.requirements,
            "requests": counts.requests,
        }
        await self.runs.end(self.run_id, self.ref.purl, self.sequence, outcome, amounts)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A message with valid arguments: the package and its membership."""

    arguments: ExtractPackage
    ref: PackageRef
    job_id: str | None
    members: tuple[Member, ...]

    def spending(self, *, limited: bool) -> Spending | None:
        """The requests of an attempt, if the package belongs to a job.

        ``limited``: whether the job's limit applies to the package.
        """
        for member in self.members:
            if isinstance(member, JobMember):
                portion = round(ecosystem(self.ref.ecosystem).requests_per_package)
                most = member.budget.requests if limited else None
                return Spending(member.jobs, member.job_id, max(1, portion), most)
        return None

    async def ended(self, outcome: Outcome, counts: Counts, reason: str = "") -> bool:
        """Report the outcome to the job and the run; returns whether one of them counted it."""
        return any([await member.ended(outcome, counts, reason) for member in self.members])


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One delivery of a request."""

    message: TaskMessage
    request: Request
    membership: Membership
    redelivered: bool

    @property
    def requested(self) -> bool:
        """Whether a caller named the package."""
        return self.membership == "asked"

    @property
    def urgent(self) -> bool:
        """Whether a caller waits for the package."""
        return self.message.queue == queue_name(self.request.ref.ecosystem, "urgent")

    @property
    def resume(self) -> bool:
        """Whether an earlier attempt may have left a checkpoint."""
        return self.redelivered or self.message.since is not None

    @property
    def lacked(self) -> bool:
        """Whether a run has just found that the graph lacks the package.

        Such a run does not refresh. Only the first attempt at its message may rely on that, because
        a later one may find what the first one wrote.
        """
        message, arguments = self.message, self.request.arguments
        first = not (self.redelivered or message.attempts or message.since or message.failures)
        return (
            first
            and arguments.run_id is not None
            and not (arguments.refresh or arguments.parent_id or message.progress.wrote)
            and message.published_at is not None
            and 0 <= time() - message.published_at < COMPARED_FOR
        )

    @property
    def own_since(self) -> datetime | None:
        """Readings in the graph since then are from earlier attempts of this task."""
        if self.message.progress.wrote:
            return EPOCH  # the package was not in the graph at that attempt
        if self.redelivered and self.message.published_at:
            return datetime.fromtimestamp(self.message.published_at, UTC)
        return None


class Assignments:
    """Turns messages into assignments."""

    def __init__(self, jobs: Jobs, runs: Runs, budget: Budget) -> None:
        self._jobs = jobs
        self._runs = runs
        self._budget = budget

    def read(self, message: TaskMessage) -> Request:
        """The request in a message.

        Raises:
            InvalidArguments: the message's arguments are invalid.
        """
        arguments = ExtractPackage.parse(message.kwargs)
        ref = ecosystem(arguments.ecosystem).ref(arguments.name)
        # A task that follows dependencies without a job becomes its own job.
        follows = arguments.dependencies != "none"
        job_id = arguments.job_id or (message.task_id if follows else None)
        members: list[Member] = []
        if job_id:
            members.append(JobMember(self._jobs, job_id, ref, arguments, self._budget))
        if arguments.fills:
            members.append(DirectMember(self._jobs, arguments.fills, ref))
        if arguments.run_id:
            members.append(RunMember(self._runs, arguments.run_id, ref, arguments.sequence))
        if message.attempts >= MAX_STALE_ATTEMPTS:
            arguments = arguments.model_copy(update={"expected": None})
        return Request(arguments=arguments, ref=ref, job_id=job_id, members=tuple(members))

    async def accept(self, message: TaskMessage, *, redelivered: bool) -> Assignment:
        """The assignment of one delivery.

        Args:
            message: the task.
            redelivered: the message was delivered before.

        Raises:
            InvalidArguments: the message's arguments are invalid.
            RedisError: the state cannot be read.
        """
        request = self.read(message)
        ExtractPackage.log_unknown(message.kwargs)
        if request.members:
            membership = await request.members[0].join()
        else:
            # A call without a job or run is urgent; runs use the other queues.
            urgent = message.queue == queue_name(request.ref.ecosystem, "urgent")
            membership = "asked" if urgent else "followed"
        return Assignment(
            message=message, request=request, membership=membership, redelivered=redelivered
        )
