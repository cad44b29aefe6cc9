"""The index of the simulated repository: properties, the whole, and chunks of what is new.

It is packed anew whenever somebody asks for its properties after something has happened: then one
more chunk has everything since the last time. A week lies between two packings by the index's
own clock. What the feed drops makes the chunks that it is in disappear; a reset of the sequence is
a new chain.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple
from zlib import crc32

from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.history import BEGINNING, Event
from tests.simulator.maven.index_format import Fields, document, header, packed

FILE = "nexus-maven-repository-index"
GZIP = "application/x-gzip"

FIRST_CHUNK = 500
OFFERED = 30
WEEK = timedelta(days=7)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MOST_IN_FULL = 10_000
"""Packages up to which all their versions are in the index; of more, it has one version each,
since making a package takes a hundred times as long as naming it."""

UNUSABLE: Sequence[Fields] = (
    {"u": "odd", "m": "1"},
    {"m": "1", "n": "nothing but a name"},
    {"u": "org.odd|größe|1.0|NA", "m": "x", "n": "NUL \0 and \N{CAT FACE}"},
    {"u": "|nothing|1.0|NA", "m": "1"},
)
"""Documents that name no package; real indexes have some."""


class Packing(NamedTuple):
    """One publication of the index: its number, and its number of events."""

    number: int
    events: int

    @property
    def moment(self) -> datetime:
        """The time by the index's own clock."""
        return BEGINNING + (self.number - FIRST_CHUNK) * WEEK

    @property
    def milliseconds(self) -> int:
        """The time in the format of the index."""
        return (self.moment - EPOCH) // timedelta(milliseconds=1)

    @property
    def added(self) -> int:
        """The time when its new documents were added, in milliseconds."""
        return self.milliseconds - 1000


