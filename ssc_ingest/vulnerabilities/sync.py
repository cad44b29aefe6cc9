"""The sync of one ecosystem's advisories from a source into MongoDB.

Two ways lead to the same state. By the modified list (:mod:`.by_list`): the records that it has as
changed are requested one by one. By the dump (:mod:`.by_dump`): all records are compared, and what
the dump lacks has vanished. Sources do not always raise ``modified``, so the list alone is not
enough.

A sync may be killed anywhere. The next one finds unchanged what was stored, and continues a dump
at the record where the last batch ended.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.errors import IngestError, ResourceNotFound
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
"""Age of the last full sync after which every sync is a full one: the weekly one was missed."""

By = Literal["dump", "list", "nothing"]
"""What a sync has read; ``nothing``: the list, or the local dump, is the same as last time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a sync did; the numbers are records but for ``packages`` and ``seconds``."""

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
    """Sync one ecosystem, note how it ended, and queue the packages whose advisories changed.

    Args:
        store: MongoDB.
        changed: the outbox of packages.
        source: where records come from.
        identity: the ecosystem.
        settings: limits.
        full: compare all records.
        accept_removals: withdraw and remove as many records as the source says.
        on_progress: called after each batch.

    Raises:
        TooManyLeave: the brake holds; everything else was applied.
        ResourceNotFound: the source does not have this ecosystem.
        RegistryError: the source cannot be read.
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
    await session.publish(all_of_them=True)  # what a killed sync has left
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
    """Sync in the cheaper way; returns which, and the fields of the new state."""
    overdue = state.full_at is None or session.started - state.full_at > FULL_AFTER
    # While the brake holds, reading a dump every half an hour would change nothing.
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
