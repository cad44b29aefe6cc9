"""The dump of crates.io's database, and the feed, with any contents."""

import csv
import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.crates import dump as dumps
from ssc_ingest.ecosystems.crates.comparison import Comparison
from ssc_ingest.ecosystems.crates.dump import Deletion, Dump, Release
from ssc_ingest.ecosystems.crates.feed import Published, parse_feed
from ssc_ingest.ecosystems.crates.position import MARGIN, MAX_REPORTED, FeedPosition
from ssc_ingest.errors import MalformedMetadata, RegistryError, RegistryUnavailable

URL = "https://static.crates.io/db-dump.tar.gz"
MADE_AT = datetime(2026, 11, 24, 2, 0, 11, 712040, tzinfo=UTC)
METADATA = '{"timestamp": "2026-11-24T02:00:11.712040Z", "crates_io_commit": "x"}'


def table(*rows: tuple[object, ...]) -> str:
    """A table in PostgreSQL's format."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


SOURCE = "https://github.com/serde-rs/serde"
CRATES = table(
    ("repository", "name", "readme", "id", "updated_at", "homepage"),
    (
        SOURCE,
        "serde",
        'Of "many"\nlines,\r\n\nthis',
        7,
        "2026-11-23 10:00:00.5+00",
        "https://serde.rs",
    ),
    ("", "Old_One", "", 8, "2016-01-01 00:00:00", ""),
    ("", "again", "x" * 200_000, 9, "2026-11-23 11:00:00+00", "again and " * 100),
)
VERSIONS = table(
    ("crate_id", "features", "num", "yanked", "updated_at", "created_at"),
    (7, '{"a": ["b"]}', "1.0.0", "f", "2026-11-23 10:00:00.5+00", "2015-01-01 00:00:00+00"),
    (7, "{}", "1.0.1", "f", "2026-11-23 10:00:00.5+00", "2026-11-23 10:00:00.5+00"),
    (8, "{}", "0.1.0", "t", "2016-01-01 00:00:00", "2016-01-01 00:00:00"),
    (9, "{}", "0.1.0", "f", "2026-11-23 11:00:00+00", "2026-11-23 11:00:00+00"),
)
DELETED = table(
    ("name", "deleted_at"),
    ("Again", "2026-11-23 10:30:00"),
    ("gone", "2026-11-23 10:40:00.123+00"),
    ("long-gone", "2020-01-01 00:00:00"),
)
MEMBERS = {
    "README.md": "# Dump",
    "metadata.json": METADATA,
    "data/crates.csv": CRATES,
    "data/versions.csv": VERSIONS,
    "data/deleted_crates.csv": DELETED,
}


def packed(members: Mapping[str, str | bytes], folder: str = "2026-11-24-020011/") -> bytes:
    """An archive with these files in this order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        directory = tarfile.TarInfo(folder)
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(folder + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def opened(data: bytes) -> Dump:
    """A dump in memory."""
    return Dump(io.BytesIO(data), URL)


def read_all(dump: Dump) -> None:
    """Call all methods of a dump."""
    dump.made_at()
    list(dump.crates())
    list(dump.events())


def changes(since: str, dump: Dump) -> list[Change]:
    """The changes that a dump reports to a reader that knows all earlier ones."""
    compared = datetime.fromisoformat(since)
    comparison = Comparison(dump, dump.made_at(), FeedPosition(compared=compared))
    comparison.read_events()
    changed = [change for _, change in comparison.changed(0)]
    return [*changed, *(Change(name, deleted=True) for name in comparison.deleted.values())]


# What is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(MEMBERS))[::7], ids="".join)
def test_members_may_come_in_any_order(order: tuple[str, ...]) -> None:
    """Columns and tables are found by name."""
    dump = opened(packed({name: MEMBERS[name] for name in order}))
    assert dump.made_at() == MADE_AT
    assert [(crate.row, crate.number, crate.name) for crate in dump.crates()] == [
        (1, "7", "serde"), (2, "8", "Old_One"), (3, "9", "again"),
    ]  # fmt: skip
    events = list(dump.events())
    assert [e.version for e in events if isinstance(e, Release)] == [
        "1.0.0", "1.0.1", "0.1.0", "0.1.0",
    ]  # fmt: skip
    assert [e.yanked for e in events if isinstance(e, Release)] == [False, False, True, False]
    assert [e.name for e in events if isinstance(e, Deletion)] == ["Again", "gone", "long-gone"]
    assert changes("2026-11-22T02:00:00Z", dump) == [
        Change("serde", expected="1.0.1", hints=(SOURCE, "https://serde.rs")),
        Change("again", expected="0.1.0", hints=(("again and " * 100)[: dumps.MAX_LINK_LENGTH],)),
        Change("gone", deleted=True),
    ]


def test_moments_are_utc() -> None:
    """Fractions may have any length, and the zone may be absent."""
    dump = opened(packed(MEMBERS))
    assert [crate.updated_at for crate in dump.crates()] == [
        datetime(2026, 11, 23, 10, 0, 0, 500_000, tzinfo=UTC),
        datetime(2016, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 23, 11, tzinfo=UTC),
    ]


def test_a_dump_without_deletions_is_one() -> None:
    """Early dumps have no table of deletions."""
    members = {name: text for name, text in MEMBERS.items() if "deleted" not in name}
    dump = opened(packed(members))
    assert [change.name for change in changes("2026-11-22T02:00:00Z", dump)] == ["serde", "again"]


# What is none -------------------------------------------------------------------------------


@given(length=st.integers(0, len(packed(MEMBERS)) - 1))
def test_half_a_dump_is_none(length: int) -> None:
    """A dump truncated at any position is an error."""
    with pytest.raises(RegistryUnavailable):
        list(opened(packed(MEMBERS)[:length]).events())


def content(data: bytes) -> bytes | None:
    """The decompressed contents, if the archive is complete."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


@given(place=st.integers(10, len(packed(MEMBERS)) - 10), bit=st.integers(0, 7))
def test_a_damaged_dump_is_none(place: int, bit: int) -> None:
    """Any flipped bit is an error, unless the contents are the same."""
    data = bytearray(packed(MEMBERS))
    data[place] ^= 1 << bit
    assume(content(bytes(data)) != content(packed(MEMBERS)))
    with pytest.raises(RegistryError):
        list(opened(bytes(data)).events())


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_extended_header_is_small(kind: bytes) -> None:
    """The standard library's search in 100,000 digits takes ten seconds, in a million hours."""
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 100_000
    start = header.tobuf() + b"1" * 100_000 + bytes(-100_000 % tarfile.BLOCKSIZE)
    archive = gzip.compress(start + gzip.decompress(packed(MEMBERS)))
    with pytest.raises(MalformedMetadata, match="extended header"):
        list(opened(archive).events())


@given(data=st.binary(max_size=2000) | st.binary(max_size=2000).map(gzip.compress))
def test_anything_else_is_none(data: bytes) -> None:
    """Other bytes raise typed errors and never mean an empty registry."""
    with pytest.raises(RegistryError):
        read_all(opened(data))


@given(
    name=st.sampled_from(["metadata.json", "data/crates.csv", "data/versions.csv"]),
    data=st.binary(max_size=200) | st.text("ab,\"'\n\r\0id", max_size=60).map(str.encode),
)
def test_any_text_in_place_of_a_table(name: str, data: bytes) -> None:
    """Any text raises a typed error; a table with the right columns has at least one row."""
    with pytest.raises(RegistryError):
        read_all(opened(packed({**MEMBERS, name: data})))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/crates.csv", "id,name,updated_at,repository,homepage\n1,serde\n"),
        ("data/crates.csv", "id,name,updated_at,repository,homepage\n1,serde,yesterday,,\n"),
        ("data/crates.csv", "id,name,updated_at,repository,homepage\n"),
        ("data/crates.csv", "id,name\n1,serde\n"),
        ("data/crates.csv", 'id,name,updated_at,repository,homepage\n1,"serde'),
        ("data/versions.csv", "crate_id,num,created_at,updated_at,yanked\n"),
        ("metadata.json", '{"timestamp": "2026-11-24T02:00:11"}'),
        ("metadata.json", f'{{"x": "{"x" * dumps.MAX_METADATA}"}}'),
    ],
)
def test_tables_that_are_none(name: str, text: str) -> None:
    """Missing rows or columns and invalid times are errors."""
    with pytest.raises(MalformedMetadata, match="dump"):
        read_all(opened(packed({**MEMBERS, name: text})))


