"""Syncs by the modified list: one request for the list, and one per changed record."""

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ssc_ingest.ecosystems.wire import parse_moment
from ssc_ingest.logs import get_logger
from ssc_ingest.vulnerabilities.applying import BATCH_SIZE
from ssc_ingest.vulnerabilities.session import SyncSession
from ssc_ingest.vulnerabilities.sources import Listed
from ssc_ingest.vulnerabilities.state import SyncState

OVERLAP = timedelta(days=1)
"""The list is read back to this time before the cursor, because its lines are not always in
order."""

MAX_MISSING = 20
"""Maximum number of stored ids of missing records."""

log = get_logger(__name__)


@dataclass(slots=True)
class ListedChanges:
    """The changed records of a list."""

    etag: str = ""
    head: Listed | None = None
    """Its first line, the newest."""
    examined: int = 0
    """Lines that were compared."""
    changed: dict[str, Listed] = field(default_factory=dict)


async def listed_changes(session: SyncSession, state: SyncState) -> ListedChanges | None:
    """Compare the list with the known records, back to a day before the cursor.

    ``None`` if the list has not changed. Stops if too many records have changed to request them one
    by one.
    """
    since = state.cursor - OVERLAP if state.cursor else None
    changes = ListedChanges()
    bookkeeping, most = session.store.bookkeeping, session.settings.osv_max_requests
    async with aclosing(session.source.changes(session.folder, state.etag)) as parts:
        async for part in parts:
            changes.etag = part.etag
            changes.head = changes.head or next(iter(part.lines), None)
            recent = [line for line in part.lines if since is None or line.moment > since]
            changes.examined += len(recent)
            rows = await bookkeeping.rows(line.id for line in recent)
            for line in recent:
                row = rows.get(line.id)
                if row is None or parse_moment(row.listed) != line.moment:
                    changes.changed[line.id] = line
            if len(recent) < len(part.lines) or len(changes.changed) > most:
                return changes
        return changes if changes.etag or changes.head else None


async def sync_by_list(
    session: SyncSession, state: SyncState, changes: ListedChanges
) -> dict[str, Any]:
    """Request and store the changed records; returns the fields of the new state.

    Raises:
        TooManyLeave: the brake stopped the sync.
    """
    counts = state.counts
    leaving = session.leaving(counts.records - counts.withdrawn)
    missing: list[str] = []
    lines = [(line.id, line.time) for line in changes.changed.values()]
    session.applier.applied.examined = changes.examined
    for start in range(0, len(lines), BATCH_SIZE):
        session.progress(start, len(lines))
        batch = lines[start : start + BATCH_SIZE]
        read, unreadable, absent = await session.records(session.folder, batch)
        await session.applier.apply(read, unreadable, leaving=leaving)
        missing += absent
    session.progress(len(lines), len(lines))
    if missing:
        # Already deleted, or not yet available. The next full sync decides.
        log.warning(
            "advisories_missing",
            ecosystem=session.ecosystem,
            advisories=missing[:MAX_MISSING],
            count=len(missing),
        )
    await session.settle(leaving, [])
    cursor = min(changes.head.moment, session.started) if changes.head else state.cursor
    return {"cursor": cursor, "etag": changes.etag, "missing": missing[:MAX_MISSING]}
