"""The collection of advisories for readers: one document per advisory, in OSV's format.

Only OSV's fields are written. ``exploits`` and ``affected_artefacts``, which other services write,
stay unchanged. CWE ids are added to ``cwes``, never removed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from ssc_ingest.vulnerabilities.mongo import Document, translated
from ssc_ingest.vulnerabilities.records import FIELDS, Record

DUPLICATE_KEY = 11000

Refused = Mapping[str, str]
"""The reasons for refused records, by id."""


class Documents:
    """The collection of advisories."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def write(self, records: Sequence[Record]) -> Refused:
        """Store records; safe to repeat.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        if not records:
            return {}
        with translated():
            # Insertions are several times cheaper than updates, and most records are new.
            refused = await self._bulk([InsertOne(_new(record)) for record in records], records)
            known = [
                record for record in records if refused.get(record.id, (0, ""))[0] == DUPLICATE_KEY
            ]
            if known:
                updates = [UpdateOne({"id": r.id}, _refresh(r), upsert=True) for r in known]
                refused = {
                    record_id: problem
                    for record_id, problem in refused.items()
                    if problem[0] != DUPLICATE_KEY
                } | await self._bulk(updates, known)
        return {record_id: reason for record_id, (_, reason) in refused.items()}

    async def get(self, record_id: str) -> Document | None:
        """The document with an id, without MongoDB's ``_id``.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        with translated():
            return await self._collection.find_one({"id": record_id}, {"_id": False})

    async def weaknesses(self) -> AsyncIterator[tuple[str, list[str]]]:
        """Every advisory with CWEs, and its CWEs.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        with translated():
            fields = {"_id": 0, "id": 1, "cwes": 1}
            async for row in self._collection.find({"cwes": {"$gt": ""}}, fields):
                yield str(row["id"]), [str(cwe) for cwe in row["cwes"]]

    async def remove(self, ids: Sequence[str]) -> int:
        """Remove documents; returns their number.

        Raises:
            StoreUnavailable: the server does not respond.
        """
        with translated():
            answer = await self._collection.delete_many({"id": {"$in": list(ids)}})
            return answer.deleted_count

    async def _bulk(
        self, requests: Sequence[Any], records: Sequence[Record]
    ) -> dict[str, tuple[int, str]]:
        """Send all operations; returns the refused ones by id, with the server's code and text."""
        try:
            await self._collection.bulk_write(requests, ordered=False)
        except BulkWriteError as error:
            problems = (error.details or {}).get("writeErrors", [])
            if not problems:
                raise
            return {
                records[problem["index"]].id: (problem["code"], str(problem["errmsg"])[:300])
                for problem in problems
            }
        return {}


def _new(record: Record) -> Document:
    # Both arrays always exist: without one, the readers' $lookup joins documents without an id.
    return {**record.document, "cwes": [*record.cwes], "exploits": []}


def _refresh(record: Record) -> list[Document]:
    """A pipeline with which the server reads and writes ``cwes`` in one step."""
    fields: Document = {name: {"$literal": value} for name, value in record.document.items()}
    cwes = _array("$cwes")
    fields["cwes"] = {"$concatArrays": [cwes, {"$setDifference": [[*record.cwes], cwes]}]}
    fields["exploits"] = _array("$exploits")
    absent = [name for name in FIELDS if name not in record.document]
    return [{"$set": fields}, *([{"$unset": absent}] if absent else [])]


def _array(field: str) -> Document:
    return {"$cond": [{"$isArray": field}, field, []]}
