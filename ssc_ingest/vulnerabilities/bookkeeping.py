"""The program's own data about each record.

A separate collection has one row per record: its folders, packages, class, group, and the digest of
its content. A row is written after its document, so each row has a document.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

import pymongo
from pymongo import ASCENDING, DeleteOne, IndexModel, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection

from ssc_ingest.vulnerabilities.groups import Group, Member, assign
from ssc_ingest.vulnerabilities.mongo import Document, translated
from ssc_ingest.vulnerabilities.records import Kind, Record

SCAN_SIZE = 5000
"""Rows per response of a scan."""

WHOLE_FOLDER_TIMEOUT = 600.0
"""Seconds for one step of reading all records of a folder, instead of
``DB_DEFAULT_QUERY_TIMEOUT_MS``: the embedded server reads all 500,000 before it returns the first.
"""

MAX_CLOSURE = 50_000
"""Maximum number of ids read to find the groups of one batch."""


_IN_FORCE = ("packages", "kind", "group", "group_score", "digest", "withdrawn", "vanished")
"""The fields of a row that an attribution needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The program's data about one record."""

    id: str
    digest: str = ""
    """Digest of its content."""
    sources: frozenset[str] = frozenset()
    """The folders with the record: OSV's names of ecosystems."""
    packages: tuple[str, ...] = ()
    """Keys of its packages; see :func:`.records.package_key`."""
    elsewhere: int = 0
    """Number of ``affected`` entries of other registries."""
    aliases: tuple[str, ...] = ()
    kind: Kind = Kind.VULNERABILITY
    withdrawn: bool = False
    vanished: datetime | None = None
    """When a sync found it in no folder any more; see :mod:`.removal`."""
    score: float | None = None
    """Its own CVSS 3 base score."""
    group: str = ""
    """The smallest id of the records of the flaw."""
    group_score: float | None = None
    """The highest score of the records of the flaw."""
    listed: str = ""
    """The time of this content in the modified list."""
    problems: tuple[str, ...] = ()
    """Parts that are unreadable or cannot be evaluated."""
    unreadable: str = ""
    """Why its present content is unreadable; the other fields are of the last readable content."""

    @property
    def counts(self) -> bool:
        """Whether it is in force."""
        return bool(self.digest) and not (self.withdrawn or self.vanished)

    @property
    def member(self) -> Member:
        """The record as a member of a group."""
        return Member(self.aliases, self.score, self.counts)

    @classmethod
    def decode(cls, document: Mapping[str, Any]) -> Self:
        """A row from MongoDB; absent fields have their defaults."""
        found: dict[str, Any] = {k: v for k, v in document.items() if k in cls.__slots__}
        for name in ("packages", "aliases", "problems"):
            found[name] = tuple(found.get(name, ()))
        found["sources"] = frozenset(found.get("sources", ()))
        found["kind"] = Kind(found.get("kind", Kind.VULNERABILITY))
        return cls(id=str(document["_id"]), **found)

    def encode(self) -> Document:
        """The row for MongoDB, without fields with default values."""
        fields: Document = {"_id": self.id}
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "kind":
                value = str(value)
            if name != "id" and value not in ((), "", None, False, 0, frozenset()):
                fields[name] = sorted(value) if isinstance(value, frozenset) else value
        if self.score is not None:
            fields["score"] = self.score  # 0.0 is a score
        if self.group_score is not None:
            fields["group_score"] = self.group_score
        return fields | {"packages": list(self.packages), "aliases": list(self.aliases)}

    def updated(self, record: Record, *, source: str, listed: str) -> "Row":
        """The row with the content of a record in ``source``."""
        return replace(
            self,
            digest=record.digest,
            sources=self.sources | {source},
            packages=record.packages,
            elsewhere=record.elsewhere,
            aliases=record.aliases,
            kind=record.kind,
            withdrawn=record.withdrawn,
            vanished=None,
            score=record.score,
            listed=listed,
            problems=record.problems,
            unreadable="",
        )


