"""``extraction.extract_package``: read one package from its registry and write it to the graph."""

from typing import Any

from celery import Task

from ssc_ingest.work.names import EXTRACT
from workers.app import app
from workers.process.delivery import WorkFailed, delivered, execute


@app.task(bind=True, name=EXTRACT, throws=(WorkFailed,))
def extract_package(self: Task, *args: Any, **kwargs: Any) -> str:  # type: ignore[type-arg]
    """Read one package from its registry and write it to the graph.

    Safe to repeat: packages, versions and requirements are matched by their purl.
    The keywords are those of :class:`ssc_ingest.work.arguments.ExtractPackage`.
    """
    request: Any = self.request
    return execute(
        app.runtime,
        app.runtime.handler,
        delivered(EXTRACT, request, args, kwargs),
        urgency="urgent",
        returned=bool(request.delivery_info.get("redelivered")),
    )