def test_a_row_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long rows and too many rows are errors."""
    monkeypatch.setattr(dumps, "MAX_LINE_LENGTH", 1000)
    with pytest.raises(MalformedMetadata, match="has a line of more than 1000"):
        list(opened(packed(MEMBERS)).crates())
    monkeypatch.setattr(dumps, "MAX_LINE_LENGTH", 1_000_000)
    monkeypatch.setattr(dumps, "MAX_ROWS", 2)
    with pytest.raises(MalformedMetadata, match="more than 2 rows"):
        list(opened(packed(MEMBERS)).crates())


def test_what_is_announced_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header may announce gigabytes, and the contents may exceed any dump."""
    header = tarfile.TarInfo("name")
    header.type = tarfile.XHDTYPE
    header.size = 1 << 35
    bomb = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(8 * 1024 * 1024))
    with pytest.raises(MalformedMetadata, match="extended header"):
        opened(bomb).made_at()
    monkeypatch.setattr(dumps, "MAX_DECOMPRESSED", 100_000)
    with pytest.raises(MalformedMetadata, match="too large"):
        list(opened(packed(MEMBERS)).events())
    monkeypatch.undo()
    monkeypatch.setattr(dumps, "MAX_MEMBERS", 3)
    with pytest.raises(MalformedMetadata, match="more than 3 files"):
        list(opened(packed(MEMBERS)).events())