@dataclass(slots=True)
class Changes:
    """Rows to write, and the packages to attribute because of them."""

    rows: dict[str, Row] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    contents: bool = False
    """Whether the content of a record has changed, not only its folders."""

    def put(self, row: Row, before: Row | None = None) -> None:
        """Add a row, and its present and former packages."""
        self.contents = True
        self.rows[row.id] = row
        self.packages.update(row.packages, before.packages if before else ())


class Bookkeeping:
    """The collection of rows."""

    def __init__(self, collection: AsyncCollection[Document], documents: str) -> None:
        """``documents``: the name of the collection of advisories."""
        self._collection = collection
        self._documents = documents

    async def ensure_indexes(self) -> None:
        """Create the indexes (repeatable)."""
        await self._collection.create_indexes(
            [
                IndexModel([("packages", ASCENDING)]),
                IndexModel([("aliases", ASCENDING)]),
                IndexModel([("sources", ASCENDING)]),
                IndexModel([("vanished", ASCENDING)], sparse=True),
                IndexModel([("problems", ASCENDING)], sparse=True),
                IndexModel([("unreadable", ASCENDING)], sparse=True),
            ]
        )

    # Reading ------------------------------------------------------------------------------

    async def rows(self, ids: Iterable[str]) -> dict[str, Row]:
        """The existing rows of these records.

        Raises:
            StoreUnavailable: the server does not respond; so do all methods.
        """
        return {row.id: row async for row in self._find({"_id": {"$in": list(ids)}})}

    async def naming(self, packages: Iterable[str]) -> list[tuple[Row, list[Document]]]:
        """The rows in force for these packages, each with its record's ``affected``; one query.

        Packages are given by their keys. The rows have only the fields that an attribution needs. A
        row whose document is missing is omitted.
        """
        stages: list[Document] = [
            {"$match": {"packages": {"$in": list(packages)}}},
            {
                "$lookup": {
                    "from": self._documents,
                    "localField": "_id",
                    "foreignField": "id",
                    "as": "documents",
                }
            },
            {"$project": {**dict.fromkeys(_IN_FORCE, True), "documents.affected": True}},
        ]
        found = []
        with translated():
            async for each in await self._collection.aggregate(stages):
                row = Row.decode(each)
                if row.counts and each["documents"]:
                    found.append((row, each["documents"][0].get("affected") or []))
        return found

    async def vanished(self, before: datetime, most: int) -> list[Row]:
        """Some rows of records that vanished before a time."""
        return [row async for row in self._find({"vanished": {"$lt": before}}, limit=most)]

    async def with_problems(self, most: int) -> list[Row]:
        """Some rows of records that are unreadable or cannot be evaluated, fully or partly."""
        found = [row async for row in self._find({"unreadable": {"$gt": ""}}, limit=most)]
        rest = most - len(found)
        if rest > 0:
            found += [row async for row in self._find({"problems": {"$gt": ""}}, limit=rest)]
        return list({row.id: row for row in found}.values())

    async def scan(self, source: str) -> AsyncIterator[tuple[str, str]]:
        """The id and digest of every record in ``source``."""
        fields = {"digest": True}
        cursor = self._collection.find({"sources": source}, fields, batch_size=SCAN_SIZE)
        try:
            while True:
                with translated(), pymongo.timeout(WHOLE_FOLDER_TIMEOUT):
                    rows = await cursor.to_list(SCAN_SIZE)
                if not rows:
                    return
                for row in rows:
                    yield str(row["_id"]), str(row.get("digest", ""))
        finally:
            await cursor.close()

    async def count(self, source: str) -> "Counts":
        """Count the records of one folder by their properties."""
        counts = Counts()
        with translated(), pymongo.timeout(WHOLE_FOLDER_TIMEOUT):
            stages: list[Document] = [
                {"$match": {"sources": source}},
                {
                    "$group": {
                        "_id": {
                            "kind": "$kind",
                            "withdrawn": "$withdrawn",
                            "unreadable": {"$gt": ["$unreadable", ""]},
                            "problem": {"$gt": [{"$size": {"$ifNull": ["$problems", []]}}, 0]},
                            "scored": {"$gt": ["$group_score", -1.0]},
                            "elsewhere": {"$gt": ["$elsewhere", 0]},
                        },
                        "records": {"$sum": 1},
                    }
                },
            ]
            async for found in await self._collection.aggregate(stages):
                counts.add(found["_id"], int(found["records"]))
        return counts

    async def _find(self, wanted: Document, limit: int = 0) -> AsyncIterator[Row]:
        with translated():
            async for document in self._collection.find(wanted, limit=limit):
                yield Row.decode(document)

    # Writing ------------------------------------------------------------------------------

    async def regroup(self, changes: Changes, before: Mapping[str, Row]) -> None:
        """Update the groups after changes of rows.

        Rows of other records with a changed group are added to the changes, because the means of
        their packages change, too.
        """
        known: dict[str, Row] = dict(changes.rows)
        looked_at: set[str] = set()
        frontier = set(known)
        for row in (*changes.rows.values(), *before.values()):
            frontier.update(row.aliases)
        while (frontier := frontier - looked_at) and len(looked_at) < MAX_CLOSURE:
            looked_at |= frontier
            unknown = frontier - known.keys()
            fetched = [
                *(await self.rows(unknown) if unknown else {}).values(),
                *[row async for row in self._find({"aliases": {"$in": list(frontier)}})],
            ]
            frontier = set()
            for row in fetched:
                if row.id not in known:
                    known[row.id] = row
                    frontier |= {row.id, *row.member.edges}
        groups = assign({row.id: row.member for row in known.values()})
        for row_id, group in groups.items():
            row = known[row_id]
            if Group(row.group, row.group_score) != group:
                changes.put(replace(row, group=group.name, group_score=group.score))

    async def write(self, rows: Iterable[Row]) -> None:
        """Store rows."""
        requests = [ReplaceOne({"_id": row.id}, row.encode(), upsert=True) for row in rows]
        if requests:
            with translated():
                await self._collection.bulk_write(requests, ordered=False)

    async def add(self, rows: Sequence[Row]) -> None:
        """Store new rows."""
        if rows:
            with translated():
                await self._collection.insert_many([row.encode() for row in rows], ordered=False)

    async def remove(self, ids: Iterable[str]) -> None:
        """Remove the rows of vanished records."""
        requests = [DeleteOne({"_id": row_id, "vanished": {"$ne": None}}) for row_id in ids]
        if requests:
            with translated():
                await self._collection.bulk_write(requests, ordered=False)


@dataclass(slots=True)
class Counts:
    """Numbers of an ecosystem's records in force; ``records`` and ``unreadable`` are of all."""

    records: int = 0
    vulnerabilities: int = 0
    malware: int = 0
    notices: int = 0
    withdrawn: int = 0
    unscored: int = 0
    """Vulnerabilities without a CVSS 3 score."""
    unreadable: int = 0
    """Records with unreadable content; their last readable content stays in force."""
    partly_read: int = 0
    """Records with a part that is unreadable or cannot be evaluated."""
    elsewhere: int = 0
    """Records that also have packages of other registries, which are not evaluated."""

    def add(self, found: Mapping[str, Any], records: int) -> None:
        """Count records with these properties."""
        self.records += records
        self.unreadable += records * bool(found.get("unreadable"))
        if found.get("withdrawn"):
            self.withdrawn += records
            return
        match found.get("kind", Kind.VULNERABILITY):
            case Kind.MALWARE:
                self.malware += records
            case Kind.NOTICE:
                self.notices += records
            case _:
                self.vulnerabilities += records
                self.unscored += records * (not found.get("scored"))
        self.partly_read += records * bool(found.get("problem"))
        self.elsewhere += records * bool(found.get("elsewhere"))
