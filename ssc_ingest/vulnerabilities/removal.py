"""Removes the documents of vanished records.

Readers fail on an id without a document. So a document is removed last, when no version of its
record's packages refers to it.
"""

from collections.abc import Iterable
from datetime import timedelta

from ssc_ingest.errors import InvalidName
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Purl, now
from ssc_ingest.vulnerabilities.bookkeeping import Row
from ssc_ingest.vulnerabilities.records import by_osv_name
from ssc_ingest.vulnerabilities.store import VulnerabilityStore

GRACE = timedelta(minutes=10)
"""Time after which attributions from before the removal have ended."""

PORTION = 500
"""Records per query."""

MAX_REMOVED = 20_000
"""Maximum number of records to check after a sync; the next sync checks the others."""

log = get_logger(__name__)


async def remove_vanished(
    store: VulnerabilityStore, reader: GraphReader, *, grace: timedelta = GRACE
) -> int:
    """Remove vanished records that no version refers to; returns their number.

    Raises:
        StoreUnavailable: MongoDB or the graph does not respond; the other records are removed
            later.
    """
    rows = await store.bookkeeping.vanished(now() - grace, MAX_REMOVED)
    removed = 0
    for start in range(0, len(rows), PORTION):
        portion = rows[start : start + PORTION]
        ids = {row.id for row in portion}
        for label, purls in _packages(portion).items():
            ids -= await reader.advisory_ids(label, purls, ids)
        # The row is removed last, because the next clean-up finds documents by their rows.
        await store.documents.remove(sorted(ids))
        await store.weaknesses.forget(sorted(ids))
        await store.bookkeeping.remove(ids)
        removed += len(ids)
    if removed:
        log.info("advisories_removed", count=removed)
    return removed


def _packages(rows: Iterable[Row]) -> dict[str, set[Purl]]:
    """The purls of the records' packages, by label; other packages cannot be in the graph."""
    found: dict[str, set[Purl]] = {}
    for row in rows:
        for key in row.packages:
            osv_name, _, name = key.partition(":")
            cls = by_osv_name().get(osv_name)
            if cls is None:
                continue
            try:
                found.setdefault(cls.identity.label, set()).add(cls.ref(name).purl)
            except InvalidName:
                continue
    return found
