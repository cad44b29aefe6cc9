"""Listing and changes of gems, over HTTP from the simulated registry."""

import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.rubygems import RubyGems, listing
from ssc_ingest.ecosystems.rubygems.lists import NO_VERSIONS
from ssc_ingest.errors import (
    ResponseTooLarge,
)
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened, read
from tests.contract.listing import Followed, followed, listed
from tests.contract.loopback import loopback, reading
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

GEMS = 200


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of some gems."""
    with Simulator.start(packages=GEMS, versions="2-6") as simulator:
        yield simulator


@pytest.fixture
async def gems(
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
    clean_redis: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RubyGems]:
    """The ecosystem, with small pages."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 30)
    async with opened(RubyGems, simulator, settings, redis_url) as gems:
        yield gems


def names(simulator: Simulator, count: int, *, start: int = 0) -> list[str]:
    """The names of this number of gems."""
    return [found.name for found in simulator.packages("rubygems", count, start=start)]


async def assert_caught_up(gems: RubyGems, found: Followed) -> None:
    """Check with one request that nothing follows the last page."""
    again = await followed(gems, found.cursor)
    assert (again.pages, again.requests) == ([], 1)


async def assert_true(gems: RubyGems, change: Change) -> None:
    """Check that the gem's file has the announced digest."""
    package = (await read(gems, change.name, expected=change.expected)).package
    assert package.etag == change.etag == f'"{change.expected}"'


async def test_changes_are_told_once(gems: RubyGems, simulator: Simulator) -> None:
    """Published, yanked, deleted and added gems only, with the digests of their files."""
    published, twice, yanked, deleted = names(simulator, 4, start=20)
    cursor = await gems.feed_end()
    simulator.publish("rubygems", published)
    simulator.publish("rubygems", twice)
    version = simulator.truth("rubygems", yanked).versions[-1].name
    simulator.delete_version("rubygems", yanked, version)
    simulator.delete("rubygems", deleted)
    simulator.publish("rubygems", twice)
    added = simulator.add("rubygems").registry_name
    found = await followed(gems, cursor)
    assert found.requests == 2
    changes = {change.name: change for change in found.changes}
    assert len(found.changes) == len(changes)
    assert changes.keys() == {published, twice, yanked, deleted, added}
    assert changes.pop(deleted).deleted
    for change in changes.values():
        assert not change.deleted
        await assert_true(gems, change)
    await assert_caught_up(gems, found)


async def test_a_list_made_anew_is_read_from_the_beginning(
    gems: RubyGems, simulator: Simulator
) -> None:
    """All gems are reported with their current digests, after any number of changes."""
    published, yanked = names(simulator, 2)
    cursor = await gems.feed_end()
    simulator.publish("rubygems", published)
    version = simulator.truth("rubygems", yanked).versions[-1].name
    simulator.delete_version("rubygems", yanked, version)
    simulator.rebuild("rubygems")
    late = names(simulator, 1, start=2)[0]
    simulator.publish("rubygems", late)
    found = await followed(gems, cursor)
    assert found.names == set(simulator.names("rubygems"))
    for change in found.changes:
        if change.name in {published, yanked, late} or len(change.name) % 5 == 0:
            await assert_true(gems, change)
    await assert_caught_up(gems, found)
    for page in found.pages[:-1]:
        rest = await followed(gems, page.cursor)
        number = found.pages.index(page) + 1
        assert rest.changes == [c for page in found.pages[number:] for c in page.changes]


async def test_a_list_made_anew_without_news_is_seen_to_be_another(
    gems: RubyGems, simulator: Simulator
) -> None:
    """A rebuilt list differs only in the time in its head; bytes before the cursor are equal."""
    cursor = await gems.feed_end()
    simulator.rebuild("rubygems")
    found = await followed(gems, cursor)
    assert found.names == set(simulator.names("rubygems"))
    await assert_caught_up(gems, found)


async def test_a_list_made_anew_in_the_middle_of_reading_loses_nothing(
    gems: RubyGems, simulator: Simulator
) -> None:
    """A page's cursor is invalid in another list."""
    cursor = await gems.feed_end()
    expected = names(simulator, 60)
    for name in expected:
        simulator.publish("rubygems", name)
    page = (await followed(gems, cursor)).pages[0]
    simulator.rebuild("rubygems")
    assert (await followed(gems, page.cursor)).names == set(simulator.names("rubygems"))


