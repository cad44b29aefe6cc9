"""How far the sync of each ecosystem is: the state that survives every process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from pymongo.asynchronous.collection import AsyncCollection

from ssc_ingest.vulnerabilities.bookkeeping import Counts
from ssc_ingest.vulnerabilities.mongo import Document, translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass over a dump that has not ended."""

    dump: str
    """The dump's identity; a pass over another one starts at the beginning."""
    position: int
    """Records of the dump that are done with."""
    total: int
    newest: datetime | None = None
    """The latest modification among those that are done with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """A sync that stopped because too many records would have been withdrawn or removed."""

    at: datetime
    withdrawn: int
    vanished: int
    known: int
    """Records that are in force."""

    def __str__(self) -> str:
        leaving = self.withdrawn + self.vanished
        return (
            f"{leaving} of {self.known} records would leave ({self.withdrawn} withdrawn, "
            f"{self.vanished} vanished); nothing was withdrawn or removed"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """The sync of one ecosystem. Moments are aware, in UTC."""

    ecosystem: str
    source: str = ""
    """Address or path of the last sync."""
    synced_at: datetime | None = None
    """When the last complete sync began to read; ``None``: not synced."""
    full_at: datetime | None = None
    """The same of the last one that read all records."""
    cursor: datetime | None = None
    """The newest time of the modified list up to which it was read."""
    etag: str = ""
    """Of the modified list."""
    dump: str = ""
    """Identity of the last dump that was read to its end."""
    under_way: Pass | None = None
    counts: Counts = field(default_factory=Counts)
    missing: tuple[str, ...] = ()
    """Ids that the last list has and that could not be found; they are tried again for a day."""
    error: str = ""
    """Why the last sync failed; empty if it did not."""
    failed_at: datetime | None = None
    brake: Brake | None = None

    @classmethod
    def decode(cls, document: Mapping[str, Any]) -> Self:
        """From MongoDB; absent fields have their defaults."""
        found: dict[str, Any] = {k: v for k, v in document.items() if k in cls.__slots__}
        nested = {"under_way": Pass, "counts": Counts, "brake": Brake}
        for name, kind in nested.items():
            if found.get(name):
                found[name] = kind(**found[name])
        found["missing"] = tuple(found.get("missing", ()))
        return cls(ecosystem=str(document["_id"]), **found)


class SyncStates:
    """The states of all ecosystems, by the names that this program has for them."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def get(self, ecosystem: str) -> SyncState:
        """The state; the initial one if there was no sync.

        Raises:
            StoreUnavailable: the server does not respond; so do all methods.
        """
        with translated():
            found = await self._collection.find_one({"_id": ecosystem})
        return SyncState.decode(found or {"_id": ecosystem})

    async def all(self) -> dict[str, SyncState]:
        """The states of all ecosystems that were synced, or whose sync failed."""
        with translated():
            return {
                str(found["_id"]): SyncState.decode(found)
                async for found in self._collection.find()
            }

    async def set(self, ecosystem: str, **fields: Any) -> None:
        """Set fields, as MongoDB stores them; ``None`` removes one."""
        change: Document = {}
        if given := {k: v for k, v in fields.items() if v is not None}:
            change["$set"] = given
        if absent := {k: "" for k, v in fields.items() if v is None}:
            change["$unset"] = absent
        with translated():
            await self._collection.update_one({"_id": ecosystem}, change, upsert=True)
