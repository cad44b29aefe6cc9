"""The cursors: progress in the dumps and the feed.

Two sources report changes. The feed is fast, but has only the last hour and no yanked versions; the
daily dump has everything, a day late. So the cursor has the time up to which a comparison with a
dump has reported everything. The next dump is compared from there, so gaps in the feed lose
nothing. The cursor also has the later versions that were already reported, so that the next dump
does not report them again.

Transactions commit a little later than the time that they record. So a dump and the end of the feed
are complete only up to :data:`MARGIN` before their own times.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Self

from pydantic import AwareDatetime, Field

from ssc_ingest.ecosystems.crates.feed import Published
from ssc_ingest.ecosystems.cursors import Cursor

MARGIN = timedelta(minutes=10)

MAX_REPORTED = 5000
"""Maximum reported versions in a cursor: those of two days. Older ones would be reported twice."""


class _Cursor(Cursor):
    registry = "crates.io"


class ListingPosition(_Cursor):
    """A position in a listing: ``row`` rows of the dump with time ``dump`` have been listed."""

    dump: AwareDatetime
    row: int = Field(ge=0)


class Reported(_Cursor):
    """Versions that were reported together, none of them published after ``until``."""

    until: AwareDatetime
    digests: frozenset[str]


class FeedPosition(_Cursor):
    """The position in the changes; see the module."""

    compared: AwareDatetime
    """Everything up to here has been reported."""
    told: tuple[Reported, ...] = ()
    """Later versions that have been reported, oldest first."""
    dump_etag: str | None = None
    feed_etag: str | None = None
    comparing: AwareDatetime | None = None
    """The time of the dump whose first ``row`` rows were processed."""
    row: int = Field(0, ge=0)

    @classmethod
    def at_end(cls, items: Iterable[Published], feed_etag: str | None) -> Self:
        """The position at which everything in the feed, and before, has been reported."""
        items = tuple(items)
        compared = max(item.moment for item in items) - MARGIN
        return cls(compared=compared).followed(items, feed_etag)

    @property
    def newest(self) -> datetime:
        """The time of the newest version that has been reported."""
        return max((batch.until for batch in self.told), default=self.compared)

    def reported_at(self, name: str, version: str) -> datetime | None:
        """The registry's time when the version was reported; ``None`` if it was not."""
        digest = _digest(name, version)
        return next((batch.until for batch in self.told if digest in batch.digests), None)

    def news(self, items: Iterable[Published]) -> list[Published]:
        """The items of the feed that have not been reported, oldest first."""
        return [
            item
            for item in items
            if item.moment > self.compared and self.reported_at(item.name, item.version) is None
        ]

    def followed(self, items: Iterable[Published], etag: str | None) -> Self:
        """The position after reporting all of the feed."""
        told = self.told
        if news := self.news(items):
            told = (*told, _reported(max(item.moment for item in news), news))
        return self.model_copy(update={"told": _bounded(told), "feed_etag": etag})

    def processed(self, dump: datetime, row: int) -> Self:
        """The position after reporting part of a comparison."""
        return self.model_copy(update={"comparing": dump, "row": row})

    def compared_with(self, made_at: datetime, etag: str | None, last: Iterable[Published]) -> Self:
        """The position after reporting all of a dump; ``last`` are versions of its last minutes."""
        compared = max(self.compared, made_at - MARGIN)
        told = [*self.told, _reported(made_at, last)]
        return self.model_copy(
            update={
                "compared": compared,
                "told": _bounded(b for b in told if b.until > compared and b.digests),
                "dump_etag": etag,
                "comparing": None,
                "row": 0,
            }
        )


def _reported(until: datetime, versions: Iterable[Published]) -> Reported:
    return Reported(until=until, digests=frozenset(_digest(v.name, v.version) for v in versions))


def _bounded(batches: Iterable[Reported]) -> tuple[Reported, ...]:
    kept = sorted(batches, key=lambda batch: batch.until)
    while sum(len(batch.digests) for batch in kept) > MAX_REPORTED:
        del kept[0]
    return tuple(kept)


def _digest(name: str, version: str) -> str:
    return blake2b(f"{name}@{version}".encode(), digest_size=6).hexdigest()
