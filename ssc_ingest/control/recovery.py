"""Recovery of work after a crash. Safe to repeat, and cheap if nothing was lost.

A process can die after it has recorded a package of a job or run and before it publishes the
message. A queue can be purged, and Redis can lose its last second. The job or run then counts the
package as pending for ever. If nothing has happened in it for longer than the messages of a killed
worker take to return, and the package's queue is empty, its pending packages are published again. A
run with an expired lease is given to another worker.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.purls import parse_purl
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Purl
from ssc_ingest.on_demand.jobs import Job, Jobs
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.runs.model import Run
from ssc_ingest.runs.store import Runs, package_message, run_message
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.requests import SyncRequests
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.claims import Claims
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.queues import Queues

MARGIN = 30.0
"""Seconds without activity, beyond the visibility timeout, after which messages count as lost."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recovered:
    """The work that one sweep published again."""

    wishes: int
    """Number of deferred requests without an owner."""
    packages: int
    runs: int
    """Number of runs with an expired lease."""
    syncs: int
    """Syncs of advisories that nobody carried out."""


class Recovery:
    """Requeues lost work.

    Args:
        queues: the queues for the work.
        claims: the claimed packages.
        jobs: jobs with pending packages.
        runs: runs with pending packages.
        syncs: requests for syncs of advisories.
        changed: packages whose advisories have changed.
        visibility_timeout: seconds after which the messages of a killed worker come back.
    """

    def __init__(
        self,
        queues: Queues,
        claims: Claims,
        jobs: Jobs,
        runs: Runs,
        *,
        syncs: SyncRequests,
        changed: ChangedPackages,
        visibility_timeout: float,
    ) -> None:
        self._queues = queues
        self._claims = claims
        self._jobs = jobs
        self._runs = runs
        self._syncs = syncs
        self._changed = changed
        self._silence = visibility_timeout + MARGIN

    async def sweep(self) -> Recovered:
        """Requeue pending packages and deferred requests whose messages were lost.

        The next sweep continues with the remaining jobs of a cancelled one.
        """
        orphaned = await self._claims.orphaned_requests()
        for purl, requests in orphaned.items():
            await self._claims.requeue(purl, requests)
        current = await self._runs.current_of(list(ecosystems()))
        running = [run for run in current if run.state == "running"]
        lapsed = [run for run in running if run.owner is None]
        for run in lapsed:
            log.warning("run_lapsed", run_id=run.id, kind=run.kind, ecosystem=run.ecosystem)
        await self._queues.publish([run_message(run) for run in lapsed])
        packages = 0
        for run in running:
            if (datetime.now(UTC) - run.touched_at).total_seconds() > self._silence:
                packages += await self._requeue_run(run)
        for job_id in await self._jobs.unfinished(self._silence):
            packages += await self._requeue_job(job_id)
        syncs = await self._continue_syncs()
        return Recovered(sum(map(len, orphaned.values())), packages, len(lapsed), syncs)

    async def _continue_syncs(self) -> int:
        """Queue a task for syncs that no process executes; publish a killed sync's outbox."""
        if await self._syncs.is_taken():
            return 0
        await self._changed.publish()
        abandoned = await self._syncs.abandoned()
        await self._queues.publish(abandoned)
        return len(abandoned)

    async def _requeue_job(self, job_id: str) -> int:
        job = await self._jobs.get(job_id)
        if job is None:
            return 0
        pending = await self._jobs.pending(job_id)
        messages = {
            purl: job_message(purl, _request(purl, pending[purl], job), followed=not pending[purl])
            for purl in pending
        }
        # A task from another program has its own id, which may be the job's.
        lost = await self._lost(messages.items(), job_id)
        await self._queues.publish(lost)
        await self._jobs.touch(job_id)
        return len(lost)

    async def _requeue_run(self, run: Run) -> int:
        pending = await self._runs.pending(run.id)
        lost = await self._lost([(item.purl, package_message(run, item)) for item in pending])
        await self._queues.publish(lost)
        await self._runs.touch(run.id)
        return len(lost)

    async def _lost(
        self, messages: Collection[tuple[Purl, TaskMessage]], *other_ids: str
    ) -> list[TaskMessage]:
        """The packages that are neither delayed nor claimed, and whose queues are empty."""
        lengths = await self._queues.lengths(sorted({message.queue for _, message in messages}))
        lost = []
        for purl, message in messages:
            if lengths[message.queue]:
                continue
            delayed = [await self._queues.is_delayed(i) for i in (message.task_id, *other_ids)]
            if not any(delayed) and not await self._claims.owner(purl):
                lost.append(message)
        return lost


def _request(purl: Purl, requested: dict[str, Any], job: Job) -> ExtractPackage:
    """The stored arguments of a requested package, or those of a requirement of the job."""
    if requested:
        return ExtractPackage.parse({**requested, "job_id": job.id})
    parsed = parse_purl(purl)
    return ExtractPackage.parse(
        {
            "ecosystem": parsed.ref.ecosystem,
            "name": parsed.ref.registry_name,
            "dependencies": job.dependencies,
            "job_id": job.id,
        }
    )
