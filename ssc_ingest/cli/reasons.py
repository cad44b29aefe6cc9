"""The reasons why work waits, as sentences for people."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from ssc_ingest.cli import output

if TYPE_CHECKING:
    from ssc_ingest.on_demand.jobs import Job
    from ssc_ingest.resources import State

MOST_PENDING = 1000
"""Pending packages of a job whose ecosystems are looked at."""


async def reason_to_wait(state: "State", ecosystems: Collection[str]) -> str:
    """The reason why requested packages of these ecosystems wait; empty if none is known."""
    from ssc_ingest.control.registry_pauses import RegistryPauses
    from ssc_ingest.monitoring.heartbeats import workers
    from ssc_ingest.work.names import queue_name

    needed = {queue_name(ecosystem, "urgent") for ecosystem in ecosystems}
    read = {queue for worker in await workers(state.redis) for queue in worker.queues}
    if unread := sorted(needed - read):
        return (
            f"no worker reads {', '.join(unread)}: the tasks wait until one is started "
            "(`ssc-ingest up`)"
        )
    if not (delayed := await state.queues.delayed()):
        return ""
    tasks = f"{output.count(delayed, 'task')} {'waits' if delayed == 1 else 'wait'}"
    registries = RegistryPauses(state.limiter, state.queues)
    found = [await registries.get(name) for name in sorted(ecosystems)]
    if obstacle := next((registry.obstacle for registry in found if registry.obstacle), ""):
        return f"{tasks}: {obstacle}"
    return f"{tasks} for the next attempt: a registry or a store is slow or unavailable"


async def reason_of_job(state: "State", job: "Job") -> str:
    """The reason why a job's pending packages wait; empty if none is known or none is pending."""
    if job.finished:
        return ""
    from ssc_ingest.ecosystems.purls import parse_purl
    from ssc_ingest.work.names import queue_name

    pending = await state.jobs.pending(job.id, MOST_PENDING)
    ecosystems = {parse_purl(purl).ref.ecosystem for purl in pending}
    if reason := await reason_to_wait(state, ecosystems):
        return reason
    lengths = await state.queues.lengths([queue_name(name, "urgent") for name in ecosystems])
    queued = {name: length for name, length in lengths.items() if length}
    if not queued:
        return ""
    parts = (f"{output.count(length, 'task')} in {name}" for name, length in queued.items())
    return f"its turn has not come: {', '.join(parts)}"
