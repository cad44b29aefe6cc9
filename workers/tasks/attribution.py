"""``vulnerabilities.attribute``: attributes advisories to the versions of packages.

``vulnerabilities.audit``: checks the attribution of random packages.
"""

from dataclasses import asdict
from typing import Any

from celery import Task
from celery.exceptions import Reject

from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.resources import Resources
from ssc_ingest.vulnerabilities.changed import ATTRIBUTE
from ssc_ingest.vulnerabilities.requests import AUDIT
from ssc_ingest.work.arguments import AuditAttribution
from ssc_ingest.work.messages import TaskMessage
from workers.app import app
from workers.process.calls import BadCall, refusing
from workers.process.delivery import WorkFailed, delivered, execute
from workers.process.runtime import Stopping


class AuditFailed(Exception):
    """The audit failed; the text has the reason. The audit of the next day tries again."""


@app.task(bind=True, name=ATTRIBUTE, throws=(WorkFailed,))
def attribute_packages(self: Task, *args: Any, **kwargs: Any) -> str:  # type: ignore[type-arg]
    """Attribute advisories to the versions of some packages.

    Safe to repeat. Packages that are not in the graph are skipped. The keywords are those of
    :class:`ssc_ingest.work.arguments.AttributePackages`.
    """
    request: Any = self.request
    return execute(
        app.runtime,
        app.runtime.attribution,
        delivered(ATTRIBUTE, request, args, kwargs),
        urgency="fresh",
        returned=bool(request.delivery_info.get("redelivered")),
    )


@app.task(bind=True, name=AUDIT, ignore_result=False, throws=(AuditFailed, BadCall))
def audit_attribution(self: Task, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[type-arg]
    """Evaluate the advisories of random packages again; returns the differences to the graph.

    The keywords are those of :class:`ssc_ingest.work.arguments.AuditAttribution`.
    """
    call = delivered(AUDIT, self.request, args, kwargs)
    try:
        return app.runtime.run(_audit(app.runtime.resources, call))
    except Stopping:
        raise Reject("the worker stops", requeue=True) from None


async def _audit(resources: Resources, call: TaskMessage) -> dict[str, Any]:
    async with refusing(resources, call):
        request = AuditAttribution.parse(call.kwargs)
    AuditAttribution.log_unknown(call.kwargs)
    try:
        report = await resources.auditor().audit(request.packages)
    except StoreUnavailable as error:
        raise AuditFailed(f"{type(error).__name__}: {error}") from error
    return {**asdict(report), "at": report.at.isoformat(), "bound": report.bound}
