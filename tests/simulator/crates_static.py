"""The database dump and the feed of crates.io's static host.

https://crates.io/data-access. The feed shows the current database. So does the dump, until the
control API's ``rebuild`` is used: from then on only that makes dumps. Two events are a quarter of
an hour apart. Unchanged crates have one made-up version in the dump, because generating theirs
would take long.
"""

import csv
import io
import json
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from typing import IO, NamedTuple
from xml.sax.saxutils import escape

from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.history import BEGINNING, Event
from tests.simulator.universe import Package, Release

GZIP_TYPE = "application/gzip"
RSS_TYPE = "application/rss+xml"

APART = timedelta(minutes=15)
"""Between two events."""

OLD = BEGINNING - timedelta(days=1)
"""When everything was published that was there at the start."""

WINDOW = timedelta(minutes=60)
AT_LEAST = 100

PIECE = 1 << 20

Row = Sequence[object]

CRATES = (
    "created_at", "description", "documentation", "homepage", "id", "max_features",
    "max_upload_size", "name", "readme", "repository", "updated_at",
)  # fmt: skip
VERSIONS = (
    "bin_names", "checksum", "crate_id", "crate_size", "created_at", "downloads", "features",
    "id", "license", "num", "rust_version", "updated_at", "yanked",
)  # fmt: skip
DELETED = ("available_at", "created_at", "deleted_at", "id", "message", "name")


class Clock:
    """The host's time."""

    def __init__(self, shelf: Shelf) -> None:
        self._history = shelf.history

    def moment(self, sequence: int) -> datetime:
        """The time of the event with this number."""
        seconds = (self._history.moment_of(sequence) - BEGINNING).total_seconds()
        return BEGINNING + seconds * APART

    def dump(self, events: Sequence[Event]) -> datetime:
        """When the dump was made that has these events and no others."""
        last = events[-1].sequence if events else self._history.start
        return self.moment(last) + 0.8 * APART


# The feed -------------------------------------------------------------------------------


class Item(NamedTuple):
    """A version in the feed."""

    moment: datetime
    name: str
    version: str


def feed(shelf: Shelf) -> Callable[[Mapping[str, str]], Document]:
    """``/rss/updates.xml``."""

    def document(headers: Mapping[str, str]) -> Document:
        del headers
        clock = Clock(shelf)
        end = clock.moment(shelf.history.end)
        items: list[Item] = []
        for item in _items(shelf, clock):
            if len(items) >= AT_LEAST and item.moment < end - WINDOW:
                break
            items.append(item)
        channel = "".join(map(_as_xml, items))
        text = (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
            'xmlns:crates="https://crates.io/" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
            "<title>crates.io: recent updates</title><link>https://crates.io/</link>"
            "<description>Recent version publishes</description><language>en</language>"
            f"{channel}</channel></rss>"
        )
        return Document.tagged(text.encode(), RSS_TYPE)

    return document


def _items(shelf: Shelf, clock: Clock) -> Iterator[Item]:
    """The existing published versions, newest first."""
    history = shelf.history
    for event in reversed(history.feed):
        package = shelf.package(event.package)
        if package is None or event.kind not in {"publish", "add"}:
            continue
        release = _release(package, event.version)
        if release is not None:
            yield Item(clock.moment(event.sequence), package.name, release.version)
    for index in reversed(range(history.packages)):
        package = shelf.package(index)
        edits = {e.version for e in history.events if e.package == index}
        if package is not None:
            old = [release for release in package.releases if release.version not in edits]
            if old:
                moment = clock.moment(history.first_sequence(index))
                yield Item(moment, package.name, old[-1].version)


def _release(package: Package, version: str | None) -> Release | None:
    if version is None:
        return package.releases[-1]
    return next((r for r in package.releases if r.version == version), None)


def _as_xml(item: Item) -> str:
    link = f"https://crates.io/crates/{item.name}/{item.version}"
    return (
        f"<item><title>New crate version published: {item.name} v{item.version}</title>"
        f"<link>{link}</link><description>{escape('A <simulated> crate & more')}</description>"
        f"<guid>{link}</guid><pubDate>{format_datetime(item.moment)}</pubDate>"
        f"<crates:name>{item.name}</crates:name>"
        f"<crates:version>{escape(item.version)}</crates:version></item>"
    )


# The dump -------------------------------------------------------------------------------


def dump(shelf: Shelf) -> Callable[[Mapping[str, str]], Document]:
    """``/db-dump.tar.gz``, made while it is sent."""

    def document(headers: Mapping[str, str]) -> Document:
        history = shelf.history
        events = history.rebuilt if history.rebuilds else history.shown
        state = f"dump/{history.packages}/{len(events)}/{history.rebuilds}"
        made = Document.streamed(lambda: _archive(shelf, events), state, GZIP_TYPE)
        if headers.get("Range") != "bytes=0-0":
            return made
        found = {"Content-Range": "bytes 0-0/*"}
        return Document(b"\x1f", GZIP_TYPE, 206, headers=found, etag=made.etag)

    return document


