"""Syncs by a dump: compares all records by the digest of their content."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from ssc_ingest.ecosystems.concurrency import in_thread
from ssc_ingest.ecosystems.wire import parse_moment
from ssc_ingest.errors import MalformedMetadata, RegistryError, ResourceNotFound
from ssc_ingest.vulnerabilities.applying import BATCH_SIZE, Read, Unreadable
from ssc_ingest.vulnerabilities.dumps import Dump, Place
from ssc_ingest.vulnerabilities.known import Known
from ssc_ingest.vulnerabilities.records import read_record
from ssc_ingest.vulnerabilities.session import SyncSession
from ssc_ingest.vulnerabilities.sources import ListPart
from ssc_ingest.vulnerabilities.state import Pass, SyncState

MAX_ID_LENGTH = 200
"""Maximum length of the stored file name of an unreadable record."""

EXAMINED_AT_A_TIME = 2000
"""Records to compare before other tasks of the event loop continue."""


@dataclass(slots=True)
class _Batch:
    """Records of a dump that may have changed."""

    read: list[Read] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    """The places of the records that were read."""
    examined: int = 0
    relevant: int = 0
    """Number of records of this ecosystem."""
    newest: datetime | None = None
    """The latest modification of the records."""

    def again(self, read: Read) -> Callable[[], Read]:
        """Read a record once more, so that it need not stay in memory."""
        place, listed = self.places[read.record.id], read.listed
        return lambda: Read(read_record(place.read(), place.id), listed)


async def sync_by_dump(
    session: SyncSession, state: SyncState, *, full: bool
) -> dict[str, Any] | None:
    """Read the dump and store changed records; returns the fields of the new state.

    ``None`` if the dump is the same as last time and ``full`` is false.

    Raises:
        TooManyLeave: the brake stopped the sync.
        ResourceNotFound: the source does not have this ecosystem.
    """
    head = (
        await session.patiently(lambda: _first_part(session)) if session.source.has_lists else None
    )
    async with AsyncExitStack() as stack:
        dump = await session.patiently(
            lambda: stack.enter_async_context(session.source.dump(session.folder))
        )
        if dump.identity == state.dump and not full:
            return None
        newest = await _compare_all(session, state, dump)
    fields: dict[str, Any] = {
        "full_at": session.started,
        "dump": dump.identity,
        "under_way": None,
        "missing": [],
        "etag": None,
        "cursor": None,
    }
    if head is not None:
        # The dump may be older than the list: changes after its newest record count as unread.
        moments = [line.moment for line in head.lines[:1]] + [session.started]
        fields["cursor"] = min([*moments, *([newest] if newest else [])])
    return fields


async def _first_part(session: SyncSession) -> ListPart | None:
    async with aclosing(session.source.changes(session.folder, "")) as parts:
        return await anext(parts, None)


async def _compare_all(session: SyncSession, state: SyncState, dump: Dump) -> datetime | None:
    """Compare all records; returns the latest modification."""
    bookkeeping, applied = session.store.bookkeeping, session.applier.applied
    known = await Known.load(bookkeeping.scan(session.folder))
    counts = state.counts
    leaving = session.leaving(counts.records - counts.withdrawn if state.full_at else len(known))
    earlier = state.under_way if state.under_way and state.under_way.dump == dump.identity else None
    position, newest = (earlier.position, earlier.newest) if earlier else (0, None)
    places = dump.places()
    relevant = await in_thread(_skip, places, known, position)
    while (
        batch := await in_thread(_compare, places, known, session.folder, mixed=dump.mixed)
    ).examined:
        if batch.read or batch.unreadable:
            await session.applier.apply(
                batch.read, batch.unreadable, leaving=leaving, again=batch.again
            )
        position += batch.examined
        relevant += batch.relevant
        applied.examined += batch.examined
        newest = max(filter(None, (newest, batch.newest)), default=None)
        under_way = Pass(dump=dump.identity, position=position, total=dump.count, newest=newest)
        await session.store.syncs.set(session.ecosystem, under_way=asdict(under_way))
        session.progress(position, dump.count)
        await session.publish(all_of_them=False)
    if not relevant:
        if dump.mixed:
            raise ResourceNotFound(f"{session.source.where} has no record of {session.folder}")
        if len(known):
            raise MalformedMetadata(f"{session.source.where} has an empty dump of {session.folder}")
    leaving.vanished = known.unseen
    vanished = []
    if leaving.vanished and not leaving.too_many:
        async for record_id, _ in bookkeeping.scan(session.folder):
            if record_id in known and not known.has_seen(record_id):
                vanished.append(record_id)
    await session.settle(leaving, vanished)
    return newest


def _skip(places: Iterator[Place], known: Known, position: int) -> int:
    """Skip the records that an earlier process has compared; returns their number."""
    skipped = 0
    for place in islice(places, position):
        known.see(place.id)
        skipped += 1
    return skipped


def _compare(places: Iterator[Place], known: Known, folder: str, *, mixed: bool) -> _Batch:
    """Read the next records, and find those with new content."""
    batch = _Batch()
    for place in islice(places, EXAMINED_AT_A_TIME):
        batch.examined += 1
        known.see(place.id)
        try:
            record = read_record(place.read(), place.id)
        except RegistryError as error:
            if not mixed or place.id in known:
                batch.relevant += 1
                batch.unreadable.append(Unreadable(place.id[:MAX_ID_LENGTH], str(error)))
            continue
        named = any(key.startswith(f"{folder}:") for key in record.packages)
        if mixed and not named and place.id not in known:
            continue
        batch.relevant += 1
        modified = parse_moment(record.modified)
        batch.newest = max(filter(None, (batch.newest, modified)), default=None)
        if not known.is_current(record.id, record.digest):
            batch.read.append(Read(record, record.modified))
            batch.places[record.id] = place
            if len(batch.read) >= BATCH_SIZE:
                break
    return batch
