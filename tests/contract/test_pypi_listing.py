"""The listing of PyPI: serials, lagging caches, and indexes that are not PyPI."""

import json
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.ecosystems.pypi import listing as module
from ssc_ingest.errors import CursorExpired, MalformedMetadata, StaleAnswer
from ssc_ingest.models import Package
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.contract.loopback import Loopback, loopback, reading
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
async def pypi(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[PyPI]:
    """The simulated PyPI."""
    async with opened(PyPI, simulator, settings, redis_url) as reader:
        yield reader


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    """An index with responses set by the test."""
    async with loopback() as server:
        yield server


@pytest.fixture
async def index(
    server: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[PyPI]:
    """The reader of that index."""
    async with reading(PyPI, settings, redis_url, index=f"{server.url}/simple") as reader:
        yield reader


def serve(server: Loopback, serial: int | None, projects: dict[str, int | None]) -> None:
    """Let the index have these projects, with their serials."""
    meta = {"api-version": "1.4"} | ({} if serial is None else {"_last-serial": serial})
    rows = [
        {"name": name} | ({} if last is None else {"_last-serial": last})
        for name, last in projects.items()
    ]
    body = json.dumps({"meta": meta, "projects": rows})
    server.serve("/simple/", body, media_type=JSON)


async def changed(reader: PyPI, cursor: str) -> tuple[dict[str, str | None], str]:
    """The changes of the feed, and the cursor after them."""
    found: dict[str, str | None] = {}
    async for page in reader.list_changes(cursor):
        found |= {change.name: change.expected for change in page.changes}
        cursor = page.cursor
    return found, cursor


async def names(reader: PyPI, cursor: str | None = None) -> list[str]:
    """The names from a cursor on."""
    return [name async for page in reader.list_names(cursor) for name in page.names]


# One package ----------------------------------------------------------------------------------


async def test_an_answer_older_than_the_feed(pypi: PyPI, simulator: Simulator) -> None:
    """A page or a 304 is stale until it is new enough."""
    (found,) = simulator.packages("pypi", 1, start=70)
    ref = pypi.ref(found.name)
    package = await pypi.fetch(FetchRequest(ref))
    assert isinstance(package, Package)
    cursor = await pypi.feed_end()
    simulator.publish("pypi", found.name)
    ((name, serial),) = (await changed(pypi, cursor))[0].items()
    assert name == found.name
    assert serial

    newer = str(int(serial) + 1)
    with pytest.raises(StaleAnswer, match=newer):
        await pypi.fetch(FetchRequest(ref, expected=newer))
    now = await pypi.fetch(FetchRequest(ref, expected=serial))
    assert isinstance(now, Package)
    with pytest.raises(StaleAnswer):
        await pypi.fetch(FetchRequest(ref, etag=now.etag, expected=newer))
    assert isinstance(
        await pypi.fetch(FetchRequest(ref, etag=now.etag, expected=serial)), NotModified
    )


@pytest.mark.parametrize("serial", [5, None])
async def test_a_serial_in_the_page_alone(
    index: PyPI, server: Loopback, serial: int | None
) -> None:
    """Without the header, the page's serial counts; without a serial, every response."""
    meta = {"api-version": "1.4"} | ({} if serial is None else {"_last-serial": serial})
    page = {"meta": meta, "name": "a", "files": [], "versions": []}
    server.serve("/simple/a/", json.dumps(page), media_type=JSON)
    assert isinstance(await index.fetch(FetchRequest(index.ref("a"), expected="5")), Package)
    if serial is None:
        assert isinstance(await index.fetch(FetchRequest(index.ref("a"), expected="6")), Package)
    else:
        with pytest.raises(StaleAnswer):
            await index.fetch(FetchRequest(index.ref("a"), expected="6"))


# The feed -------------------------------------------------------------------------------------


async def test_an_unchanged_list_costs_an_empty_answer(pypi: PyPI, simulator: Simulator) -> None:
    """The validator is in the cursor: one request, with status 304."""
    cursor = await pypi.feed_end()
    simulator.reset_counts()
    assert await changed(pypi, cursor) == ({}, cursor)
    assert simulator.counts().statuses == {"304": 1}


async def test_a_cursor_keeps_the_validator_of_what_it_has_seen(
    index: PyPI, server: Loopback
) -> None:
    """A new list without changes gives the cursor its validator."""
    serve(server, 10, {"a": 1})
    cursor = await index.feed_end()
    serve(server, 10, {"a": 1, "b": 2})
    found, after = await changed(index, cursor)
    assert found == {}
    assert after != cursor
    assert await changed(index, after) == ({}, after)


async def test_a_newer_list_in_the_middle(
    index: PyPI, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated changes before the position are found again; processed ones are not."""
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    serve(server, 10, dict.fromkeys("abcdef", 1))
    cursor = await index.feed_end()
    serve(server, 20, {"a": 11, "b": 12, "c": 13, "d": 14, "e": 1, "f": 15})
    async for page in index.list_changes(cursor):
        assert [change.name for change in page.changes] == ["a", "b"]
        cursor = page.cursor
        break
    serve(server, 30, {"a": 11, "b": 21, "c": 13, "d": 22, "e": 1, "f": 15})
    found, cursor = await changed(index, cursor)
    assert found == {"b": "21", "c": "13", "d": "22", "f": "15"}
    assert (await changed(index, cursor))[0] == {}


async def test_many_changes_before_the_place(
    index: PyPI, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the old position is reached again, a cursor leads back to it."""
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    serve(server, 10, dict.fromkeys("abcdefgh", 1))
    cursor = await index.feed_end()
    serve(server, 20, dict.fromkeys("abcdefgh", 15))
    taken = []
    async for page in index.list_changes(cursor):
        taken.append(page)
        if len(taken) == 3:
            break
    place = taken[-1].cursor
    serve(server, 30, dict.fromkeys("abcdefgh", 25))
    pages = [page async for page in index.list_changes(place)]
    assert [[c.name for c in page.changes] for page in pages] == [
        [*"ab"],
        [*"cd"],
        [*"ef"],
        [*"gh"],
        [],
    ]
    assert {page.cursor for page in pages[:2]} == {place}
    for page in pages[:4]:
        rest, end = await changed(index, page.cursor)
        before = set("abcdefgh"[: 2 * pages.index(page) + 2])
        assert before | rest.keys() == set("abcdefgh")
        assert end == pages[-1].cursor


@pytest.mark.parametrize(
    ("serial", "error"), [(900_999, StaleAnswer), (900_001, StaleAnswer), (900_000, CursorExpired)]
)
async def test_a_list_from_before(
    index: PyPI, server: Loopback, serial: int, error: type[Exception]
) -> None:
    """A slightly older list means a lagging cache; a far older one means restarted serials."""
    serve(server, 900_000 + module.CACHE_LAG + 1, {"a": 1})
    cursor = await index.feed_end()
    serve(server, serial, {"a": 1})
    with pytest.raises(error):
        await changed(index, cursor)
    serve(server, 900_000 + module.CACHE_LAG + 2, {"a": 900_000 + module.CACHE_LAG + 2})
    assert (await changed(index, cursor))[0].keys() == {"a"}


async def test_a_listing_is_not_older_than_the_feed(index: PyPI, server: Loopback) -> None:
    """An older list is stale: otherwise changes between it and the feed's end would be missed."""
    serve(server, 10, {"a": 1, "b": 10})
    await index.feed_end()
    serve(server, 9, {"a": 1})
    with pytest.raises(StaleAnswer):
        await names(index)
    serve(server, 11, {"a": 1, "b": 10})
    assert await names(index) == ["a", "b"]


async def test_a_listing_goes_on_after_a_reset(
    index: PyPI, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names have no serials, so only the feed starts again."""
    monkeypatch.setattr(module, "PAGE_SIZE", 1)
    serve(server, 5_000_000, {"a": 1, "b": 10})
    pages = [page async for page in index.list_names(None)]
    assert [page.names for page in pages] == [("a",), ("b",)]
    serve(server, 10, {"a": 1, "b": 2})
    assert await names(index, pages[0].cursor) == ["b"]


async def test_an_index_without_serials(index: PyPI, server: Loopback) -> None:
    """An index without serials can be listed; following its changes is an error."""
    for projects in ({"a": None, "b": 3}, {"b": None}):
        serve(server, 10 if len(projects) > 1 else None, projects)  # type: ignore[arg-type]
        assert await names(index) == [*projects]
        with pytest.raises(MalformedMetadata, match="no serials"):
            await index.feed_end()


async def test_an_index_that_speaks_html(index: PyPI, server: Loopback) -> None:
    """A mirror without the JSON form is distinguished from an empty one."""
    server.serve("/simple/", "<!DOCTYPE html><html></html>", media_type="text/html")
    with pytest.raises(MalformedMetadata, match="HTML"):
        await names(index)


async def test_a_mirror_that_was_restored_from_a_backup(
    index: PyPI, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that stays older for longer than caches keep it is accepted as it is."""
    clock = [1_000.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[-1])
    serve(server, 10, {"a": 1, "b": 10})
    cursor = await index.feed_end()
    serve(server, 9, {"a": 1})
    for seconds in (0, module.CACHE_TIME - 1):
        clock.append(1_000.0 + seconds)
        with pytest.raises(StaleAnswer, match="10 minutes"):
            await index.feed_end()
        with pytest.raises(StaleAnswer):
            await names(index)
        with pytest.raises(StaleAnswer):
            await changed(index, cursor)
    clock.append(1_000.0 + module.CACHE_TIME)
    with capture_logs() as logs:
        assert await names(index) == ["a"]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("serials_went_back", "warning")
    ]
    restored = await index.feed_end()
    serve(server, 11, {"a": 1, "c": 11})
    assert (await changed(index, restored))[0].keys() == {"c"}


async def test_the_feed_of_a_restored_mirror(
    index: PyPI, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor of a restored mirror expires; a newer response begins a new wait."""
    clock = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[-1])
    serve(server, 10, {"a": 1})
    cursor = await index.feed_end()
    serve(server, 9, {"a": 1})
    with pytest.raises(StaleAnswer):
        await changed(index, cursor)
    serve(server, 10, {"a": 1, "b": 1})
    await changed(index, cursor)
    clock.append(module.CACHE_TIME)
    serve(server, 9, {"a": 1})
    with pytest.raises(StaleAnswer):
        await changed(index, cursor)
    clock.append(2 * module.CACHE_TIME)
    for _ in range(2):
        with pytest.raises(CursorExpired):
            await changed(index, cursor)
    assert await names(index) == ["a"]
