"""One transaction that writes many packages.

The order of its steps prevents deadlocks. The transaction first write-locks every package node that
it will touch, by label and then by purl: the packages that it writes, those that they require, and
those whose versions get or lose an edge. Data that is read afterwards can no longer change, so
serial numbers and differences are correct. Versions are written only under their package's lock.
"""

import asyncio
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from neo4j import AsyncTransaction, Record, ResultSummary

from ssc_ingest.errors import GraphRefused, IngestError, ParentNotFound, ParentRefused
from ssc_ingest.graph import rows, statements
from ssc_ingest.graph.changes import (
    Attribute,
    Change,
    NameImports,
    Reading,
    Row,
    Write,
    WriteOutcome,
)
from ssc_ingest.graph.diff import Plan, StoredEdge, compare_edges, plan
from ssc_ingest.graph.properties import REQUIREMENT, VERSION
from ssc_ingest.graph.values import naive_utc

Outcomes = dict[Change, WriteOutcome | IngestError]

ROWS_PER_PACKAGE = 50_000
"""Maximum new nodes and edges of one package in a transaction (about 50 MB of the server's memory).

A package with more is written by several transactions, and counts as unread until the last one.
"""

ANY_MANAGER = "ANY"
"""The manager of a requirement file with packages of all ecosystems."""

_LARGE = 2_000
"""Number of rows (about 10 ms) from which a package is compared in a thread."""


def server_seconds(summary: ResultSummary) -> float:
    """Seconds for which the server had a statement."""
    return ((summary.result_available_after or 0) + (summary.result_consumed_after or 0)) / 1000


class TransactionRestart(Exception):
    """The transaction has found a fact that it needed before it took its locks."""


@dataclass(slots=True)
class Batch:
    """The changes of one transaction, each package once, over all attempts to commit."""

    changes: list[Change]
    refused: Outcomes = field(default_factory=dict)
    """Changes that were rejected and are not written."""
    also_lock: set[tuple[str, str]] = field(default_factory=set)
    """Label and purl of packages that lose an edge, as found by earlier attempts."""
    in_doubt: Outcomes = field(default_factory=dict)
    """The outcomes of an attempt whose commit may or may not have happened."""

    def refuse(self, change: Change, error: IngestError) -> None:
        """Reject a change."""
        self.changes.remove(change)
        self.refused[change] = error


