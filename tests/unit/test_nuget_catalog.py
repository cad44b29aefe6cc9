"""NuGet's catalog: its documents, the order of its times, and cursors."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.nuget.catalog import (
    DELETE,
    DETAILS,
    Announced,
    CatalogIndex,
    CatalogPage,
    Item,
    changes_of,
    check_stamp,
    moment_of,
    names_of,
    normalize_stamp,
    parse,
    stamp_of,
)
from ssc_ingest.ecosystems.nuget.feed import FeedCursor, cursors_behind, plan_pass
from ssc_ingest.errors import CursorExpired, MalformedMetadata, RegistryUnavailable, StaleAnswer

URL = "https://catalog.example/v3/catalog0/index.json"
RECORDED = "aboutcode-org__purldb/minecode/tests/data/nuget/catalog/pages/page10897.json"

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def written(ticks: int) -> str:
    """This number of ten-millionths of a second after the start, in .NET's format."""
    moment = BEGIN + timedelta(seconds=ticks // 10**7)
    fraction = f"{ticks % 10**7:07}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' * bool(fraction)}{fraction}Z"


def item(name: str, version: str, ticks: int, kind: str = DETAILS) -> dict[str, Any]:
    """An item in a page."""
    return {
        "@id": f"https://catalog.example/v3/catalog0/data/{ticks}/{name}.{version}.json",
        "@type": kind,
        "commitId": "c",
        "commitTimeStamp": written(ticks),
        "nuget:id": name,
        "nuget:version": version,
    }


def items(*rows: tuple[Any, ...]) -> list[Item]:
    """Parsed items."""
    return [Item.model_validate(item(*row)) for row in rows]


# Moments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2020-09-10T10:12:38.8387145Z", "2020-09-10T10:12:38.838714500"),
        ("2020-09-10T10:12:24.301149Z", "2020-09-10T10:12:24.301149000"),
        ("2020-09-10T10:12:24Z", "2020-09-10T10:12:24.000000000"),
        ("2026-02-26T03:20:11.5859202+00:00", "2026-02-26T03:20:11.585920200"),
        ("2026-02-26T03:20:11.5", "2026-02-26T03:20:11.500000000"),
    ],
)
def test_moments_have_one_form(text: str, normal: str) -> None:
    """Times of catalog and registrations have one form; normalising again changes nothing."""
    assert normalize_stamp(text) == normal
    assert normalize_stamp(normal) == check_stamp(normal) == normal


@pytest.mark.parametrize(
    "text",
    ["", "2020-09-10", "2020-13-10T10:12:38Z", "2020-09-10T10:12:38.1234567890Z",
     "2020-09-10T10:12:38+02:00", "2020-09-10T10:12:38.Z", "2020-09-10T24:00:01Z",
     "٢٠٢٠-09-10T10:12:38Z", "2020-09-10T10:12:38Z\n"],
)  # fmt: skip
def test_what_is_no_moment_in_utc_is_refused(text: str) -> None:
    """A moment that is not in UTC would not sort by time."""
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic asks for no more
        normalize_stamp(text)


@given(st.integers(0, 10**13), st.integers(-50, 50))
def test_moments_sort_by_all_their_digits(ticks: int, apart: int) -> None:
    """Moments also sort by digits that a ``datetime`` does not have."""
    other = max(0, ticks + apart)
    order = (normalize_stamp(written(ticks)) > normalize_stamp(written(other))) - (
        normalize_stamp(written(ticks)) < normalize_stamp(written(other))
    )
    assert order == (Decimal(ticks) > other) - (Decimal(ticks) < other)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_our_own_moments_are_stamps(moment: datetime) -> None:
    """Our own moments can be converted back to the second."""
    assert moment_of(stamp_of(moment)) == moment.replace(microsecond=0)


# Documents ----------------------------------------------------------------------------------


