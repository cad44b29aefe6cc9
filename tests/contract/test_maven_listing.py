"""Lists the simulated Maven Central and follows its index, over HTTP."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.maven import Maven, listing
from ssc_ingest.errors import CursorExpired, MalformedMetadata, RegistryUnavailable, StaleAnswer
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.simulator.client import Simulator
from tests.simulator.maven.index_format import index_file

pytest_plugins = ("tests.simulator.fixtures",)

PACKAGES = 120


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of its own, with odd documents in its index."""
    with Simulator.start(packages=PACKAGES, versions="1-6", requirements="0-3") as simulator:
        yield simulator


@pytest.fixture
async def maven(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Maven]:
    """The ecosystem, reading the simulated registry."""
    async with opened(Maven, simulator, settings, redis_url) as maven:
        yield maven


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages, so that there are many."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 7)


async def listed(maven: Maven, cursor: str | None = None) -> list[str]:
    """All names from a cursor on."""
    return [name async for page in maven.list_names(cursor) for name in page.names]


async def changed(maven: Maven, cursor: str) -> tuple[dict[str, Change], str]:
    """The changes since a cursor, by name, and the cursor after them."""
    found: dict[str, Change] = {}
    async for page in maven.list_changes(cursor):
        found |= {change.name: change for change in page.changes}
        cursor = page.cursor
    return found, cursor


def endpoints(simulator: Simulator) -> dict[str, int]:
    """Requests by kind since the last call."""
    counts = dict(simulator.counts().endpoints)
    simulator.reset_counts()
    return counts


async def test_all_packages_are_listed(maven: Maven, simulator: Simulator) -> None:
    """Two requests list each package once, in its own spelling; odd documents are skipped."""
    names = await listed(maven)
    assert names == sorted(simulator.names("maven"))
    assert len(names) == PACKAGES
    assert endpoints(simulator) == {"maven.properties": 1, "maven.index": 1}


async def test_a_listing_goes_on_where_it_was(
    maven: Maven, simulator: Simulator, small_pages: None
) -> None:
    """Each page's cursor leads to the rest, without duplicates; the total is known at once."""
    pages = [page async for page in maven.list_names(None)]
    names = [name for page in pages for name in page.names]
    assert {page.total for page in pages} == {PACKAGES}
    assert len(pages) == -(-PACKAGES // 7)
    for number in (0, 5, len(pages) - 1):
        assert await listed(maven, pages[number].cursor) == names[7 * (number + 1) :]


async def test_another_index_while_a_listing_is_under_way(
    maven: Maven, simulator: Simulator, small_pages: None
) -> None:
    """New earlier names come first, then the rest; nothing is repeated."""
    pages = [page async for page in maven.list_names(None)]
    names = [name for page in pages for name in page.names]
    simulator.publish("maven", names[3])
    simulator.publish("maven", names[-3])
    added = {simulator.add("maven").registry_name for _ in range(6)}
    rest = await listed(maven, pages[7].cursor)
    assert len(set(rest)) == len(rest)
    assert set(rest) == {*names[56:], *added, names[3]}
    assert {*names[:56], *rest} == set(simulator.names("maven"))
    simulator.reset_sequence("maven")
    endpoints(simulator)
    with pytest.raises(CursorExpired, match="started over"):
        await listed(maven, pages[7].cursor)
    assert endpoints(simulator) == {"maven.properties": 1}


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
async def test_a_truncated_index_is_no_listing(
    maven: Maven, simulator: Simulator, keep: float
) -> None:
    """A broken transfer raises an error and returns no name; a retry works."""
    simulator.fault("truncate", endpoint="maven.index", keep=keep)
    with pytest.raises(RegistryUnavailable):
        await listed(maven)
    simulator.clear_faults()
    assert len(await listed(maven)) == PACKAGES


CONTENT = index_file([{"u": "org.example|one|1.0|NA"}])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (CONTENT[:-5], RegistryUnavailable),
        (gzip.compress(gzip.decompress(CONTENT)[:-5]), RegistryUnavailable),
        (b"", MalformedMetadata),
        (gzip.decompress(CONTENT), MalformedMetadata),
    ],
    ids=["cut off when packed", "cut off before", "nothing", "not packed"],
)
async def test_a_file_that_is_not_the_index(
    maven: Maven, simulator: Simulator, body: bytes, error: type[Exception]
) -> None:
    """A truncated, empty or other file never means a smaller registry."""
    simulator.fault("body", endpoint="maven.index", body=body)
    with pytest.raises(error):
        await listed(maven)


