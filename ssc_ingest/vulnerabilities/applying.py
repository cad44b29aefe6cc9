"""Stores records batch by batch, with the brake on withdrawals and removals.

The order protects readers: first the record's document is written, then its packages are added to
the outbox, then its row is written. Withdrawals and removals wait for the end of the sync, when
their number is known.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ssc_ingest.ecosystems.concurrency import in_thread
from ssc_ingest.logs import get_logger
from ssc_ingest.models import now
from ssc_ingest.vulnerabilities.bookkeeping import Changes, Row
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.records import Record
from ssc_ingest.vulnerabilities.store import VulnerabilityStore

BATCH_SIZE = 500
"""Records per batch."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """A readable record, and its time in the modified list."""

    record: Record
    listed: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An unreadable record."""

    id: str
    reason: str
    listed: str = ""


@dataclass(slots=True, kw_only=True)
class Applied:
    """The results of a sync so far."""

    examined: int = 0
    """Records that were compared."""
    new: int = 0
    updated: int = 0
    withdrawn: int = 0
    """Records that were in force before the sync."""
    vanished: int = 0
    unreadable: int = 0
    packages: int = 0
    """Packages with changed advisories; a package counts once per batch."""


@dataclass(slots=True)
class Leaving:
    """Counts of withdrawals and removals, and how to read deferred records again."""

    known: int
    """Number of records in force."""
    limit: int
    """The brake stops the sync above this number."""
    held: dict[str, Callable[[], Read]] = field(default_factory=dict)
    withdrawn: int = 0
    vanished: int = 0

    @property
    def too_many(self) -> bool:
        """Whether the brake must stop the sync."""
        return self.withdrawn + self.vanished > self.limit

    def hold(self, record_id: str, read: Callable[[], Read]) -> None:
        """Defer a withdrawal; above the limit, withdrawals are only counted."""
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
            unreadable: records with unreadable content.
            leaving: collects the withdrawals; ``None`` applies them at once.
            again: reads a deferred record once more.

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
        """Apply the deferred withdrawals."""
        held = list(leaving.held.values())
        for start in range(0, len(held), BATCH_SIZE):
            batch = held[start : start + BATCH_SIZE]
            await self.apply(await in_thread(_read_all, batch))

    async def apply_vanished(self, ids: Iterable[str]) -> None:
        """Note that these records are no longer in the folder.

        A record in another folder stays. A document that is in no folder stays until no version has
        its id; see :mod:`.removal`.
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
        """Keep the known data of a record that is now unreadable."""
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
