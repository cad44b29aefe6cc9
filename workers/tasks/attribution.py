"""``vulnerabilities.attribute``: attributes advisories to the versions of packages.

``vulnerabilities.audit``: checks the attribution of random packages.
"""

import time
from dataclasses import asdict, replace
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Reject, Retry
from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.errors import InvalidArguments, InvalidName, StoreUnavailable
from ssc_ingest.models import now
from ssc_ingest.resources import Resources
from ssc_ingest.vulnerabilities.audit import AUDIT
from ssc_ingest.vulnerabilities.changed import ATTRIBUTE
from ssc_ingest.work.arguments import AttributePackages, AuditAttribution
from ssc_ingest.work.messages import PUBLISHED, Failure, TaskMessage
from ssc_ingest.work.names import DEFAULT, queue_name
from ssc_ingest.work.retry import Again, decide
from workers.app import app
from workers.process.runtime import Stopping

REQUEUE_PAUSE = 1.0
"""Seconds before a message returns to the queue if its state cannot be stored."""

log = structlog.get_logger(__name__)


class AttributionFailed(Exception):
    """The task became a dead letter; the text has the reason and the dead letter's id."""


class AuditFailed(Exception):
    """The audit failed; the text has the reason. The audit of the next day tries again."""


@app.task(bind=True, name=ATTRIBUTE, throws=(AttributionFailed,))
def attribute_packages(self: Task, *args: Any, **kwargs: Any) -> str:  # type: ignore[type-arg]
    """Attribute advisories to the versions of some packages.

    Safe to repeat. Packages that are not in the graph are skipped. The keywords are those of
    :class:`ssc_ingest.work.arguments.AttributePackages`.
    """
    request: Any = self.request
    message = TaskMessage(
        task=ATTRIBUTE,
        task_id=request.id,
        kwargs={**kwargs, **({"args": list(args)} if args else {})},
        queue=request.delivery_info.get("routing_key") or DEFAULT,
        attempts=request.get("attempts") or 0,
        since=request.get("since"),
        failures=Failure.decode(request.get("failures")),
        published_at=request.get(PUBLISHED),
    )
    try:
        done = app.runtime.run(_deliver(app.runtime.resources, message))
    except Stopping:
        raise Reject("the worker stops", requeue=True) from None
    except RedisError as error:
        log.warning("state_unavailable", error=str(error))
        time.sleep(REQUEUE_PAUSE)
        raise Reject(str(error), requeue=True) from error
    if isinstance(done, Again):
        raise Retry("a store does not respond", when=round(done.seconds))  # type: ignore[arg-type] # an int is Real
    return done


@app.task(name=AUDIT, ignore_result=False, throws=(AuditFailed,))
def audit_attribution(**kwargs: Any) -> dict[str, Any]:
    """Evaluate the advisories of random packages again; returns the differences to the graph.

    The keywords are those of :class:`ssc_ingest.work.arguments.AuditAttribution`.
    """
    try:
        return app.runtime.run(_audit(app.runtime.resources, kwargs))
    except Stopping:
        raise Reject("the worker stops", requeue=True) from None


async def _audit(resources: Resources, kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        request = AuditAttribution.parse(kwargs)
        report = await resources.auditor().audit(request.packages)
    except (InvalidArguments, StoreUnavailable) as error:
        raise AuditFailed(f"{type(error).__name__}: {error}") from error
    return {**asdict(report), "at": report.at.isoformat(), "bound": report.bound}


async def _deliver(resources: Resources, message: TaskMessage) -> str | Again:
    """The summary, or the decision to try again later; the message is then in the delayed set."""
    try:
        return await _attribute(resources, message)
    except RedisError:
        raise
    except Exception as error:
        since = message.since or time.time()
        decision = decide(
            error,
            attempts=message.attempts,
            max_attempts=resources.settings.max_attempts,
            waited=time.time() - since,
        )
        if isinstance(decision, Again):
            attempts = message.attempts + decision.counted
            later = replace(message, attempts=attempts, since=since)
            await resources.state.queues.delay(later, decision.seconds)
            return decision
        if not isinstance(error, InvalidArguments):
            log.exception("unexpected_error")
        letter = await resources.state.dead_letters.add(message, error, now=now())
        raise AttributionFailed(f"{type(error).__name__}: {error} [{letter}]") from error


async def _attribute(resources: Resources, message: TaskMessage) -> str:
    if "args" in message.kwargs:
        raise InvalidArguments("the arguments are keywords: ecosystem=..., names=[...]")
    request = AttributePackages.parse(dict(message.kwargs))
    cls = ecosystem(request.ecosystem)
    if message.queue == DEFAULT and request.ecosystem in ecosystems():
        queue = queue_name(request.ecosystem, "fresh")
        await resources.state.queues.publish([message.moved_to(queue)])
        return f"forwarded to {queue}"
    if unknown := AttributePackages.unknown(dict(message.kwargs)):
        log.warning("unknown_arguments", names=unknown)
    purls = set()
    for name in request.names:
        try:
            purls.add(cls.ref(name).purl)
        except InvalidName:  # some advisories have names that are invalid in the registry
            log.debug("package_unnamable", name=name)
    done = await resources.attributor.attribute(request.ecosystem, purls)
    log.info("packages_attributed", packages=done.packages, changed=done.changed)
    return f"{done.packages} packages, {done.changed} of {done.versions} versions changed"
