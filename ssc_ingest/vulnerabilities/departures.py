"""Records that leave all ecosystems, noticed before the next full sync.

A record that loses its last package, as many withdrawn ones do, disappears from its ecosystem's
list. The list of all folders has it under ``[EMPTY]``: one more request for each round of syncs.
"""

from contextlib import aclosing

from ssc_ingest.ecosystems.wire import parse_moment
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.by_list import OVERLAP
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.session import SyncSession
from ssc_ingest.vulnerabilities.sources import WITHOUT_ECOSYSTEM, Listed, Source
from ssc_ingest.vulnerabilities.state import SyncState
from ssc_ingest.vulnerabilities.store import VulnerabilityStore

NAME = "departures"
"""Where the cursor is kept, beside those of ecosystems."""

ALL_FOLDERS = ""


async def sync_departures(
    store: VulnerabilityStore, changed: ChangedPackages, source: Source, settings: Settings
) -> int:
    """Take over known records that have no ecosystem any more; returns how many.

    Raises:
        TooManyLeave: the brake stopped the sync.
        RegistryError: the source cannot be read.
        StoreUnavailable: MongoDB does not respond.
    """
    session = SyncSession(
        store,
        changed,
        source,
        settings,
        ecosystem=NAME,
        folder=WITHOUT_ECOSYSTEM,
        accept_removals=False,
        on_progress=lambda _: None,
    )
    state = await store.syncs.get(NAME)
    found, head, etag = await session.patiently(lambda: _departed(session, state))
    if found:
        known = sum(each.counts.records for each in (await store.syncs.all()).values())
        leaving = session.leaving(known)
        wanted = [(line.id, line.time) for line in found]
        read, unreadable, _ = await session.records(WITHOUT_ECOSYSTEM, wanted)
        await session.applier.apply(read, unreadable, leaving=leaving)
        await session.settle(leaving, [])
        await session.publish(all_of_them=True)
    if head is not None:
        await store.syncs.set(NAME, cursor=min(head.moment, session.started), etag=etag)
    return len(found)


async def _departed(
    session: SyncSession, state: SyncState
) -> tuple[list[Listed], Listed | None, str]:
    """The known records that the list shows as changed and without ecosystem; its head and ETag."""
    since = (state.cursor or session.started) - OVERLAP
    found: list[Listed] = []
    head, etag = None, ""
    async with aclosing(session.source.changes(ALL_FOLDERS, state.etag)) as parts:
        async for part in parts:
            head, etag = head or next(iter(part.lines), None), part.etag
            recent = [line for line in part.lines if line.moment > since]
            lines = {line.id: line for line in recent if line.folder == WITHOUT_ECOSYSTEM}
            rows = await session.store.bookkeeping.rows(lines) if lines else {}
            for row in rows.values():
                known = parse_moment(row.listed)
                if row.counts and (known is None or known < lines[row.id].moment):
                    found.append(lines[row.id])
            if len(recent) < len(part.lines):
                break
    return found, head, etag
