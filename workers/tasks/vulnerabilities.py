"""``vulnerabilities.sync``: updates the advisories in MongoDB from OSV.

A sync takes longer than the visibility timeout, so its task is acknowledged as soon as its request
is stored. The request then replaces the message, and the sweep replaces redelivery.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.errors import IngestError
from ssc_ingest.resources import Resources
from ssc_ingest.vulnerabilities.requests import SYNC, SyncRequest, TurnLost
from ssc_ingest.work.arguments import SyncVulnerabilities
from ssc_ingest.work.locks import LockHeld
from ssc_ingest.work.messages import TaskMessage
from workers.app import app
from workers.process.calls import BadCall, refusing
from workers.process.delivery import acknowledge, delivered, run_or_requeue
from workers.process.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)


class SyncFailed(Exception):
    """A sync failed; the text has the report of every ecosystem."""


@app.task(
    bind=True,
    name=SYNC,
    ignore_result=False,
    throws=(BadCall, SyncFailed, IngestError),
)
def sync(self: Task, /, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:  # type: ignore[type-arg]
    """Sync one ecosystem or all; returns a report for each.

    Safe to repeat: a sync in progress also executes this request. The keywords are those of
    :class:`ssc_ingest.work.arguments.SyncVulnerabilities`.
    """
    runtime = app.runtime
    call = delivered(SYNC, self.request, args, kwargs)
    run_or_requeue(runtime, _record(runtime.resources, call))
    acknowledge(call.task_id)
    try:
        ended = runtime.run(_sync(runtime), is_run=True)
    except Stopping:
        raise Ignore from None  # the next process executes the request
    if any(each.get("error") and not each["absent"] for each in ended):
        raise SyncFailed(str(ended))
    return ended


async def _record(resources: Resources, call: TaskMessage) -> None:
    """Store the requests of a call, which the sweep finds from then on."""
    async with refusing(resources, call):
        requests = _requests(call.kwargs)
    await resources.state.sync_requests().add(requests)


async def _sync(runtime: Runtime) -> list[dict[str, Any]]:
    resources = runtime.resources
    requests = resources.state.sync_requests()
    try:
        ended = await resources.advisory_sync().carry_out_requests()
    except (LockHeld, TurnLost):
        log.info("sync_is_under_way")
        return []
    finally:
        if runtime.stopping:
            await resources.state.queues.publish(await requests.abandoned())
    return [asdict(each) for each in ended]


def _requests(kwargs: Mapping[str, Any]) -> list[SyncRequest]:
    """The requests of a call.

    Raises:
        InvalidArguments: the arguments are invalid.
    """
    arguments = SyncVulnerabilities.parse(kwargs)
    SyncVulnerabilities.log_unknown(kwargs)
    names = [ecosystem(arguments.ecosystem).identity.name] if arguments.ecosystem else ecosystems()
    return [SyncRequest(name, arguments.full) for name in names]
