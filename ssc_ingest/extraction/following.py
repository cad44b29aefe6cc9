"""The tasks that an extraction leads to: for required packages, and for import names."""

from collections.abc import Mapping

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.extraction.assignment import Assignment
from ssc_ingest.extraction.extract import Extracted
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.models import Installed, Outcome, PackageRef, Purl, RequiredPackage
from ssc_ingest.on_demand.jobs import Budget, Jobs
from ssc_ingest.on_demand.messages import direct_message, job_message
from ssc_ingest.work.arguments import ExtractImportNames, ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT_NAMES, queue_name
from ssc_ingest.work.queues import Queues

MAX_DELAYED = 20_000
"""Delayed tasks up to which bulk extractions queue the reading of import names."""


class Following:
    """Publishes tasks for requirements.

    Args:
        ecosystems: decide about the packages that an installation pulls.
        reader: of the graph, which has the requirements.
        jobs: the jobs to which the packages are added.
        queues: where their tasks are published.
        budget: how far a job follows requirements.
    """

    def __init__(
        self,
        ecosystems: Mapping[str, Ecosystem],
        reader: GraphReader,
        jobs: Jobs,
        queues: Queues,
        budget: Budget,
    ) -> None:
        self._ecosystems = ecosystems
        self._reader = reader
        self._jobs = jobs
        self._queues = queues
        self._budget = budget

    async def follow(self, assignment: Assignment, extracted: Extracted) -> int:
        """Publish tasks for the requirements of a package, within the job's budget.

        With ``latest``, these are the packages that an installation of the latest version pulls;
        with ``all``, the requirements of every version. The direct requirements of a package that
        a caller named are extracted in addition, and not followed further.

        Returns:
            The number of packages published within the budget.

        Raises:
            StoreUnavailable: the graph is unavailable or busy.
        """
        arguments, job_id = assignment.request.arguments, assignment.request.job_id
        if not job_id or arguments.dependencies == "none":
            return 0
        ref = extracted.ref
        required: list[RequiredPackage] = []
        if arguments.dependencies == "all" or assignment.requested:
            required = await self._reader.requirements(ref)
        if arguments.origin and extracted.outcome is Outcome.PRESENT:
            pulled = {}  # a message about a package that was there adds the edge from its parent
        elif arguments.dependencies == "all":
            pulled = {each.purl: Installed(each.purl, each.registry_name) for each in required}
        else:
            pulled = await self._installation(job_id, ref, named=assignment.requested)
        published = await self._publish(assignment, job_id, pulled)
        if assignment.requested:
            await self._fill(assignment, job_id, required)
        return published

    async def read_names(self, extracted: Extracted, queue: str) -> None:
        """Publish tasks for the import names that the package's documents lack.

        The package does not wait for them. They go to the queue of the extraction, so the names of
        a package that somebody requested are not read after those of a whole registry. If a
        registry's packages are read faster than its files, the names of the rest are left to a
        backfill, so that Redis never holds a whole registry.
        """
        ref = extracted.ref
        requests = [
            ExtractImportNames(ecosystem=ref.ecosystem, name=ref.registry_name, version=version)
            for version in extracted.unnamed
        ]
        is_bulk = queue == queue_name(ref.ecosystem, "bulk")
        if requests and not (is_bulk and await self._queues.delayed() >= MAX_DELAYED):
            await self._queues.publish(
                [
                    TaskMessage(task=EXTRACT_NAMES, kwargs=request.keywords(), queue=queue)
                    for request in requests
                ]
            )

    async def _publish(
        self, assignment: Assignment, job_id: str, pulled: Mapping[Purl, Installed]
    ) -> int:
        arguments = assignment.request.arguments
        purls = await self._jobs.follow(
            job_id, list(pulled), self._budget, redelivered=assignment.redelivered
        )
        messages = []
        for purl in purls:
            request = ExtractPackage(
                ecosystem=arguments.ecosystem,
                name=pulled[purl].registry_name,
                dependencies=arguments.dependencies,
                job_id=job_id,
            )
            messages.append(job_message(purl, request, followed=True))
        await self._queues.publish(messages)
        return len(messages)

    async def _installation(
        self, job_id: str, ref: PackageRef, *, named: bool
    ) -> dict[Purl, Installed]:
        """The packages that the job's installation pulls because of this one.

        A package may have parts (features, extras). Another package may select further parts of it
        after its requirements were followed; then the requirements of the added parts are followed
        at once.
        """
        ecosystem = self._ecosystems[ref.ecosystem]
        found: dict[Purl, Installed] = {}
        pending = [ref.purl]
        while pending:
            purl = pending.pop()
            parts: frozenset[str] = frozenset()
            if ecosystem.default_parts is not None:
                parts = await self._jobs.take_parts(
                    job_id, purl, ecosystem.default_parts, named=named and purl == ref.purl
                )
            version = await self._reader.installable(ref.label, purl)
            if version is None:
                continue
            pulled = ecosystem.installs(version, parts)
            found |= {each.purl: each for each in pulled}
            if ecosystem.default_parts is not None:
                # Their own tasks see these parts, so they are recorded before they are published.
                pending += await self._jobs.select_parts(job_id, pulled)
        return found

    async def _fill(
        self, assignment: Assignment, job_id: str, required: list[RequiredPackage]
    ) -> None:
        """Publish the direct requirements that have not been read, newest versions first.

        Readers show a package with its requirements, and cannot show one without versions.
        """
        stubs = {each.purl: each.registry_name for each in required if each.is_stub}
        purls = await self._jobs.fill(
            job_id, list(stubs), self._budget, redelivered=assignment.redelivered
        )
        ecosystem = assignment.request.ref.ecosystem
        await self._queues.publish(
            [direct_message(purl, ecosystem, stubs[purl], job_id) for purl in purls]
        )
