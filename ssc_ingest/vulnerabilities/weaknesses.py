"""The collection of CWEs, to which other services may also write.

Readers follow ``cvelist`` from a weakness to its advisories. A new document's id is added to it,
and a removed document's id is removed. Other data of other services stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from ssc_ingest.vulnerabilities.mongo import Document, translated

BATCH_SIZE = 500


class Weaknesses:
    """The collection ``cwes``."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def write(self, catalogue: Sequence[Mapping[str, Any]]) -> None:
        """Store weaknesses; existing ones keep fields that the catalogue lacks.

        Raises:
            StoreUnavailable: the server does not respond; so do all methods.
        """
        for start in range(0, len(catalogue), BATCH_SIZE):
            requests = [
                UpdateOne({"id": each["id"]}, [_refresh(each)], upsert=True)
                for each in catalogue[start : start + BATCH_SIZE]
            ]
            with translated():
                await self._collection.bulk_write(requests, ordered=False)

    async def refer(self, advisories: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Add advisories to the existing CWEs that they refer to."""
        named: dict[str, list[str]] = {}
        for advisory, cwes in advisories:
            for cwe in cwes:
                named.setdefault(cwe, []).append(advisory)
        requests = [
            UpdateOne({"id": cwe}, [{"$set": {"cvelist": _union("$cvelist", ids)}}])
            for cwe, ids in named.items()
        ]
        if requests:
            with translated():
                await self._collection.bulk_write(requests, ordered=False)

    async def forget(self, advisories: Sequence[str]) -> None:
        """Remove the ids of removed advisories."""
        ids = list(advisories)
        with translated():
            await self._collection.update_many(
                {"cvelist": {"$in": ids}}, {"$pull": {"cvelist": {"$in": ids}}}
            )


def _refresh(weakness: Mapping[str, Any]) -> Document:
    fields: Document = {name: {"$literal": value} for name, value in weakness.items()}
    return {"$set": fields | {"cvelist": _union("$cvelist", [])}}


def _union(field: str, ids: Sequence[str]) -> Document:
    """The list with added values; a missing list counts as empty."""
    known = {"$cond": [{"$isArray": field}, field, []]}
    return {"$concatArrays": [known, {"$setDifference": [{"$literal": [*ids]}, known]}]}
