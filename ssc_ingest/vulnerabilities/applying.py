"""Storing records batch by batch, with the brake on what leaves.

The order protects readers: a record's document is written first, then its packages are noted in
the outbox, then its row. Withdrawals and removals are held back to the end of the sync, when it is
known how many there are.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from ssc_ingest.ecosystems.concurrency import in_thread
from ssc_ingest.models import now
from ssc_ingest.vulnerabilities.bookkeeping import Changes, Row
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.records import Record
from ssc_ingest.vulnerabilities.store import VulnerabilityStore

BATCH_SIZE = 500
"""Records that are stored at a time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """A record that was read, and the time that the modified list has for it."""

    record: Record
    listed: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read."""

    id: str
    reason: str
    listed: str = ""


@dataclass(slots=True, kw_only=True)
class Applied:
    """What a sync has done so far."""

    examined: int = 0
    """Records that were compared."""
    new: int = 0
    updated: int = 0
    withdrawn: int = 0
    """Records that were in force before."""
    vanished: int = 0
    unreadable: int = 0
    packages: int = 0
    """Packages whose advisories have changed, those of each batch counted."""


@dataclass(slots=True)
class Leaving:
    """Records that are to leave, held back: how to read each again, and how many there are."""

    known: int
    """Records that are in force."""
    limit: int
    """More than this stop the sync."""
    held: dict[str, Callable[[], Read]] = field(default_factory=dict)
    withdrawn: int = 0
    vanished: int = 0

    @property
    def too_many(self) -> bool:
        """Whether the sync must stop."""
        return self.withdrawn + self.vanished > self.limit

    def hold(self, record_id: str, read: Callable[[], Read]) -> None:
        """Hold a withdrawal back; beyond the limit they are only counted."""
        if record_id not in self.held:
            self.withdrawn += 1
            if not self.too_many:
                self.held[record_id] = read


class Applier:
    """Stores the records of one folder of the source.

    Args:
        store: MongoDB.
        changed: the outbox.
        source: the folder, OSV's name of an ecosystem.
    """

    def __init__(self, store: VulnerabilityStore, changed: ChangedPackages, source: str) -> None:
        self._documents = store.documents
        self._bookkeeping = store.bookkeeping
        self._weaknesses = store.weaknesses
        self._changed = changed
        self._source = source
        self.applied = Applied()

    async def apply(
        self,
        read: Sequence[Read],
        unreadable: Sequence[Unreadable] = (),
        *,
        leaving: Leaving | None = None,
        again: Callable[[Read], Callable[[], Read]] = lambda read: lambda: read,
    ) -> None:
        """Store records that may have changed.

        Args:
            read: the records.
            unreadable: records whose content cannot be read.
            leaving: where withdrawals are held back; ``None`` applies them.
            again: how to read a record that is held back once more.

        Raises:
            StoreUnavailable: MongoDB does not respond.
        """
        ids = {each.record.id for each in read} | {each.id for each in unreadable}
        before = await self._bookkeeping.rows(ids)
        changes = Changes()
        stored: list[Read] = []
        for each in read:
            row, record = before.get(each.record.id), each.record
            if row and row.digest == record.digest and not row.vanished:
                changes.rows[row.id] = replace(
                    row, sources=row.sources | {self._source}, listed=each.listed, unreadable=""
                )
            elif leaving and record.withdrawn and row and row.counts:
                leaving.hold(record.id, again(each))
            else:
                stored.append(each)
        refused = await self._documents.write([each.record for each in stored])
        await self._weaknesses.refer((each.record.id, each.record.cwes) for each in stored)
        failed = [Unreadable(i, f"MongoDB refuses it: {why}") for i, why in refused.items()]
        for each in stored:
            if each.record.id not in refused:
                row = before.get(each.record.id)
                self._count(each.record, row)
                fresh = (row or Row(id=each.record.id)).updated(
                    each.record, source=self._source, listed=each.listed
                )
                changes.put(fresh, row)
        for problem in (*unreadable, *failed):
            self._note(problem, before.get(problem.id), changes)
        await self._store(changes, before, ids)

    async def apply_leaving(self, leaving: Leaving) -> None:
        """Apply the withdrawals that were held back."""
        held = list(leaving.held.values())
        for start in range(0, len(held), BATCH_SIZE):
            batch = held[start : start + BATCH_SIZE]
            await self.apply(await in_thread(_read_all, batch))

    async def apply_vanished(self, ids: Iterable[str]) -> None:
        """Note that the folder does not have these records any more.

        A record that another folder has stays. The document of one that nobody has stays until no
        version has its id; see :mod:`.removal`.
        """
        before = await self._bookkeeping.rows(ids)
        changes = Changes()
        for row in before.values():
            sources = row.sources - {self._source}
            gone = replace(row, sources=sources, vanished=None if sources else now())
            if sources:
                changes.rows[row.id] = gone
            else:
                self.applied.vanished += 1
                changes.put(gone)
        await self._store(changes, before, before.keys())

    def _note(self, problem: Unreadable, row: Row | None, changes: Changes) -> None:
        """Keep what is known of a record that cannot be read now."""
        self.applied.unreadable += 1
        row = row or Row(id=problem.id)
        noted = replace(
            row,
            sources=row.sources | {self._source},
            unreadable=problem.reason[:300],
            listed=problem.listed or row.listed,
        )
        if noted != row:
            log.warning("advisory_unreadable", advisory=problem.id, error=problem.reason[:300])
            changes.rows[row.id] = noted

    def _count(self, record: Record, row: Row | None) -> None:
        if row is None or not row.digest:
            self.applied.new += 1
        elif record.withdrawn and row.counts:
            self.applied.withdrawn += 1
        else:
            self.applied.updated += 1

    async def _store(
        self, changes: Changes, before: Mapping[str, Row], looked_up: Collection[str]
    ) -> None:
        if changes.packages or changes.contents:
            await self._bookkeeping.regroup(changes, before)
            self.applied.packages += len(changes.packages)
            await self._changed.add(changes.packages)
        rows = changes.rows.values()
        new = [row for row in rows if row.id in looked_up and row.id not in before]
        ids = {row.id for row in new}
        await self._bookkeeping.add(new)
        await self._bookkeeping.write(row for row in rows if row.id not in ids)


def _read_all(held: Iterable[Callable[[], Read]]) -> list[Read]:
    return [read() for read in held]