class Attempt:
    """One attempt to send a batch, without the begin and the commit."""

    def __init__(self, batch: Batch, transaction: AsyncTransaction) -> None:
        self._batch = batch
        self._transaction = transaction
        self._statements = 0
        self.server_time = 0.0
        """Seconds for which the server worked on the statements under the locks.

        The wait for the locks of other transactions does not count: smaller transactions would only
        wait more often.
        """
        self._owners: dict[str, tuple[str, str] | None] = {}
        self._managers: dict[str, str | None] = {}
        self._states: dict[str, Record] = {}
        self._plans: dict[Write, Plan] = {}
        self._written: dict[Change, list[Row]] = {}
        self._vanished: dict[Change, list[StoredEdge]] = {}
        self._spellings: dict[tuple[str, str], str] = {}
        """Own names, by label and purl, of packages whose lower-case name belongs to another
        one."""

    async def run(self) -> Outcomes:
        """Send the statements.

        Raises:
            TransactionRestart: roll back and try again; every restart adds a fact.
        """
        await self._find_parents()
        await self._find_existing()
        locks = self._locks()
        await self._lock(locks)
        self.server_time = 0.0
        await self._plan()
        await self._compare_requirements(locks)
        await self._settle_names(locks)
        await self._write_packages()
        await self._name_imports()
        await self._write_tables()
        await self._write_versions()
        await self._write_requirements()
        await self._attach_parents()
        return self._batch.refused | {c: self._outcome(c) for c in self._batch.changes}

    # Before the locks ---------------------------------------------------------------------

    async def _find_parents(self) -> None:
        """Read the start nodes of the callers' edges; the owner of a version never changes."""
        ids = {edge.parent_id for change in self._batch.changes for edge in change.edges}
        for record in await self._send(statements.FIND_PARENTS, ids=sorted(ids)) if ids else ():
            if record["label"] == "RequirementFile":
                self._owners[record["id"]] = None
                self._managers[record["id"]] = record["manager"]
            elif record["label"] == "Version" and record["owner_purl"]:
                self._owners[record["id"]] = (record["owner_label"], record["owner_purl"])
        for change in tuple(self._batch.changes):
            problems = (self._problem(change, edge.parent_id) for edge in change.edges)
            if error := next(filter(None, problems), None):
                self._batch.refuse(change, error)

    def _problem(self, change: Change, parent_id: str) -> IngestError | None:
        """The reason why a parent may not require a package of another ecosystem."""
        if parent_id not in self._owners:
            return ParentNotFound(parent_id)
        if owner := self._owners[parent_id]:
            label, purl = owner
            if label == change.ref.label:
                return None
            return ParentRefused(
                f"{change.ref.purl} is of another ecosystem than {purl}, a version of which is "
                f"the parent {parent_id}: name a parent of its own ecosystem, or none"
            )
        manager = self._managers[parent_id] or ANY_MANAGER
        if manager == ANY_MANAGER or f"{manager}Package".lower() == change.ref.label.lower():
            return None
        return ParentRefused(
            f"{change.ref.purl} is of another ecosystem than the requirement file {parent_id}, "
            f"whose manager is {manager}: name a file of its own ecosystem, or one for "
            f"{ANY_MANAGER}"
        )

    async def _find_existing(self) -> None:
        """Reject changes of packages that were never read (locking would create them)."""
        candidates = [change for change in self._batch.changes if not isinstance(change, Write)]
        for label, changes in rows.by_label(candidates):
            statement = statements.for_label(statements.FIND_PACKAGES, label)
            records = await self._send(statement, purls=[change.ref.purl for change in changes])
            present = {record["purl"] for record in records if record["is_read"]}
            for change in changes:
                if change.ref.purl not in present:
                    reason = f"{change.ref.purl} has not been read into the graph yet"
                    self._batch.refuse(change, GraphRefused(reason))

    def _locks(self) -> rows.Locks:
        owners = {owner for owner in self._owners.values() if owner}
        return rows.locks(self._batch.changes, owners | self._batch.also_lock)

    async def _lock(self, locks: rows.Locks) -> None:
        for label, lock_rows in rows.lock_rows(locks):
            statement = statements.for_label(statements.LOCK_PACKAGES, label)
            for record in await self._send(statement, rows=lock_rows):
                self._states[record["purl"]] = record

    # Under the locks: compare ---------------------------------------------------------------

    async def _plan(self) -> None:
        fresh = [c for c in self._batch.changes if isinstance(c, Write) and not self._is_stale(c)]
        stored: dict[str, list[list[Any]]] = {}
        known = [change for change in fresh if self._states[change.ref.purl]["versions"]]
        for label, changes in rows.by_label(known):
            statement = statements.for_label(statements.READ_VERSIONS, label)
            records = await self._send(statement, purls=[change.ref.purl for change in changes])
            stored.update((record["purl"], record["versions"]) for record in records)
        for write in fresh:
            versions = map(VERSION.stored, stored.get(write.ref.purl, ()))
            by_name = {version["name"]: version for version in versions}
            if write.rows > _LARGE:
                self._plans[write] = await asyncio.to_thread(plan, write, by_name, ROWS_PER_PACKAGE)
            else:
                self._plans[write] = plan(write, by_name, ROWS_PER_PACKAGE)
        self._refuse_empty_for_files()

    def _refuse_empty_for_files(self) -> None:
        """Reject a package without versions under a requirement file, which could not be solved."""
        refused = [
            change
            for change in self._batch.changes
            if self._total_versions(change) == 0
            and any(self._owners[edge.parent_id] is None for edge in change.edges)
        ]
        for change in refused:
            reason = f"{change.ref.purl} has no versions that a requirement file could require"
            self._batch.refuse(change, GraphRefused(reason))
        if refused:
            raise TransactionRestart

    async def _compare_requirements(self, locks: rows.Locks) -> None:
        purls = [purl for found in self._plans.values() for purl in found.compare]
        if not purls:
            return
        edges: dict[str, list[StoredEdge]] = {}
        for record in await self._send(statements.READ_REQUIREMENTS, purls=purls):
            edges[record["purl"]] = [
                StoredEdge(e["id"], e["label"], e["purl"], REQUIREMENT.stored(e["values"]))
                for e in record["edges"]
            ]
        for write, found in self._plans.items():
            self._written[write], self._vanished[write] = [], []
            for purl, wanted in found.compare.items():
                written, vanished = compare_edges(purl, wanted, edges.get(purl, ()))
                self._written[write] += written
                self._vanished[write] += vanished
        losing = {(edge.label, edge.purl) for gone in self._vanished.values() for edge in gone}
        if unlocked := losing - locks.keys():
            self._batch.also_lock |= unlocked
            raise TransactionRestart

    async def _settle_names(self, locks: rows.Locks) -> None:
        """Give the lower-case name to one of several packages whose names differ only in case.

        It belongs to the package that is spelled in lower case, otherwise to the first by purl,
        independent of the order of reading. The others keep their own spelling.
        """
        for label, changes in rows.by_label(self._plans):
            holders: dict[str, dict[str, str]] = {}
            for change in changes:
                if rows.claims_name(change):
                    spellings = holders.setdefault(change.ref.name, {})
                    spellings[change.ref.purl] = change.ref.registry_name
            if not holders:
                continue
            statement = statements.for_label(statements.FIND_NAMESAKES, label)
            for record in await self._send(statement, names=sorted(holders)):
                holders[record["name"]].setdefault(record["purl"], record["spelling"])
            for name, spellings in holders.items():
                owner = min((text != name, purl) for purl, text in spellings.items())[1]
                self._spellings |= {
                    (label, purl): spelling for purl, spelling in spellings.items() if purl != owner
                }
        if unlocked := self._spellings.keys() - locks.keys():
            self._batch.also_lock |= unlocked
            raise TransactionRestart

    # Under the locks: write -----------------------------------------------------------------

    async def _write_packages(self) -> None:
        updates = [
            change
            for change in self._batch.changes
            if isinstance(change, Reading) and not self._is_stale(change) and self._is_last(change)
        ]
        for label, changes in rows.by_label(updates):
            statement = statements.for_label(statements.UPDATE_PACKAGES, label)
            found: dict[str, Row] = {
                change.ref.purl: rows.package_row(
                    change,
                    self._states[change.ref.purl]["gone_since"],
                    self._plans[change].without_facts if isinstance(change, Write) else 0,
                    has_names=self._states[change.ref.purl]["has_names"],
                )
                for change in changes
            }
            for (of, purl), spelling in self._spellings.items():
                if of == label:
                    row = found.setdefault(purl, {"purl": purl, "properties": {}})
                    row["properties"]["name"] = spelling
            await self._send(statement, rows=list(found.values()))

    async def _name_imports(self) -> None:
        named = [change for change in self._batch.changes if isinstance(change, NameImports)]
        for label, changes in rows.by_label(named):
            statement = statements.for_label(statements.NAME_IMPORTS, label)
            await self._send(statement, rows=[rows.names_row(change) for change in changes])

    async def _write_tables(self) -> None:
        """Create the tables of new and changed versions, as far as they are missing.

        Only what is missing costs a lock: mostly nothing.
        """
        tables: dict[str, str] = {}
        for write, found in self._plans.items():
            if write.tables:
                changed = (row["properties"] for row in found.changed_versions)
                for row in chain(found.new_versions, changed):
                    keys = (row.get(name) for name in VERSION.tables)
                    tables.update((key, write.tables[key]) for key in keys if key)
        if not tables:
            return
        for record in await self._send(statements.FIND_TABLES, digests=sorted(tables)):
            del tables[record["digest"]]
        for chunk in rows.table_chunks(tables):
            await self._send(statements.CREATE_TABLES, rows=chunk)

    async def _write_versions(self) -> None:
        for label, changes in rows.by_label(self._plans):
            statement = statements.for_label(statements.CREATE_VERSIONS, label)
            new = [(change.ref.purl, self._plans[change].new_versions) for change in changes]
            for chunk in rows.version_chunks(new):
                await self._send(statement, **rows.version_parameters(chunk))
        changed = [row for found in self._plans.values() for row in found.changed_versions]
        for change in self._batch.changes:
            if isinstance(change, Attribute):
                changed += [
                    {"purl": purl, "properties": row} for purl, row in change.versions.items()
                ]
        for some in rows.chunks(changed):
            await self._send(statements.UPDATE_VERSIONS, rows=some)

    async def _write_requirements(self) -> None:
        for label, changes in rows.by_label(self._written):
            statement = statements.for_label(statements.WRITE_REQUIREMENTS, label)
            for chunk in rows.chunks([row for c in changes for row in self._written[c]]):
                await self._send(statement, rows=chunk)
        gone = [edge.id for edges in self._vanished.values() for edge in edges]
        for ids in rows.chunks(gone):
            await self._send(statements.DELETE_REQUIREMENTS, ids=ids)

    async def _attach_parents(self) -> None:
        edges: dict[tuple[str, str], Row] = {}
        for change in filter(self._is_last, self._batch.changes):
            package = self._states[change.ref.purl]["id"]
            for edge in change.edges:
                owner = self._owners[edge.parent_id]
                edges[edge.parent_id, package] = {
                    "parent": edge.parent_id,
                    "package": package,
                    "constraints": edge.constraints,
                    "owner": owner[1] if owner else None,
                }
        if not edges:
            return
        parent_rows = [edges[key] for key in sorted(edges)]
        (record,) = await self._send(statements.ATTACH_PARENTS, rows=parent_rows)
        if record["attached"] != len(parent_rows):
            raise TransactionRestart  # a parent was deleted in the meantime

    # Helpers ------------------------------------------------------------------------------

    async def _send(self, statement: str, **parameters: Any) -> list[Record]:
        self._statements += 1
        try:
            result = await self._transaction.run(statement, rows.batch(parameters))
        except (TypeError, ValueError, OverflowError) as error:
            raise GraphRefused(f"these rows cannot be sent: {error}") from error
        records = [record async for record in result]
        self.server_time += server_seconds(await result.consume())
        return records

    def _is_stale(self, change: Reading) -> bool:
        moment = self._states[change.ref.purl]["moment"]
        return moment is not None and moment.to_native() >= naive_utc(change.fetched_at)

    def _is_last(self, change: Change) -> bool:
        """Whether this is the only or last transaction of the change."""
        return not (
            isinstance(change, Write)
            and change in self._plans
            and not self._plans[change].is_complete
        )

    def _total_versions(self, change: Change) -> int:
        if isinstance(change, Write) and change in self._plans:
            return self._plans[change].total_versions
        return int(self._states[change.ref.purl]["versions"])

    def _outcome(self, change: Change) -> WriteOutcome | IngestError:
        stale = isinstance(change, Reading) and self._is_stale(change)
        if stale and change in self._batch.in_doubt:
            return self._batch.in_doubt[change]  # the commit did happen
        new = self._plans[change].new_versions if isinstance(change, Write) and not stale else []
        written = self._written.get(change, ())
        return WriteOutcome(
            is_complete=self._is_last(change),
            stale=stale,
            created=isinstance(change, Write) and self._states[change.ref.purl]["moment"] is None,
            new_versions=len(new),
            total_versions=self._total_versions(change),
            requirements_written=sum(len(row["requirements"]) for row in new) + len(written),
            requirements_removed=len(self._vanished.get(change, ())),
            parents_attached=len({edge.parent_id for edge in change.edges}),
            statements=self._statements,
            packages=len(self._batch.changes),
        )
