"""Finding work that a crash left behind. Safe to repeat, and cheap when there is nothing.

A process can die between noting that a package belongs to a job or run and publishing its
message, a queue can be purged, and Redis can lose its last second. The job or run still counts
the package as pending; when nothing has happened in it for longer than a killed worker's messages
need to come back, and the package's queue is empty, what is pending is published again. A run
that nobody carries out is given to somebody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.purls import parse_purl
from ssc_ingest.models import Purl
from ssc_ingest.on_demand.jobs import Job, job_message
from ssc_ingest.resources import State
from ssc_ingest.runs.model import Run
from ssc_ingest.runs.store import package_message, run_message
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name

MARGIN = 30.0
"""Seconds beyond the visibility timeout before a job's silence is taken for a loss."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What was found and published again."""

    wishes: int
    packages: int
    runs: int
    """Runs that nobody carried out."""


async def sweep(state: State, settings: Settings) -> Swept:
    """Publish again what nobody has any more.

    If it is cancelled, the next one goes on with the jobs that this one has not come to.
    """
    orphaned = await state.claims.orphaned_requests()
    for purl, wishes in orphaned.items():
        await state.claims.requeue(purl, wishes)
    silence = settings.visibility_timeout + MARGIN
    current = await state.runs.current_of(list(ecosystems()))
    running = [run for run in current if run.state == "running"]
    lapsed = [run for run in running if run.owner is None]
    for run in lapsed:
        log.warning("run_lapsed", run_id=run.id, kind=run.kind, ecosystem=run.ecosystem)
    await state.queues.publish([run_message(run) for run in lapsed])
    packages = 0
    for run in running:
        if (datetime.now(UTC) - run.touched_at).total_seconds() > silence:
            packages += await _publish_lost_of_run(state, run)
    urgent = [queue_name(name, "urgent") for name in ecosystems()]
    if not any((await state.queues.lengths(urgent)).values()):
        for job_id in await state.jobs.unfinished(silence):
            packages += await _publish_lost_of_job(state, job_id)
    return Swept(wishes=sum(map(len, orphaned.values())), packages=packages, runs=len(lapsed))


async def _publish_lost_of_job(state: State, job_id: str) -> int:
    job = await state.jobs.get(job_id)
    if job is None:
        return 0
    pending = await state.jobs.pending(job_id)
    messages = {purl: job_message(purl, _request(purl, pending[purl], job)) for purl in pending}
    # A task that another program sent has an id of its own, which may be the job's.
    lost = await _held_by_nobody(state, messages.items(), job_id)
    await state.queues.publish(lost)
    await state.jobs.touch(job_id)
    return len(lost)


async def _publish_lost_of_run(state: State, run: Run) -> int:
    pending = await state.runs.pending(run.id)
    messages = [(item.purl, package_message(run, item)) for item in pending]
    if any((await state.queues.lengths([message.queue for _, message in messages])).values()):
        return 0
    lost = await _held_by_nobody(state, messages)
    await state.queues.publish(lost)
    await state.runs.touch(run.id)
    return len(lost)


async def _held_by_nobody(
    state: State, messages: Iterable[tuple[Purl, TaskMessage]], *other_ids: str
) -> list[TaskMessage]:
    """Those that neither wait for their time nor are being worked on."""
    lost = []
    for purl, message in messages:
        delayed = [await state.queues.is_delayed(i) for i in (message.task_id, *other_ids)]
        if not any(delayed) and not await state.claims.owner(purl):
            lost.append(message)
    return lost


def _request(purl: Purl, asked: dict[str, Any], job: Job) -> ExtractPackage:
    """The arguments that a package was asked for with, or those of a requirement of the job."""
    if asked:
        return ExtractPackage.parse({**asked, "job_id": job.id})
    parsed = parse_purl(purl)
    return ExtractPackage.parse(
        {
            "ecosystem": parsed.ref.ecosystem,
            "name": parsed.ref.registry_name,
            "dependencies": job.dependencies,
            "job_id": job.id,
        }
    )
