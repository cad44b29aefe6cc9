"""The persistent state of the sync of each ecosystem."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from pymongo.asynchronous.collection import AsyncCollection

from ssc_ingest.vulnerabilities.bookkeeping import Counts
from ssc_ingest.vulnerabilities.mongo import Document, translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """An unfinished pass over a dump."""

    dump: str
    """The dump's identity; a pass over another dump starts at the beginning."""
    position: int
    """Number of processed records of the dump."""
    total: int
    newest: datetime | None = None
    """The latest modification of the processed records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """A sync that the brake stopped, because too many records would be withdrawn or removed."""

    at: datetime
    withdrawn: int
    vanished: int
    known: int
    """Number of records in force."""

    def __str__(self) -> str:
        leaving = self.withdrawn + self.vanished
        return (
            f"{leaving} of {self.known} records would no longer be in force ({self.withdrawn} "
            f"withdrawn, "
            f"{self.vanished} vanished); nothing was withdrawn or removed"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """The state of one ecosystem's sync. Times are aware, in UTC."""

    ecosystem: str
    source: str = ""
    """Address or path of the last sync."""
    synced_at: datetime | None = None
    """The start of the last successful sync; ``None``: not synced."""
    full_at: datetime | None = None
    """The start of the last successful full sync."""
    cursor: datetime | None = None
    """The newest time that was read in the modified list."""
    etag: str = ""
    """The ETag of the modified list."""
    dump: str = ""
    """The identity of the last completely read dump."""
    under_way: Pass | None = None
    counts: Counts = field(default_factory=Counts)
    missing: tuple[str, ...] = ()
    """Ids in the last list without a file; syncs try them again for a day."""
    error: str = ""
    """The error of the last sync; empty if it succeeded."""
    failed_at: datetime | None = None
    brake: Brake | None = None

    @classmethod
    def decode(cls, document: Mapping[str, Any]) -> Self:
        """A state from MongoDB; absent fields have their defaults."""
        found: dict[str, Any] = {k: v for k, v in document.items() if k in cls.__slots__}
        nested = {"under_way": Pass, "counts": Counts, "brake": Brake}
        for name, kind in nested.items():
            if found.get(name):
                found[name] = kind(**found[name])
        found["missing"] = tuple(found.get("missing", ()))
        return cls(ecosystem=str(document["_id"]), **found)


class SyncStates:
    """The states of all ecosystems, by the program's names of ecosystems."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def get(self, ecosystem: str) -> SyncState:
        """The state of an ecosystem; the initial one before the first sync.

        Raises:
            StoreUnavailable: the server does not respond; so do all methods.
        """
        with translated():
            found = await self._collection.find_one({"_id": ecosystem})
        return SyncState.decode(found or {"_id": ecosystem})

    async def all(self) -> dict[str, SyncState]:
        """The states of all ecosystems with a successful or failed sync."""
        with translated():
            return {
                str(found["_id"]): SyncState.decode(found)
                async for found in self._collection.find()
            }

    async def of(self, ecosystems: Iterable[str]) -> dict[str, SyncState]:
        """The states of these ecosystems, also of those that were never synced."""
        found = await self.all()
        return {name: found.get(name) or SyncState(ecosystem=name) for name in ecosystems}

    async def set(self, ecosystem: str, **fields: Any) -> None:
        """Set fields, as MongoDB stores them; ``None`` removes one."""
        change: Document = {}
        if given := {k: v for k, v in fields.items() if v is not None}:
            change["$set"] = given
        if absent := {k: "" for k, v in fields.items() if v is None}:
            change["$unset"] = absent
        with translated():
            await self._collection.update_one({"_id": ecosystem}, change, upsert=True)