def test_recorded_page_is_read(recordings: Path) -> None:
    """The page has 39 unordered items of 14 commits; the recording lacks the others."""
    recorded = json.loads((recordings / RECORDED).read_text())
    with pytest.raises(RegistryUnavailable, match="39 entries of 543 announced"):
        parse(CatalogPage, json.dumps(recorded).encode(), URL)
    page = parse(CatalogPage, json.dumps({**recorded, "count": 39}).encode(), URL)
    assert page.stamp == "2020-09-10T10:12:38.838714500"
    assert len({found.stamp for found in page.items}) == 14
    assert page.stamp == max(found.stamp for found in page.items)
    changes = changes_of(page.items)
    assert changes[-1] == Change(
        "JetBrains.ReSharper.TestRunner", expected="1.2.3.29 2020-09-10T10:12:38.838714500"
    )
    assert len(names_of(page.items)) == len(changes) == len({c.name.lower() for c in changes})


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"<!DOCTYPE html>",
        b'{"commitTimeStamp": "2026-03-01T00:00:00Z", "count": 0}',
        b'{"commitTimeStamp": "yesterday", "count": 0, "items": []}',
        b'{"commitTimeStamp": "2026-03-01T00:00:00Z", "count": 0, "items": {}}',
        b'{"commitTimeStamp": "2026-03-01T00:00:00Z", "items": []}',
        b'{"commitTimeStamp": "2026-03-01T00:00:00Z", "count": 1, "items": [{"@id": "x"}]}',
    ],
)
@pytest.mark.parametrize("model", [CatalogIndex, CatalogPage])
def test_what_is_no_catalog_is_malformed(model: Any, document: bytes) -> None:
    """A document that is not a catalog never counts as a catalog without pages or items."""
    with pytest.raises(MalformedMetadata):
        parse(model, document, URL)


def test_a_package_is_named_once_per_page() -> None:
    """A page's package has its newest spelling; a deletion alone names no package."""
    found = items(("Demo.core", "2.0", 5), ("demo.Core", "1.0", 3), ("Other", "1.0", 4),
                  ("Gone", "1.0", 6, DELETE))  # fmt: skip
    assert names_of(found) == ("Demo.core", "Other")


def test_a_package_changes_once_per_page() -> None:
    """A page's package has its newest version, in the order of the last items."""
    found = items(("Demo", "2.0", 5), ("demo", "1.0", 3), ("Other", "1.0", 4))
    assert changes_of(found) == (
        Change("Other", expected=f"1.0 {normalize_stamp(written(4))}"),
        Change("Demo", expected=f"2.0 {normalize_stamp(written(5))}"),
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("A", "1.0", 1), ("A", "1.0.0", 2, DELETE)], None),
        ([("A", "1.0", 2), ("A", "1.0", 2, DELETE)], None),
        ([("A", "1.0", 2), ("A", "0.9", 3, DELETE)], "1.0"),
        ([("A", "1.0", 1, DELETE), ("A", "1.0", 2)], "1.0"),
        ([("A", "1.0", 1, DELETE)], None),
        ([("A", "1.0", 1), ("A", "2.0", 2, "nuget:Something")], "1.0"),
    ],
)
def test_a_deleted_version_is_not_expected(rows: list[Any], expected: str | None) -> None:
    """The package has changed, but is not reported as gone."""
    (change,) = changes_of(items(*rows))
    version = Announced.read(change.expected).version if change.expected else None
    assert (change.name, change.deleted, version) == ("A", False, expected)


@given(st.text(max_size=20), st.integers(0, 10**12))
def test_what_is_expected_is_read_back(version: str, ticks: int) -> None:
    """The expectation is read back for any version, also without a time."""
    announced = Announced(version.replace(" ", ""), normalize_stamp(written(ticks)))
    assert Announced.read(str(announced)) == announced
    assert Announced.read(announced.version) == Announced(announced.version, None)


def test_versions_are_found_in_any_spelling() -> None:
    """``1.0.0.0+build`` is ``1.0.0``."""
    assert Announced.read("1.0.0.0+build").is_among(["0.9.0", "1.0.0"])
    assert Announced.read("1.0.0-RC.1").is_among(["1.0.0-rc.1"])
    assert not Announced.read("1.0.1").is_among(["1.0.0"])


# Going on -----------------------------------------------------------------------------------