# The feed -----------------------------------------------------------------------------------


def rss(*items: str) -> bytes:
    """A feed with these items."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
        f'xmlns:crates="https://crates.io/"><channel>{"".join(items)}</channel></rss>'
    ).encode()


def item(name: str, version: str, moment: str) -> str:
    """An item in crates.io's format."""
    return (
        f"<item><title>x</title><pubDate>{moment}</pubDate><description>&lt;b&gt;</description>"
        f"<crates:name>{name}</crates:name><crates:version>{version}</crates:version></item>"
    )


def test_the_feed_is_read_oldest_first() -> None:
    """Times are in UTC, with any zone in the feed."""
    body = rss(
        item("b", "2.0.0+x", "Tue, 24 Nov 2026 12:00:05 +0200"),
        item("a", "1.0.0", "Tue, 24 Nov 2026 09:00:00 +0000"),
    )
    assert parse_feed(body, URL) == (
        Published(datetime(2026, 11, 24, 9, tzinfo=UTC), "a", "1.0.0"),
        Published(datetime(2026, 11, 24, 10, 0, 5, tzinfo=UTC), "b", "2.0.0+x"),
    )


GOOD = item("a", "1.0.0", "Tue, 24 Nov 2026 09:00:00 +0000")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"<html/>", b"<rss/>", rss(), rss(GOOD)[:-10],
        rss(GOOD, item("", "1", "Tue, 24 Nov 2026 09:00:00 +0000")),
        rss(GOOD, item("a", "", "Tue, 24 Nov 2026 09:00:00 +0000")),
        rss(GOOD, item("a", "1", "yesterday")), rss(GOOD, "<item/>"),
        b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + rss(GOOD)[38:],
    ],
)  # fmt: skip
def test_what_is_no_feed(body: bytes) -> None:
    """An unreadable item is an error."""
    with pytest.raises(MalformedMetadata, match=r"feed|rss"):
        parse_feed(body, URL)


@given(st.binary(max_size=300) | st.text("<>rsitem/!& \0", max_size=60).map(str.encode))
def test_anything_else_is_no_feed(body: bytes) -> None:
    """A document that is not a feed raises a typed error."""
    with pytest.raises(MalformedMetadata):
        parse_feed(body, URL)


# The position -------------------------------------------------------------------------------


def published(number: int) -> Published:
    """One version per minute."""
    return Published(MADE_AT + timedelta(minutes=number), f"crate{number}", "1.0.0")


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), min_size=1, max_size=8),
    st.integers(1, 40),
)
def test_whatever_parts_of_the_feed_are_seen_each_version_is_told_once(
    looks: list[tuple[int, int]], first: int
) -> None:
    """Copies may have any age and overlap; a cursor survives serialisation."""
    begin = tuple(published(number) for number in range(max(0, first - 5), first + 1))
    position = FeedPosition.at_end(begin, None)
    told = {item.name for item in begin}
    for start, count in looks:
        items = tuple(published(number) for number in range(start, start + count))
        news = {item.name for item in position.news(items)}
        since = {item.name for item in items if item.moment > position.compared}
        assert news == since - told
        told |= news
        position = FeedPosition.read(position.followed(items, '"x"').write())
        assert position.news(items) == []
    assert position.compared == begin[-1].moment - MARGIN


def test_what_is_remembered_is_bounded() -> None:
    """The oldest versions are dropped first, and would be reported again."""
    position = FeedPosition(compared=MADE_AT)
    old, new = [
        tuple(Published(MADE_AT + timedelta(hours=hour), f"{hour}-{n}", "1") for n in range(3000))
        for hour in (1, 2)
    ]
    position = position.followed(old, None).followed(new, None)
    assert sum(len(told.digests) for told in position.told) <= MAX_REPORTED
    assert position.news(new) == []
    assert len(position.news(old)) == 3000