@pytest.mark.parametrize("endpoint", ["maven.properties", "maven.index"])
async def test_no_index(maven: Maven, simulator: Simulator, endpoint: str) -> None:
    """Pages and failures are errors; the error of a wrong address names its setting."""
    number = simulator.fault("status", endpoint=endpoint, status=404)
    with pytest.raises(RegistryUnavailable, match="MAVEN_INDEX_URL"):
        await listed(maven)
    simulator.clear_faults(number)
    number = simulator.fault("status", endpoint=endpoint, status=500)
    with pytest.raises(RegistryUnavailable, match="500"):
        await listed(maven)
    simulator.clear_faults(number)
    simulator.fault("html", endpoint=endpoint)
    with pytest.raises(MalformedMetadata):
        await listed(maven)


async def test_nothing_has_changed(maven: Maven, simulator: Simulator) -> None:
    """If nothing has changed, one small request shows it, and there is no page."""
    end = await maven.feed_end()
    simulator.reset_counts()
    assert await changed(maven, end) == ({}, end)
    assert endpoints(simulator) == {"maven.properties": 1}


async def test_chunks_are_applied_in_order(maven: Maven, simulator: Simulator) -> None:
    """Every event is a change with its new versions; one request per chunk."""
    end = await maven.feed_end()
    first, second, third = simulator.packages("maven", 3, start=60)
    new = simulator.publish("maven", first.name)
    await maven.feed_end()  # packs a chunk
    gone = simulator.truth("maven", second.name).versions[0].name
    simulator.delete_version("maven", second.name, gone)
    simulator.delete("maven", third.name)
    added = simulator.add("maven")
    endpoints(simulator)
    found, cursor = await changed(maven, end)
    assert endpoints(simulator) == {"maven.properties": 1, "maven.chunk": 2}
    assert found == {
        first.name: Change(first.name, expected=new.latest),
        second.name: Change(second.name),
        third.name: Change(third.name),
        added.registry_name: Change(
            added.registry_name, expected="|".join(sorted(v.name for v in added.versions))
        ),
    }
    assert await changed(maven, cursor) == ({}, cursor)
    assert json.loads(cursor)["number"] == json.loads(end)["number"] + 2
    assert await maven.feed_end() == cursor


