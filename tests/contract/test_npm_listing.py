"""The feed of npm's replica, with hand-made and recorded responses."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.npm import Npm, feed
from ssc_ingest.errors import CursorExpired, MalformedMetadata, StaleAnswer
from ssc_ingest.settings import Settings
from tests.contract.loopback import Loopback, loopback, reading


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    """A replica with responses set by the test."""
    async with loopback() as server:
        yield server


@pytest.fixture
async def npm(
    server: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Npm]:
    """The reader of that replica."""
    urls = {"replicate": f"{server.url}/db", "changes": f"{server.url}/db/_changes"}
    async with reading(Npm, settings, redis_url, **urls) as reader:
        yield reader


def serve(
    server: Loopback, end: int | str, pages: dict[int | str, tuple[list[Any], int | str]]
) -> None:
    """Set the end of the database and its pages (rows, ``last_seq``) by ``since``."""
    server.answers.clear()
    server.serve("/db", json.dumps({"db_name": "registry", "update_seq": end}))
    for since, (rows, last) in pages.items():
        path = f"/db/_changes?since={since}&limit={feed.LIMIT}"
        server.serve(path, json.dumps({"results": rows, "last_seq": last}))


def row(sequence: int | str, name: str, **more: Any) -> dict[str, Any]:
    """A row of the feed."""
    return {"seq": sequence, "id": name, "changes": [{"rev": "1-a"}], **more}


async def changes(npm: Npm, since: int | str) -> tuple[list[list[Change]], int | str]:
    """The changes on each page, and the next cursor."""
    cursor, found = json.dumps({"since": since}), []
    async for page in npm.list_changes(cursor):
        cursor = page.cursor
        found.append(list(page.changes))
    return found, json.loads(cursor)["since"]


async def names(npm: Npm) -> list[str]:
    """All names."""
    return [name async for page in npm.list_names(None) for name in page.names]


async def test_a_feed(npm: Npm, server: Loopback) -> None:
    """The last row of a document counts; the database's own documents are no packages."""
    rows = [
        row(4, "_design/app"), row(5, "a"), row(6, "@s/b", deleted=True), row(7, "c"),
        row(8, "a", deleted=True), row(9, "@s/b"),
    ]  # fmt: skip
    serve(server, 12, {3: (rows, 9), 9: ([row(12, "d")], 12), 0: (rows, 9)})
    expected = [
        [Change("a", deleted=True), Change("@s/b"), Change("c")],
        [Change("d")],
    ]
    assert await changes(npm, 3) == (expected, 12)
    assert await names(npm) == ["@s/b", "c", "d"]
    assert server.asked == {"/db": 2, "/db/_changes": 4}


async def test_numbers_that_are_texts(npm: Npm, server: Loopback) -> None:
    """A cluster's sequences are opaque after their number, and are sent back unchanged."""
    serve(
        server,
        "20-g1AA/x==",
        {
            "17-g1AA": ([row("18-g1A+/", "a")], "18-g1A+/"),
            "18-g1A%2B/": ([row("20-z", "b")], "20-g1AA/x=="),
        },
    )
    assert await changes(npm, "17-g1AA") == ([[Change("a")], [Change("b")]], "20-g1AA/x==")
    assert json.loads(await npm.feed_end()) == {"since": "20-g1AA/x=="}


async def test_a_page_without_packages(npm: Npm, server: Loopback) -> None:
    """The cursor moves past documents that are no packages."""
    serve(server, 9, {3: ([row(5, "_design/x")], 5), 5: ([], 9)})
    assert await changes(npm, 3) == ([[], []], 9)


async def test_numbers_that_stand_for_nothing(npm: Npm, server: Loopback) -> None:
    """The announced end need not be reached exactly."""
    end = 7 + feed.MAX_INVISIBLE
    serve(server, end, {3: ([row(7, "a")], 7), 7: ([], 7)})
    assert await changes(npm, 3) == ([[Change("a")]], 7)
    serve(server, end + 1, {3: ([row(7, "a")], 7), 7: ([], 7)})
    with pytest.raises(StaleAnswer):
        await changes(npm, 3)


async def test_nothing_is_asked_for_at_the_end(npm: Npm, server: Loopback) -> None:
    """The database's own document shows that nothing has changed."""
    serve(server, 12, {})
    assert await changes(npm, 12) == ([], 12)
    assert server.asked == {"/db": 1}


@pytest.mark.parametrize(
    ("end", "error"),
    [(1_000_000 - 1, StaleAnswer), (1_000_000 - feed.CACHE_LAG, StaleAnswer), (5, CursorExpired)],
)
async def test_an_end_before_the_cursor(
    npm: Npm, server: Loopback, end: int, error: type[Exception]
) -> None:
    """A slightly lower end means a lagging replica; a far lower end means a restarted registry."""
    serve(server, end, {})
    with pytest.raises(error):
        await changes(npm, 1_000_000)
    serve(server, 1_000_005, {1_000_000: ([], end)})
    with pytest.raises(error):
        await changes(npm, 1_000_000)


@pytest.mark.parametrize(
    "page",
    [
        {"results": [row(7, "a")], "last_seq": 3},
        {"results": [row(7, "a")]},
        {"last_seq": 9},
        {"results": None, "last_seq": 9},
        {"results": {}, "last_seq": 9},
        {"results": [[]], "last_seq": 9},
        {"results": [{"seq": 7}], "last_seq": 9},
        {"results": [{"seq": 7, "id": 1}], "last_seq": 9},
        {"results": [{"seq": 7, "id": "a", "deleted": "yes"}], "last_seq": 9},
        {"results": [], "last_seq": "g1AAA"},
        {"results": [], "last_seq": -1},
        {"results": [], "last_seq": 9.5},
        {"results": [], "last_seq": "9" * 5000},
    ],
    ids=lambda page: json.dumps(page)[:60],
)
async def test_pages_that_make_no_sense(npm: Npm, server: Loopback, page: Any) -> None:
    """Senseless pages are rejected; a page that does not advance would be requested for ever."""
    serve(server, 9, {})
    server.serve("/db/_changes", json.dumps(page))
    with pytest.raises(MalformedMetadata):
        await changes(npm, 3)


@pytest.mark.parametrize("end", [None, "", "x", [], {}, 1.5, True, "-3"])
async def test_ends_that_make_no_sense(npm: Npm, server: Loopback, end: Any) -> None:
    """A database without a valid end cannot be followed."""
    serve(server, end, {3: ([], 9)})
    with pytest.raises(MalformedMetadata):
        await npm.feed_end()
    with pytest.raises(MalformedMetadata):
        await changes(npm, 3)


@pytest.mark.recordings
async def test_a_recorded_page(npm: Npm, server: Loopback, recordings: Path) -> None:
    """A recorded response; the documents inside its rows are ignored."""
    folder = recordings / "aboutcode-org__purldb/minecode/tests/testfiles/npm"
    body = (folder / "replicate_doc1.json").read_bytes()
    page = json.loads(body)
    serve(server, page["last_seq"], {})
    server.serve("/db/_changes", body)
    found, since = await changes(npm, 0)
    expected = [entry["id"] for entry in page["results"] if entry["id"][0] != "_"]
    assert [change.name for change in found[0]] == expected
    assert expected
    assert since == page["last_seq"]
    assert not any(change.deleted for change in found[0])
