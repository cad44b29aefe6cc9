"""``import_names.extract``: read the import names of one package or version.

Backfills of many packages are runs (:mod:`.runs`).
"""

from typing import Any

from celery import Task

from ssc_ingest.work.names import EXTRACT_NAMES
from workers.app import app
from workers.process.delivery import WorkFailed, delivered, execute


@app.task(bind=True, name=EXTRACT_NAMES, throws=(WorkFailed,))
def extract_import_names(self: Task, *args: Any, **kwargs: Any) -> str:  # type: ignore[type-arg]
    """Read the import names of the latest version, or of another one, and write them to the graph.

    Safe to repeat: names that the graph has are not read again. The package keeps its names if they
    cannot be read. The keywords are those of
    :class:`ssc_ingest.work.arguments.ExtractImportNames`.
    """
    request: Any = self.request
    return execute(
        app.runtime,
        app.runtime.names,
        delivered(EXTRACT_NAMES, request, args, kwargs),
        urgency="bulk",
        returned=bool(request.delivery_info.get("redelivered")),
    )