def _archive(shelf: Shelf, events: Sequence[Event]) -> Iterator[bytes]:
    """The compressed archive, in pieces."""
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    made_at = Clock(shelf).dump(events)
    folder = f"{made_at:%Y-%m-%d-%H%M%S}"
    members: dict[str, Iterator[Row] | bytes] = {
        "README.md": b"# A simulated dump\n",
        "metadata.json": json.dumps(
            {"timestamp": made_at.isoformat().replace("+00:00", "Z"), "crates_io_commit": "0"}
        ).encode(),
        "schema.sql": b"-- nothing\n",
        "data/crates.csv": _crates(shelf, events),
        "data/deleted_crates.csv": _deleted(shelf, events),
        "data/versions.csv": _versions(shelf, events),
        "data/version_downloads.csv": iter([("date", "downloads", "version_id")]),
    }
    for name, content in members.items():
        with tempfile.TemporaryFile() as file:
            _write(file, content)
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = file.tell()
            yield packer.compress(info.tobuf())
            file.seek(0)
            while block := file.read(PIECE):
                yield packer.compress(block)
            yield packer.compress(bytes(-info.size % tarfile.BLOCKSIZE))
    yield packer.compress(bytes(2 * tarfile.BLOCKSIZE)) + packer.flush()


def _write(file: IO[bytes], content: Iterator[Row] | bytes) -> None:
    if isinstance(content, bytes):
        file.write(content)
        return
    # PostgreSQL ends lines so, and quotes where it must.
    while rows := list(islice(content, 10_000)):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        file.write(text.getvalue().encode())


def _crates(shelf: Shelf, events: Sequence[Event]) -> Iterator[Row]:
    clock, changed = Clock(shelf), {e.package: e.sequence for e in events}
    yield CRATES
    for listed in shelf.listed(events):
        index = listed.package
        updated_at = clock.moment(changed[index]) if index in changed else OLD
        readme = '# A "simulated" crate,\n\nof many lines\n' if index % 7 == 0 else ""
        link = shelf.original(index).link
        links = {"homepage": "", "repository": "", link.field: link.wire}
        yield (
            _stamp(OLD), "A simulated crate", "", links["homepage"], index + 1, "", "",
            listed.name, readme, links["repository"], _stamp(updated_at),
        )  # fmt: skip


def _deleted(shelf: Shelf, events: Sequence[Event]) -> Iterator[Row]:
    clock = Clock(shelf)
    yield DELETED
    for number, event in enumerate(e for e in events if e.kind == "delete"):
        moment = _stamp(clock.moment(event.sequence))
        yield moment, _stamp(OLD), moment, number + 1, "", shelf.name_of(event.package)


def _versions(shelf: Shelf, events: Sequence[Event]) -> Iterator[Row]:
    yield VERSIONS
    happened: dict[int, list[Event]] = {}
    for event in events:
        happened.setdefault(event.package, []).append(event)
    for number, listed in enumerate(shelf.listed(events)):
        package = shelf.package(listed.package) if listed.package in happened else None
        if package is None:
            yield _version(number, listed.package, "0.0.0-made-up", OLD, OLD, yanked=False)
            continue
        later = [e for e in shelf.history.events[len(events) :] if e.package == package.index]
        for release in package.releases:
            row = _as_of(shelf, release, happened[package.index], later)
            if row is not None:
                created_at, updated_at, yanked = row
                version = release.version
                yield _version(
                    number, package.index, version, created_at, updated_at, yanked=yanked
                )


def _as_of(
    shelf: Shelf, release: Release, events: Sequence[Event], later: Sequence[Event]
) -> tuple[datetime, datetime, bool] | None:
    """Creation, update and yanked flag at the time of the dump; None: not there."""
    created_at, clock = OLD, Clock(shelf)
    for event in events:
        if event.kind == "add" or (event.kind == "publish" and event.version == release.version):
            created_at = clock.moment(event.sequence)
    updated_at, yanked = created_at, release.yanked
    for event in later:
        if event.version == release.version:
            if event.kind == "publish":
                return None
            if event.kind in {"yank", "unyank"}:
                yanked = event.kind == "unyank"  # before that, it was the other way round
                break
    for event in events:
        if event.kind in {"yank", "unyank"} and event.version == release.version:
            updated_at = clock.moment(event.sequence)
    return created_at, updated_at, yanked


def _version(
    number: int, index: int, version: str, created_at: datetime, updated_at: datetime, *,
    yanked: bool,
) -> Row:  # fmt: skip
    return (
        "{}", "0" * 64, index + 1, 1000, _stamp(created_at), 5, '{"default": ["std"]}',
        number + 1, "MIT", version, "", _stamp(updated_at), "t" if yanked else "f",
    )  # fmt: skip


def _stamp(moment: datetime) -> str:
    """A time in PostgreSQL's format: ``2026-11-24 02:00:11.71204+00``."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".") + "+00"
