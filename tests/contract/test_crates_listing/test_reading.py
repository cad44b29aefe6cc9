"""Listing and changes of crates, over HTTP from the simulated registry."""

from collections.abc import Mapping

from ssc_ingest.ecosystems.base import Change, FetchRequest
from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.crates.position import FeedPosition
from ssc_ingest.models import Package
from tests.contract.listing import followed
from tests.contract.test_crates_listing.conftest import names
from tests.simulator.client import Simulator


async def test_the_dump_knows_the_repositories(crates: Crates, simulator: Simulator) -> None:
    """The index lacks them; the listing has them, so no crate file is read."""
    links = {
        name: found async for page in crates.list_names(None) for name, found in page.hints.items()
    }
    for name in names(simulator, 10):
        simulator.reset_counts()
        package = await crates.fetch(FetchRequest(crates.ref(name), hints=links[name]))
        assert isinstance(package, Package)
        truth = simulator.truth("cargo", name)
        assert (package.vendor, package.repository_url) == (truth.vendor, truth.repository_url)
        assert simulator.counts().endpoints == {"cargo.index": 1}


async def vendors(crates: Crates, changes: Mapping[str, Change]) -> dict[str, str | None]:
    """The vendors of the changed crates, read with the feed's hints."""
    found = {}
    for name, change in changes.items():
        if not change.deleted:
            package = await crates.fetch(FetchRequest(crates.ref(name), hints=change.hints))
            assert isinstance(package, Package)
            found[name] = package.vendor
    return found


async def test_the_feed_tells_what_was_published(crates: Crates, simulator: Simulator) -> None:
    """New versions and new crates are reported once, with the expected version."""
    one, other = names(simulator, 2)
    cursor = await crates.feed_end()
    simulator.publish("cargo", one)
    last = simulator.publish("cargo", one).versions[-1].name
    version = simulator.publish("cargo", other).versions[-1].name
    added = simulator.add("cargo")
    found = await followed(crates, cursor)
    assert {change.name: change.expected for change in found.changes} == {
        one: last,
        other: version,
        added.registry_name: added.versions[-1].name,
    }
    again = await followed(crates, found.cursor)
    assert (again.pages, again.requests) == ([], 2)


async def test_the_dump_tells_everything(crates: Crates, simulator: Simulator) -> None:
    """Published, yanked, un-yanked and lost versions, deleted and new crates, nothing else."""
    published, yanked, unyanked, lessened, deleted = names(simulator, 5, start=20)
    version = simulator.truth("cargo", unyanked).versions[0].name
    simulator.yank("cargo", unyanked, version)
    cursor = await crates.feed_end()
    new = simulator.publish("cargo", published).versions[-1].name
    simulator.yank("cargo", yanked, simulator.truth("cargo", yanked).versions[0].name)
    simulator.yank("cargo", unyanked, version, yanked=False)
    simulator.delete_version("cargo", lessened, simulator.truth("cargo", lessened).versions[0].name)
    simulator.delete("cargo", deleted)
    added = simulator.add("cargo").registry_name
    simulator.rebuild("cargo")
    found = await followed(crates, cursor)
    assert found.requests == 2
    changes = {change.name: change for change in found.changes}
    assert changes.keys() == {published, yanked, unyanked, lessened, deleted, added}
    assert len(found.changes) == len(changes)
    assert changes[deleted] == Change(deleted, deleted=True)
    assert (changes[published].expected, changes[yanked].expected) == (new, None)
    assert await vendors(crates, changes) == {
        name: simulator.truth("cargo", name).vendor for name in changes if name != deleted
    }
    again = await followed(crates, found.cursor)
    assert (again.pages, again.requests) == ([], 2)


async def test_what_the_feed_has_told_no_dump_tells_again(
    crates: Crates, simulator: Simulator
) -> None:
    """The dump repeats no version that the feed has reported, unless it has changed since."""
    calm, busy = names(simulator, 2)
    cursor = await crates.feed_end()
    simulator.publish("cargo", calm)
    version = simulator.publish("cargo", busy).versions[-1].name
    first = await followed(crates, cursor)
    assert first.names == {calm, busy}
    simulator.yank("cargo", busy, version)
    simulator.rebuild("cargo")
    second = await followed(crates, first.cursor)
    assert second.names == {busy}


async def test_a_comparison_begins_again_with_another_dump(
    crates: Crates, simulator: Simulator
) -> None:
    """A dump that is replaced in the middle loses nothing."""
    cursor = await crates.feed_end()
    expected = names(simulator, 60)
    for name in expected:
        simulator.publish("cargo", name)
    simulator.rebuild("cargo")
    first = (await followed(crates, cursor)).pages[0]
    more = simulator.add("cargo").registry_name
    simulator.rebuild("cargo")
    rest = await followed(crates, first.cursor)
    assert rest.names == {*expected, more}


async def test_what_has_left_the_feed_is_in_the_next_dump(
    crates: Crates, simulator: Simulator
) -> None:
    """Between two reads more versions appeared than the feed has."""
    cursor = await crates.feed_end()
    lost = names(simulator, 30)
    for name in (*lost, *names(simulator, 110, start=100)):
        simulator.publish("cargo", name)
    first = await followed(crates, cursor)
    assert not first.names & set(lost)
    assert len(first.names) == 100
    assert (await followed(crates, first.cursor)).pages == []
    simulator.rebuild("cargo")
    second = await followed(crates, first.cursor)
    assert second.names == {*lost, *names(simulator, 10, start=100)}


async def test_what_the_feed_has_dropped_is_in_the_next_dump(
    crates: Crates, simulator: Simulator
) -> None:
    """A missing entry is not visible in the feed, but in the dump."""
    dropped, kept = names(simulator, 2)
    cursor = await crates.feed_end()
    simulator.publish("cargo", dropped)
    simulator.drop_feed_entries("cargo")
    simulator.publish("cargo", kept)
    first = await followed(crates, cursor)
    assert first.names == {kept}
    simulator.rebuild("cargo")
    second = await followed(crates, first.cursor)
    assert second.names == {dropped}


async def test_a_dump_that_is_older_than_the_cursor_proves_nothing(
    crates: Crates, simulator: Simulator
) -> None:
    """The next dump has the missing versions."""
    name, yanked = names(simulator, 2)
    simulator.rebuild("cargo")
    simulator.publish("cargo", name)
    cursor = await crates.feed_end()
    simulator.yank("cargo", yanked, simulator.truth("cargo", yanked).versions[0].name)
    # The same dump under another validator.
    forgotten = FeedPosition.read(cursor).model_copy(update={"dump_etag": None}).write()
    found = await followed(crates, forgotten)
    assert found.changes == []
    simulator.rebuild("cargo")
    assert (await followed(crates, found.cursor)).names == {yanked}
