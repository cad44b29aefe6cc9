"""Packages that were never read: one statement writes all of one label, as a transaction.

The statement takes the same locks as a transaction of :mod:`.transaction`, in the same order, and
then looks whether each package is still unread. So a wrong belief costs time alone: what is left
over is written by such a transaction.

A new edge locks the nodes at its ends, except a node with many edges. Such a popular package need
not be locked first, so that writers do not wait for each other on the packages that most others
require. It can no longer lose that property, because its node is never deleted.
"""

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from neo4j import Record

from ssc_ingest.graph import rows
from ssc_ingest.graph.changes import Change, Row, Write, WriteOutcome
from ssc_ingest.graph.diff import plan
from ssc_ingest.graph.statements import CREATE_PACKAGES, for_label
from ssc_ingest.models import Purl

MAX_ROWS = 2_000
"""Rows of a package (about 10 ms) above which it is compared in a thread and written by
:mod:`.transaction`."""

DENSE = 100
"""Requirements by which a package counts as popular. From 50 edges (the server's setting
``db.relationship_grouping_threshold``), a new edge does not lock the node."""

MAX_POPULAR = 5_000
"""Popular packages of one label that are remembered."""


class Popular:
    """The packages that are known to be popular, by label; for one writer."""

    def __init__(self) -> None:
        self._purls: dict[str, dict[str, None]] = {}

    def of(self, label: str) -> Mapping[str, None]:
        """The purls of the popular packages of a label."""
        return self._purls.get(label, {})

    def add(self, label: str, purls: Sequence[str]) -> None:
        """Remember popular packages; the oldest ones are forgotten if there are too many."""
        known = self._purls.setdefault(label, {})
        known.update(dict.fromkeys(purls))
        for purl in list(known)[: max(0, len(known) - MAX_POPULAR)]:
            del known[purl]

    def forget(self, label: str) -> None:
        """The graph lacks one of them, so it is not the graph that it was."""
        self._purls.pop(label, None)


def parameters_for_nothing() -> Row:
    """The parameters of the statement for no packages."""
    return rows.batch({"locks": [], "tables": [], "popular": [], "rows": [], "dense": DENSE})


def is_possible(change: Change) -> TypeGuard[Write]:
    """Whether a change may be written by one statement."""
    return (
        isinstance(change, Write)
        and change.unread
        and not change.edges
        and not rows.claims_name(change)
        and change.rows <= MAX_ROWS
    )


class Creation:
    """Some packages of one label, over all attempts to write them."""

    def __init__(self, label: str, writes: Sequence[Write], popular: Popular) -> None:
        self.label = label
        self.rows = sum(write.rows for write in writes)
        self.in_doubt: dict[Change, WriteOutcome] = {}
        """The outcomes of an attempt that may or may not have been committed."""
        self._popular = popular
        self._writes = writes

    @property
    def statement(self) -> str:
        """The statement."""
        return for_label(CREATE_PACKAGES, self.label)

    def parameters(self) -> Row:
        """The parameters of the statement."""
        popular = self._popular.of(self.label)
        own = {write.ref.purl for write in self._writes}
        locks = rows.locks(self._writes)
        self._locked = [
            row for (_, purl), row in locks.items() if purl in own or purl not in popular
        ]
        self._unlocked = [purl for _, purl in locks if purl not in own and purl in popular]
        order = [*(row["purl"] for row in self._locked), *self._unlocked]
        places = {purl: place for place, purl in enumerate(order)}
        tables: dict[str, str] = {}
        packages: list[Row] = []
        for write in self._writes:
            tables |= write.tables
            packages.append(rows.creation_row(write, plan(write, {}, write.rows), places))
        return rows.batch(
            {
                "locks": self._locked,
                "tables": [{"digest": key, "table": text} for key, text in sorted(tables.items())],
                "popular": self._unlocked,
                "rows": packages,
                "dense": DENSE,
            }
        )

    def committed(self, records: Sequence[Record]) -> dict[Change, WriteOutcome]:
        """The outcomes of the packages that the committed statement has written."""
        if not records:
            if self._unlocked:
                self._popular.forget(self.label)
            return {}
        (record,) = records
        self._popular.add(self.label, [self._locked[n]["purl"] for n in record["popular"]])
        written = {Purl(self._locked[place]["purl"]) for place in record["written"]}
        return self._outcomes([write for write in self._writes if write.ref.purl in written])

    def lost(self) -> None:
        """The answer of an attempt did not arrive."""
        self.in_doubt = self._outcomes(self._writes)

    def _outcomes(self, writes: Sequence[Write]) -> dict[Change, WriteOutcome]:
        return {
            write: WriteOutcome(
                created=True,
                new_versions=len(write.versions),
                total_versions=len(write.versions),
                requirements_written=sum(len(v["requirements"]) for v in write.versions.values()),
                statements=1,
                packages=len(writes),
            )
            for write in writes
        }
