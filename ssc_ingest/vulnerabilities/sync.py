"""Syncs one ecosystem's advisories from a source to MongoDB.

Two kinds of syncs have the same result. A sync by the modified list (:mod:`.by_list`) requests the
changed records one by one. A sync by the dump (:mod:`.by_dump`) compares all records; a record that
is missing in the dump has vanished. Sources do not always update ``modified``, so the list alone is
not enough.

A sync may be killed at any time. The next one finds the stored records unchanged, and continues a
dump after the last batch.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.errors import IngestError, ResourceNotFound
from ssc_ingest.logs import get_logger
from ssc_ingest.models import now
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.by_dump import sync_by_dump
from ssc_ingest.vulnerabilities.by_list import listed_changes, sync_by_list
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.session import SyncProgress, SyncSession
from ssc_ingest.vulnerabilities.sources import Source
from ssc_ingest.vulnerabilities.state import SyncState
from ssc_ingest.vulnerabilities.store import VulnerabilityStore

FULL_AFTER = timedelta(days=8)
"""Age of the last full sync after which the next sync is full, because the weekly one was
missed."""

By = Literal["dump", "list", "nothing"]
"""The kind of a sync; ``nothing``: the list or the local dump is unchanged."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """The result of a sync; all numbers but ``packages`` and ``seconds`` are numbers of records."""

    ecosystem: str
    by: By
    examined: int
    new: int
    updated: int
    withdrawn: int
    vanished: int
    unreadable: int
    packages: int
    seconds: float


async def sync_ecosystem(
    store: VulnerabilityStore,
    changed: ChangedPackages,
    source: Source,
    identity: Identity,
    settings: Settings,
    *,
    full: bool = False,
    accept_removals: bool = False,
    on_progress: Callable[[SyncProgress], None] = lambda _: None,
) -> SyncReport:
    """Sync one ecosystem, store the result, and queue the packages with changed advisories.

    Args:
        store: MongoDB.
        changed: the outbox of packages with changed advisories.
        source: the source of the records.
        identity: the ecosystem.
        settings: limits.
        full: compare all records.
        accept_removals: turn the brake off.
        on_progress: called after each batch.

    Raises:
        TooManyLeave: the brake stopped withdrawals and removals; all other changes were stored.
        ResourceNotFound: the source does not have this ecosystem.
        RegistryError: the source is unreadable.
        StoreUnavailable: MongoDB does not respond.
    """
    began = time.monotonic()
    session = SyncSession(
        store,
        changed,
        source,
        settings,
        ecosystem=identity.name,
        folder=identity.osv_name,
        accept_removals=accept_removals,
        on_progress=on_progress,
    )
    await session.publish(all_of_them=True)  # the rest of a killed sync
    state = await store.syncs.get(identity.name)
    try:
        by, fields = await _read(session, state, full=full)
    except IngestError as error:
        if not isinstance(error, ResourceNotFound):
            await store.syncs.set(identity.name, error=str(error)[:500], failed_at=now())
        raise
    if by != "nothing":
        fields["counts"] = asdict(await store.bookkeeping.count(session.folder))
    await session.publish(all_of_them=True)
    await store.syncs.set(
        identity.name,
        synced_at=session.started,
        source=source.where,
        error=None,
        failed_at=None,
        **fields,
    )
    report = SyncReport(
        ecosystem=identity.name,
        by=by,
        seconds=round(time.monotonic() - began, 1),
        **asdict(session.applier.applied),
    )
    log.info("advisories_synced", **asdict(report))
    return report


async def _read(session: SyncSession, state: SyncState, *, full: bool) -> tuple[By, dict[str, Any]]:
    """Sync by the cheaper kind; returns it, and the fields of the new state."""
    overdue = state.full_at is None or session.started - state.full_at > FULL_AFTER
    # After the brake stopped a sync, reading the dump every half an hour would change nothing.
    full = full or (overdue and state.brake is None)
    same_source = state.source == session.source.where
    if session.source.has_lists and same_source and state.cursor and not full:
        changes = await session.patiently(lambda: listed_changes(session, state))
        if changes is None:
            return "nothing", {}
        if len(changes.changed) <= session.settings.osv_max_requests:
            return "list", {**await sync_by_list(session, state, changes), "brake": None}
        log.info("advisories_by_dump", ecosystem=session.ecosystem, changed=len(changes.changed))
        full = True
    fields = await sync_by_dump(session, state, full=full or not same_source)
    return ("nothing", {}) if fields is None else ("dump", {**fields, "brake": None})
