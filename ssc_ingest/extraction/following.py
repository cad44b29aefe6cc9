"""Following requirements: the packages that an extracted package requires join its job."""

from ssc_ingest.extraction.assignment import Assignment
from ssc_ingest.extraction.extract import Extracted
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.models import Outcome
from ssc_ingest.on_demand.jobs import Budget, Jobs, job_message
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.queues import Queues


class Following:
    """Publishes tasks for requirements."""

    def __init__(self, reader: GraphReader, jobs: Jobs, queues: Queues, budget: Budget) -> None:
        self._reader = reader
        self._jobs = jobs
        self._queues = queues
        self._budget = budget

    async def follow(self, assignment: Assignment, extracted: Extracted) -> int:
        """Publish tasks for what the package requires, within the job's budget.

        Returns:
            How many were published.

        Raises:
            StoreUnavailable: the graph is away or busy.
        """
        arguments, job_id = assignment.request.arguments, assignment.request.job_id
        if not job_id or arguments.dependencies == "none":
            return 0
        if arguments.origin and extracted.outcome is Outcome.PRESENT:
            return 0  # a message about a package that was there adds the edge from its parent only
        required = await self._reader.requirements(extracted.ref, arguments.dependencies)
        tasks = {
            package.purl: ExtractPackage(
                ecosystem=arguments.ecosystem,
                name=package.registry_name,
                dependencies=arguments.dependencies,
                job_id=job_id,
            )
            for package in required
        }
        purls = await self._jobs.follow(
            job_id, list(tasks), self._budget, redelivered=assignment.redelivered
        )
        await self._queues.publish([job_message(purl, tasks[purl]) for purl in purls])
        return len(purls)