async def test_the_cursor_moves_with_every_page(
    maven: Maven, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor moves by names within a chunk; its time moves with the last chunk."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    end = await maven.feed_end()
    packages = simulator.packages("maven", 10, start=60)
    for package in packages[:5]:
        simulator.publish("maven", package.name)
    await maven.feed_end()
    for package in packages[5:]:
        simulator.publish("maven", package.name)
    pages = [page async for page in maven.list_changes(end)]
    assert [len(page.changes) for page in pages] == [2, 2, 1, 2, 2, 1]
    cursors = [json.loads(page.cursor) for page in pages]
    before = json.loads(end)
    assert [cursor["number"] - before["number"] for cursor in cursors] == [0, 0, 1, 1, 1, 2]
    assert {cursor["timestamp"] for cursor in cursors[:5]} == {before["timestamp"]}
    assert cursors[5]["timestamp"] > before["timestamp"]
    names = {package.name for package in packages}
    for number, page in enumerate(pages):
        seen = {change.name for page in pages[: number + 1] for change in page.changes}
        assert set((await changed(maven, page.cursor))[0]) == names - seen


async def test_dropped_chunks_are_found_in_the_index(maven: Maven, simulator: Simulator) -> None:
    """The whole index provides exactly the documents added since the cursor."""
    end = await maven.feed_end()
    first, second = simulator.packages("maven", 2, start=60)
    new = simulator.publish("maven", first.name)
    simulator.drop_feed_entries("maven", 1)
    await maven.feed_end()
    simulator.delete("maven", second.name)
    endpoints(simulator)
    found, cursor = await changed(maven, end)
    assert found == {
        first.name: Change(first.name, expected=new.latest),
        second.name: Change(second.name),
    }
    assert endpoints(simulator) == {"maven.properties": 1, "maven.index": 1}
    assert await changed(maven, cursor) == ({}, cursor)


async def test_a_chunk_that_is_offered_and_missing(maven: Maven, simulator: Simulator) -> None:
    """The whole index has its contents."""
    end = await maven.feed_end()
    (package,) = simulator.packages("maven", 1, start=60)
    simulator.publish("maven", package.name)
    simulator.fault("status", endpoint="maven.chunk", status=404)
    found, _ = await changed(maven, end)
    assert set(found) == {package.name}


async def test_many_chunks_behind(maven: Maven, simulator: Simulator) -> None:
    """Chunks are available for a limited time; a late update reads the index."""
    end = await maven.feed_end()
    packages = simulator.packages("maven", 32, start=60)
    for package in packages:
        simulator.publish("maven", package.name)
        await maven.feed_end()
    endpoints(simulator)
    found, _ = await changed(maven, end)
    assert set(found) == {package.name for package in packages}
    assert endpoints(simulator) == {"maven.properties": 1, "maven.index": 1}


async def test_a_new_chain_is_a_new_beginning(maven: Maven, simulator: Simulator) -> None:
    """Numbers and times of another chain are meaningless; it can be followed from its end."""
    end = await maven.feed_end()
    (package,) = simulator.packages("maven", 1, start=60)
    simulator.publish("maven", package.name)
    simulator.reset_sequence("maven")
    with pytest.raises(CursorExpired, match="started over"):
        await changed(maven, end)
    end = await maven.feed_end()
    assert await listed(maven) == sorted(simulator.names("maven"))
    simulator.publish("maven", package.name)
    assert set((await changed(maven, end))[0]) == {package.name}


async def test_stale_properties_are_no_end(maven: Maven, simulator: Simulator) -> None:
    """An old copy of the properties is recognised and has no later effect."""
    end = await maven.feed_end()
    (package,) = simulator.packages("maven", 1, start=60)
    simulator.publish("maven", package.name)
    _, cursor = await changed(maven, end)
    simulator.stale("maven")
    with pytest.raises(StaleAnswer):
        await changed(maven, cursor)
    assert await changed(maven, end) == ({}, end)
    simulator.stale("maven", on=False)
    simulator.publish("maven", package.name)
    assert set((await changed(maven, cursor))[0]) == {package.name}


async def test_an_index_older_than_its_properties(maven: Maven, simulator: Simulator) -> None:
    """The older index lacks the contents of the missing chunks, so every package is checked."""
    end = await maven.feed_end()
    (package,) = simulator.packages("maven", 1, start=60)
    simulator.publish("maven", package.name)
    simulator.drop_feed_entries("maven", 1)
    old = index_file([{"u": "a|b|1|NA", "m": "1"}], timestamp=json.loads(end)["timestamp"])
    simulator.fault("body", endpoint="maven.index", body=old)
    with pytest.raises(CursorExpired, match="older than they are"):
        await changed(maven, end)


async def test_a_publisher_without_chunks(maven: Maven, simulator: Simulator) -> None:
    """The index is read only when it was published anew."""
    lines = "nexus.index.timestamp=202601{day}000000.000 +0000\nnexus.index.chain-id=1\n"
    number = simulator.fault("body", endpoint="maven.properties", body=lines.format(day="01"))
    end = await maven.feed_end()
    assert await changed(maven, end) == ({}, end)
    simulator.clear_faults(number)
    simulator.fault("body", endpoint="maven.properties", body=lines.format(day="08"))
    milliseconds = json.loads(end)["timestamp"]
    rows = [
        {"u": f"org.example|{name}|1.0|NA", "m": str(milliseconds + days * 86_400_000)}
        for name, days in (("old", -3), ("new", 3))
    ]
    packed = milliseconds + 7 * 86_400_000
    simulator.fault("body", endpoint="maven.index", body=index_file(rows, timestamp=packed))
    found, cursor = await changed(maven, end)
    assert set(found) == {"org.example:new"}
    assert await changed(maven, cursor) == ({}, cursor)


@pytest.mark.parametrize("endpoint", ["maven.properties", "maven.chunk"])
async def test_a_damaged_feed_does_not_move_the_cursor(
    maven: Maven, simulator: Simulator, endpoint: str
) -> None:
    """Truncated, empty and foreign responses are errors; later all changes are found."""
    end = await maven.feed_end()
    (package,) = simulator.packages("maven", 1, start=60)
    simulator.publish("maven", package.name)
    for kind in ("truncate", "empty", "html"):
        number = simulator.fault(kind, endpoint=endpoint)
        with pytest.raises((RegistryUnavailable, MalformedMetadata)):
            await changed(maven, end)
        simulator.clear_faults(number)
    assert set((await changed(maven, end))[0]) == {package.name}