async def test_a_line_that_was_lost_is_in_the_list_made_anew(
    gems: RubyGems, simulator: Simulator
) -> None:
    """A missing line is not visible; the next monthly list has everything."""
    dropped, kept = names(simulator, 2)
    cursor = await gems.feed_end()
    simulator.publish("rubygems", dropped)
    simulator.drop_feed_entries("rubygems")
    simulator.publish("rubygems", kept)
    first = await followed(gems, cursor)
    assert first.names == {kept}
    simulator.rebuild("rubygems")
    second = await followed(gems, first.cursor)
    (change,) = (change for change in second.changes if change.name == dropped)
    await assert_true(gems, change)


async def test_a_line_taken_back_makes_everything_suspicious(
    gems: RubyGems, simulator: Simulator
) -> None:
    """The list before the cursor has changed, so all gems are reported."""
    one, other = names(simulator, 2)
    cursor = await gems.feed_end()
    simulator.publish("rubygems", one)
    found = await followed(gems, cursor)
    simulator.drop_feed_entries("rubygems")
    for _ in range(2):
        simulator.publish("rubygems", other)
    again = await followed(gems, found.cursor)
    assert again.names == set(simulator.names("rubygems"))


async def test_an_older_copy_of_the_list_undoes_nothing(
    gems: RubyGems, simulator: Simulator
) -> None:
    """A lagging cache has a shorter list: no changes, and the cursor stays."""
    cursor = await gems.feed_end()
    for name in (many := names(simulator, 40)):
        simulator.publish("rubygems", name)
    found = await followed(gems, cursor)
    assert found.names == set(many)
    for shown in (39, 0):  # a little shorter, and shorter than what is compared
        simulator.stale("rubygems", events=shown)
        stale = await followed(gems, found.cursor)
        assert (stale.pages, stale.requests) == ([], 2)
    simulator.stale("rubygems", on=False)
    simulator.publish("rubygems", many[0])
    assert (await followed(gems, found.cursor)).names == {many[0]}


async def test_more_than_fits_in_memory_is_read_from_a_file(
    gems: RubyGems, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same gems are reported, from the same position."""
    cursor = await gems.feed_end()
    expected = set(names(simulator, 60))
    for name in expected:
        simulator.publish("rubygems", name)
    monkeypatch.setattr(listing, "MAX_ADDED", 5000)
    found = await followed(gems, cursor)
    assert found.names == expected
    await assert_caught_up(gems, found)


async def test_a_host_that_knows_no_parts_is_followed(
    settings: Settings, redis_url: str, clean_redis: None
) -> None:
    """The host sends the whole list; only new lines count, and the last may be incomplete."""
    one, other, third = (hashlib.md5(text).hexdigest() for text in (b"1", b"2", b"3"))  # noqa: S324
    head = "created_at: 2026-11-01T00:00:05Z\n---\n"
    async with (
        loopback() as server,
        reading(RubyGems, settings, redis_url, index=server.url) as gems,
    ):
        text = f"{head}rake 1,2-java {one}\n"
        server.serve("/versions", text, media_type="text/plain")
        cursor = await gems.feed_end()
        assert (await followed(gems, cursor)).pages == []
        text += f"a 0.1 {other}\n.cat 1 {one}\nrake -1 {third}\na -0.1 {NO_VERSIONS}\nodd\n"
        server.serve("/versions", text + "half 1.0 00", media_type="text/plain")
        found = await followed(gems, cursor)
        assert found.changes == [
            Change(".cat", expected=one, etag=f'"{one}"'),
            Change("rake", expected=third, etag=f'"{third}"'),
            Change("a", deleted=True, expected=NO_VERSIONS, etag=f'"{NO_VERSIONS}"'),
            Change("odd"),
        ]
        server.serve("/versions", f"{text}half 1.0 {one}\n", media_type="text/plain")
        assert (await followed(gems, found.cursor)).names == {"half"}


async def test_a_list_without_end_is_not_read(
    gems: RubyGems, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is limited."""
    monkeypatch.setattr(listing, "MAX_LIST", 1000)
    cursor = await gems.feed_end()
    simulator.rebuild("rubygems")
    with pytest.raises(ResponseTooLarge):
        await listed(gems)
    with pytest.raises(ResponseTooLarge):
        await followed(gems, cursor)
