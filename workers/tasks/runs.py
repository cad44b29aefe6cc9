"""One task per kind of run, which executes it; and ``runs.sweep``, which finds lost work.

A run takes longer than the visibility timeout, so its task is acknowledged as soon as the run has
a record. From then on the record and its lease replace the message, and the sweep replaces
redelivery.
"""

from dataclasses import asdict
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.resources import Resources
from ssc_ingest.runs.engine import Engine
from ssc_ingest.runs.kinds import KINDS, Kind
from ssc_ingest.runs.lease import LeaseLost
from ssc_ingest.runs.model import Run
from ssc_ingest.work.arguments import BackfillImportNames, IngestRegistry
from ssc_ingest.work.locks import LockHeld, exclusive
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import SWEEP
from ssc_ingest.work.redis_errors import explain
from workers.app import app
from workers.process.calls import BadCall, refusing
from workers.process.delivery import acknowledge, delivered, run_or_requeue
from workers.process.runtime import Runtime, Stopping
from workers.routing import HOUSEKEEPING

log = structlog.get_logger(__name__)


class RunFailed(Exception):
    """The run has failed; the text has the reason and the metrics."""


def _register(kind: Kind) -> None:
    """Create the task that executes the runs of one kind and returns their metrics.

    Safe to repeat: if such a run is in progress, the task returns its state. The keywords are those
    of the kind's arguments.
    """
    name = KINDS[kind].task

    @app.task(bind=True, name=name, ignore_result=False, throws=(RunFailed, BadCall))
    def carry_out(self: Task, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[type-arg]
        return _carry_out(kind, delivered(name, self.request, args, kwargs))


for _kind in KINDS:
    _register(_kind)


@app.task(name=SWEEP, ignore_result=False, send_events=SWEEP not in HOUSEKEEPING)
def sweep_runs() -> dict[str, int]:
    """Requeue lost work and submit the stubs of requirement files. Safe to repeat."""
    return app.runtime.run(_sweep(app.runtime.resources))


async def _sweep(resources: Resources) -> dict[str, int]:
    state, settings = resources.state, resources.settings
    swept: dict[str, int] = {}
    try:
        async with exclusive(state.redis, SWEEP, settings.task_timeout):
            swept = asdict(await state.recovery(settings).sweep())
            look = await resources.requirement_files().fill_stubs()
            swept |= {"requirement_files": look.files, "stubs": look.packages}
            swept["without_facts"] = await resources.facts_survey().advance()
            swept["attributed"] = await _attribute_waiting(resources)
    except LockHeld:
        log.info("sweep_is_under_way")
    except TimeoutError:
        log.warning("sweep_unfinished", seconds=settings.task_timeout)
    except StoreUnavailable as error:  # the work in Redis was swept nevertheless
        log.warning("requirement_files_unread", error=str(error))
    return swept


async def _attribute_waiting(resources: Resources) -> int:
    try:
        return await resources.attributor.attribute_waiting()
    except StoreUnavailable as error:
        log.info("attribution_postponed", error=str(error))
        return 0


def _carry_out(kind: Kind, message: TaskMessage) -> dict[str, Any]:
    runtime = app.runtime
    run: Run | None
    run, is_ours = run_or_requeue(runtime, _accept(runtime.resources, kind, message))
    acknowledge(message.task_id)
    try:
        if is_ours:
            run = runtime.run(_go_on(runtime, run), is_run=True)
    except Stopping:
        raise Ignore from None  # another worker continues the run, so there is no result yet
    except RedisError as error:
        # The run has a record, which the sweep finds.
        log.warning("state_unavailable", error=explain(error))
        raise
    if run is None:
        raise Ignore
    if run.state == "failed":
        raise RunFailed(f"{run.error} {run.report()}")
    return run.report()


async def _go_on(runtime: Runtime, run: Run) -> Run | None:
    """The run at the end of this task; ``None`` if another execution continues it."""
    resources = runtime.resources
    try:
        return await Engine(resources.run_services(run.ecosystem), run).carry_out()
    except LeaseLost as error:
        goes_on = error.state not in {"paused", "cancelled"}
        return None if goes_on else await resources.state.runs.get(run.id)
    finally:
        if runtime.stopping:
            await resources.state.run_control().hand_over(run.id)


async def _accept(resources: Resources, kind: Kind, message: TaskMessage) -> tuple[Run, bool]:
    """The recorded run of a call, started if needed, and whether this task executes it.

    Raises:
        BadCall: the call is invalid.
    """
    control = resources.state.run_control()
    arguments, budget = KINDS[kind].arguments, KINDS[kind].budget
    async with refusing(resources, message):
        request = arguments.parse(message.kwargs)
        ecosystem(request.ecosystem)
        if request.run_id:
            return await control.get(request.run_id), True
    arguments.log_unknown(message.kwargs)
    limit = request.limit if isinstance(request, IngestRegistry) else None
    backfill = request if isinstance(request, BackfillImportNames) else None
    if backfill:
        limit = backfill.limit or None
    if budget:
        limit = budget(resources.ecosystems[request.ecosystem].endpoints, resources.settings)
    run, is_new = await control.begin(
        kind, request.ecosystem, limit=limit, task_id=message.task_id, backfill=backfill
    )
    is_ours = is_new or run.task_id == message.task_id  # recorded at a delivery that was killed
    if not is_ours:
        log.info("run_is_under_way", run_id=run.id, kind=run.kind, ecosystem=run.ecosystem)
    return run, is_ours