class Publisher:
    """The publications of one repository's index so far."""

    def __init__(self) -> None:
        self._chain = ""
        self._packings: list[Packing] = []
        self._made: tuple[Any, bytes] | None = None

    def properties(self, shelf: Shelf) -> Document:
        """The current properties; publishes first, unless the registry is stale."""
        history = shelf.history
        packings = self._published(shelf)
        if len(history.shown) == len(history.events) > packings[-1].events:
            packings.append(Packing(packings[-1].number + 1, len(history.events)))
            self._packings = packings
        last = packings[-1]
        offered = [p.number for p in packings[1:] if self._events(shelf, p.number)][-OFFERED:]
        lines = [
            f"#{last.moment:%a %b %d %H:%M:%S} UTC {last.moment:%Y}",
            "nexus.index.id=central",
            f"nexus.index.chain-id={self._chain}",
            f"nexus.index.timestamp={last.moment:%Y%m%d%H%M%S}.000 +0000",
            "nexus.index.time=20120615133728.952 +0000",
            f"nexus.index.last-incremental={last.number}",
            *(f"nexus.index.incremental-{k}={n}" for k, n in enumerate(reversed(offered))),
        ]
        # Java's properties come in the order of a hash table.
        lines[1:] = sorted(lines[1:], key=lambda line: crc32(line.encode()))
        return Document.tagged("\n".join([*lines, ""]).encode(), "text/plain")

    def whole(self, shelf: Shelf) -> Document:
        """The whole index; for a large universe generated while it is sent."""
        last = self._published(shelf)[-1]
        state = (self._chain, last, tuple(shelf.history.events))

        def pieces() -> Iterator[bytes]:
            documents = chain(
                ({"DESCRIPTOR": "NexusIndex", "IDXINFO": "1.0|central"},),
                self._all(shelf, last),
                () if shelf.options.plain else UNUSABLE,
                ({"allGroups": "allGroups", "allGroupsList": "org.example|com.example"},),
                ({"rootGroups": "rootGroups", "rootGroupsList": "org|com"},),
            )
            content = chain((header(last.milliseconds),), map(document, documents))
            return packed(content, trailing=b"" if shelf.options.plain else b"\0trailing")

        if shelf.options.packages > MOST_IN_FULL:
            return Document.streamed(pieces, f"{shelf.history.state}/{self._chain}/{last}", GZIP)
        if self._made is None or self._made[0] != state:
            self._made = state, b"".join(pieces())
        return Document.tagged(self._made[1], GZIP)

    def chunk(self, shelf: Shelf, number: int) -> Document | None:
        """One chunk, if it is available."""
        events = self._events(shelf, number)
        packing = next((p for p in self._published(shelf) if p.number == number), None)
        if packing is None or not events:
            return None
        documents = [d for event in events for d in self._news(shelf, event, packing)]
        content = (header(packing.milliseconds), *map(document, documents))
        return Document.tagged(b"".join(packed(content)), GZIP)

    # ------------------------------------------------------------------------------------

    def _published(self, shelf: Shelf) -> list[Packing]:
        history = shelf.history
        chain_id = str(history.first_sequence(0))
        if chain_id != self._chain:
            seen = 0 if not self._chain else len(history.events)
            self._chain, self._packings = chain_id, [Packing(FIRST_CHUNK, seen)]
        elif self._packings[-1].events > len(history.events):  # all was undone
            self._packings = [Packing(FIRST_CHUNK, 0)]
        shown = [p for p in self._packings if p.events <= len(history.shown)]
        return shown or self._packings[:1]

    def _events(self, shelf: Shelf, number: int) -> Sequence[Event]:
        """The new events of a chunk; none if it is not available."""
        packings = self._published(shelf)
        at = number - packings[0].number
        if not 1 <= at < len(packings):
            return ()
        events = shelf.history.events[packings[at - 1].events : packings[at].events]
        kept = set(shelf.history.feed)
        return events if kept.issuperset(events) else ()

    def _all(self, shelf: Shelf, last: Packing) -> Iterator[Fields]:
        events = shelf.history.events[: last.events]
        edited: dict[int, dict[str | None, Event]] = {}
        for event in events:
            edited.setdefault(event.package, {})[event.version] = event
        old = Packing(FIRST_CHUNK, 0).milliseconds - 30 * 24 * 3600 * 1000
        news = {e: p.added for p in self._packings for e in self._events_of(shelf, p)}
        later = {(e.package, e.version) for e in shelf.history.events[last.events :]}
        for listed in shelf.listed(events):
            versions: Sequence[str]
            if listed.package not in edited and shelf.options.packages > MOST_IN_FULL:
                versions = ["1.0"]
            else:
                package = shelf.package(listed.package)
                versions = [r.version for r in package.releases] if package else ["1.0"]
            added = edited.get(listed.package, {})
            for version in versions:
                if (listed.package, version) not in later:
                    happened = added.get(version, added.get(None))
                    m = news.get(happened, old) if happened else old
                    yield from _artifact(listed.name, version, m)
        for event in events:
            if event.kind in {"delete", "delete-version"}:
                name = shelf.name_of(event.package)
                yield _removed(name, event.version or "1.0", news.get(event, old))

    def _events_of(self, shelf: Shelf, packing: Packing) -> Sequence[Event]:
        before = max((p.events for p in self._packings if p.number < packing.number), default=0)
        return shelf.history.events[before : packing.events]

    @staticmethod
    def _news(shelf: Shelf, event: Event, packing: Packing) -> Iterator[Fields]:
        name, m = shelf.name_of(event.package), packing.added
        package = shelf.package(event.package)
        match event.kind:
            case "publish":
                yield from _artifact(name, event.version or "", m)
            case "add":
                for release in package.releases if package else ():
                    yield from _artifact(name, release.version, m)
            case "delete" | "delete-version":
                yield _removed(name, event.version or "1.0", m)
            case _:
                pass  # nothing is ever withdrawn


def _artifact(name: str, version: str, milliseconds: int) -> Iterator[Fields]:
    """The documents of a version: the artifact, and its sources."""
    group, _, artifact = name.partition(":")
    place = f"{group}|{artifact}|{version}"
    digest = f"{crc32(place.encode()):08x}" * 5
    modified = milliseconds - 3_600_000
    about = {"n": artifact.title(), "d": f"Größe of\n  {artifact} \N{CAT FACE}", "1": digest}
    files = f"{modified}|5584571"
    m = str(milliseconds)
    yield {"u": f"{place}|NA", "m": m, "i": f"jar|{files}|1|0|1|jar", **about}
    yield {"u": f"{place}|sources|jar", "m": m, "i": f"jar|{files}|2|2|1|jar", **about}


def _removed(name: str, version: str, milliseconds: int) -> Fields:
    group, _, artifact = name.partition(":")
    return {"del": f"{group}|{artifact}|{version}|NA", "m": str(milliseconds)}
