"""How far the dumps and the feed have been followed: the cursors.

Two sources tell what has changed. The feed is quick, but has the last hour only and nothing of
yanked versions; the daily dump has everything, a day late. So the cursor has one moment, up to
which a comparison with a dump has told everything: the next dump is compared from there on, and
nothing is lost whatever the feed did in between. Besides, it has the versions after that moment
that have been handed over already, lest a dump tells them once more.

Transactions commit a little later than the moment that they write down, so a dump and the end of
the feed are trusted up to :data:`MARGIN` before them.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Self

from pydantic import AwareDatetime, Field

from ssc_ingest.ecosystems.crates.feed import Published
from ssc_ingest.ecosystems.cursors import Cursor

MARGIN = timedelta(minutes=10)

MAX_TOLD = 5000
"""Versions remembered, two days' worth; of more, the oldest would be handed over twice."""


class _Cursor(Cursor):
    registry = "crates.io"


class ListingPosition(_Cursor):
    """So many rows of the dump that was made then have been listed."""

    dump: AwareDatetime
    row: int = Field(ge=0)


class Told(_Cursor):
    """Versions that were handed over together, the newest of them at that moment or before."""

    until: AwareDatetime
    digests: frozenset[str]


class FeedPosition(_Cursor):
    """See the module."""

    compared: AwareDatetime
    """Everything up to here has been handed over."""
    told: tuple[Told, ...] = ()
    """What else has, oldest first."""
    dump_etag: str | None = None
    feed_etag: str | None = None
    comparing: AwareDatetime | None = None
    """The dump of which ``row`` rows were gone through."""
    row: int = Field(0, ge=0)

    @classmethod
    def at_end(cls, items: Iterable[Published], feed_etag: str | None) -> Self:
        """Nothing that the feed tells now is news, and nothing before it."""
        items = tuple(items)
        compared = max(item.moment for item in items) - MARGIN
        return cls(compared=compared).followed(items, feed_etag)

    @property
    def newest(self) -> datetime:
        """Of this moment is the newest version that has been handed over."""
        return max((batch.until for batch in self.told), default=self.compared)

    def told_at(self, name: str, version: str) -> datetime | None:
        """When the version was handed over, by the registry's clock; ``None`` if it was not."""
        digest = _digest(name, version)
        return next((told.until for told in self.told if digest in told.digests), None)

    def news(self, items: Iterable[Published]) -> list[Published]:
        """What of the feed has not been handed over, oldest first."""
        return [
            item
            for item in items
            if item.moment > self.compared and self.told_at(item.name, item.version) is None
        ]

    def followed(self, items: Iterable[Published], etag: str | None) -> Self:
        """All of the feed has been handed over."""
        told = self.told
        if news := self.news(items):
            told = (*told, _told(max(item.moment for item in news), news))
        return self.model_copy(update={"told": _bounded(told), "feed_etag": etag})

    def gone_through(self, dump: datetime, row: int) -> Self:
        """Part of a comparison has been handed over."""
        return self.model_copy(update={"comparing": dump, "row": row})

    def compared_with(self, made_at: datetime, etag: str | None, last: Iterable[Published]) -> Self:
        """All of a dump has been handed over; ``last`` is what it had of its last minutes."""
        compared = max(self.compared, made_at - MARGIN)
        told = [*self.told, _told(made_at, last)]
        return self.model_copy(
            update={
                "compared": compared,
                "told": _bounded(t for t in told if t.until > compared and t.digests),
                "dump_etag": etag,
                "comparing": None,
                "row": 0,
            }
        )


def _told(until: datetime, versions: Iterable[Published]) -> Told:
    return Told(until=until, digests=frozenset(_digest(v.name, v.version) for v in versions))


def _bounded(batches: Iterable[Told]) -> tuple[Told, ...]:
    kept = sorted(batches, key=lambda told: told.until)
    while sum(len(told.digests) for told in kept) > MAX_TOLD:
        del kept[0]
    return tuple(kept)


def _digest(name: str, version: str) -> str:
    return blake2b(f"{name}@{version}".encode(), digest_size=6).hexdigest()