@dataclass
class Catalog:
    """Pages of (package, time) pairs in any distribution."""

    pages: list[list[tuple[str, int]]] = field(default_factory=list)

    def index(self) -> bytes:
        """The index, with its pages in another order."""
        entries = [
            {"@id": f"{number}", "commitTimeStamp": written(max(t for _, t in page))}
            for number, page in enumerate(self.pages)
            if page
        ]
        Random(len(entries)).shuffle(entries)
        newest = max((t for page in self.pages for _, t in page), default=0)
        return json.dumps(
            {"commitTimeStamp": written(newest), "count": len(entries), "items": entries}
        ).encode()

    def page(self, number: str) -> CatalogPage:
        """One page."""
        rows = self.pages[int(number)]
        body = {
            "commitTimeStamp": written(max(t for _, t in rows)),
            "count": len(rows),
            "items": [item(name, "1", ticks) for name, ticks in rows],
        }
        return CatalogPage.model_validate(body)

    def read(self, cursor: FeedCursor, most: int) -> tuple[list[str], FeedCursor, bool]:
        """Read at most this number of pages from a cursor; returns whether those were all."""
        ahead = plan_pass(cursor, self.index(), None, URL)
        found, behind = [], cursor
        steps = list(zip(ahead.pages, cursors_behind(cursor, ahead), strict=False))
        for entry, reached in steps[:most]:
            found += [each.id for each in ahead.new(self.page(entry.url), cursor)]
            behind = reached
        return found, behind, len(steps) <= most


LAYOUTS = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=4), min_size=1, max_size=6)


@given(LAYOUTS, LAYOUTS, st.lists(st.integers(0, 3), max_size=6))
def test_no_item_is_lost_wherever_a_reader_stops(
    before: list[list[int]], after: list[list[int]], stops: list[int]
) -> None:
    """Items may be on any page, times on several pages; the catalog grows in between."""
    numbers = iter(range(1000))
    catalog = Catalog([[(f"a{next(numbers)}", t) for t in page] for page in before])
    found: list[str] = []
    cursor = FeedCursor()
    for most in stops:
        names, cursor, _ = catalog.read(cursor, most)
        found += names
        assert FeedCursor.read(cursor.write()) == cursor
    # What is committed later has later moments, on the last page and on new ones.
    later = [[(f"b{next(numbers)}", t + 30) for t in page] for page in after]
    catalog.pages[-1] += later[0]
    catalog.pages += later[1:]
    names, cursor, complete = catalog.read(cursor, 100)
    assert complete
    found += names
    assert set(found) == {name for page in catalog.pages for name, _ in page}
    assert cursor.since == cursor.through
    assert catalog.read(cursor, 100)[0] == []


@given(LAYOUTS, LAYOUTS)
def test_each_item_is_handed_over_once_if_nobody_stops(
    before: list[list[int]], after: list[list[int]]
) -> None:
    """Two passes; the second one has the items added in between."""
    catalog = Catalog([[("old", t) for t in page] for page in before])
    _, cursor, _ = catalog.read(FeedCursor(), 100)
    catalog.pages += [[("new", t + 30) for t in page] for page in after]
    names, _, _ = catalog.read(cursor, 100)
    assert names == ["new"] * sum(map(len, after))


def test_a_page_that_grew_since_the_index_was_read_waits() -> None:
    """The next pass has its new items."""
    catalog = Catalog([[("a", 1)], [("b", 2)]])
    ahead = plan_pass(FeedCursor(), catalog.index(), None, URL)
    catalog.pages[1].append(("c", 3))
    assert [each.id for each in ahead.new(catalog.page("1"), FeedCursor())] == ["b"]
    assert catalog.read(ahead.end, 100)[0] == ["c"]


def test_an_older_index_is_stale() -> None:
    """A slightly older one is cached; one a day older was started over."""
    day = 24 * 3600 * 10**7
    cursor = plan_pass(FeedCursor(), Catalog([[("a", 2 * day)]]).index(), None, URL).end
    with pytest.raises(StaleAnswer):
        plan_pass(cursor, Catalog([[("a", 2 * day - 1)]]).index(), None, URL)
    with pytest.raises(StaleAnswer):
        plan_pass(cursor, Catalog([[("a", day)]]).index(), None, URL)
    with pytest.raises(CursorExpired):
        plan_pass(cursor, Catalog([[("a", day - 10**7)]]).index(), None, URL)


@pytest.mark.parametrize(
    "text", ["", "17", "{}x", '{"since": "yesterday"}', '{"since": "2026-03-01T00:00:00Z"}',
             '{"seq": 4}'],
)  # fmt: skip
def test_a_foreign_cursor_has_expired(text: str) -> None:
    """A foreign cursor does not belong to this graph."""
    with pytest.raises(CursorExpired):
        FeedCursor.read(text)
