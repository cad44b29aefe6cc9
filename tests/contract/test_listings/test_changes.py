"""Rules for every feed of a registry: no change is lost, and reading goes on at each cursor."""

from contextlib import suppress

import pytest

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest
from ssc_ingest.errors import CursorExpired, RegistryUnavailable
from ssc_ingest.models import Package
from tests.contract.test_listings.conftest import SetPageSize
from tests.contract.test_listings.registries import (
    LISTINGS,
    changes_on,
    changing,
    first,
    last_cursor,
    listing,
    publish,
)
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


async def test_nothing_has_changed(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """If nothing has changed, an update costs few requests and returns no changes."""
    cursor = await reader.feed_end()
    for _ in range(2):
        simulator.reset_counts()
        pages = await changing(reader, cursor)
        assert changes_on(pages) == {}
        assert simulator.counts().total <= LISTINGS[name].idle
        cursor = last_cursor(pages, cursor)


async def test_exactly_what_has_changed(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """Every kind of event in the feed is reported, and nothing else."""
    untold = LISTINGS[name].untold
    published, yanked, shrunk, deleted = (
        found.name for found in simulator.packages(name, 4, start=200, traits=("many-versions",))
    )
    cursor = await reader.feed_end()
    simulator.publish(name, published)
    simulator.yank(name, yanked, simulator.truth(name, yanked).versions[-1].name)
    simulator.delete_version(name, shrunk, simulator.truth(name, shrunk).versions[0].name)
    simulator.delete(name, deleted)
    added = simulator.add(name).registry_name
    happened = {
        "publish": published, "yank": yanked, "delete-version": shrunk, "delete": deleted,
        "add": added,
    }  # fmt: skip
    assert happened.keys() == {event.kind for event in simulator.history(name)}

    pages = await changing(reader, cursor)
    found = changes_on(pages)
    assert found.keys() == {each for kind, each in happened.items() if kind not in untold}
    assert {each for each, change in found.items() if change.deleted} <= {deleted}
    assert changes_on(await changing(reader, last_cursor(pages, cursor))) == {}


async def test_what_is_expected_is_there(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A package has the announced state, so its response is not stale."""
    (found,) = simulator.packages(name, 1, start=60, traits=("requirements",))
    before = await reader.fetch(FetchRequest(reader.ref(found.name)))
    cursor = await reader.feed_end()
    truth = simulator.publish(name, found.name)
    (change,) = changes_on(await changing(reader, cursor)).values()
    assert isinstance(before, Package)
    after = await reader.fetch(
        FetchRequest(reader.ref(change.name), etag=before.etag, expected=change.expected)
    )
    assert isinstance(after, Package)
    assert [version.name for version in after.versions] == [v.name for v in truth.versions]


async def test_changes_go_on_at_every_cursor(
    reader: Ecosystem, name: str, simulator: Simulator, page_size: SetPageSize
) -> None:
    """Each page's cursor leads to the rest, with at most one repeated page."""
    page_size(10)
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100, 35)
    pages = await changing(reader, cursor)
    assert changes_on(pages).keys() == changed
    size = max(len(page.changes) for page in pages)
    for number, page in enumerate(pages):
        rest = changes_on(await changing(reader, page.cursor)).keys()
        before = changes_on(pages[: number + 1]).keys()
        assert before | rest == changed
        assert len(before & rest) <= size


async def test_changes_while_changes_are_read(
    reader: Ecosystem, name: str, simulator: Simulator, page_size: SetPageSize
) -> None:
    """Later changes are found from a page's cursor."""
    page_size(10)
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100, 35)
    for moment in range(3):
        page = await first(reader.list_changes(cursor))
        changed -= {change.name for change in page.changes}
        again = publish(simulator, name, 100, 5) | publish(simulator, name, 300 + moment)
        cursor, changed = page.cursor, changed | again
    assert changed <= changes_on(await changing(reader, cursor)).keys()


async def test_a_sequence_that_begins_anew(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """The cursor expires; the feed's new end and a listing replace it."""
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100)
    simulator.reset_sequence(name)
    if not LISTINGS[name].numbered:
        assert changes_on(await changing(reader, cursor)).keys() == changed
        return
    with pytest.raises(CursorExpired):
        await changing(reader, cursor)
    cursor = await reader.feed_end()
    assert LISTINGS[name].names(await listing(reader)) == sorted(simulator.names(name))
    changed = publish(simulator, name, 200)
    assert changes_on(await changing(reader, cursor)).keys() == changed


async def test_a_stale_page_loses_nothing(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Changes that a cache hides are found later from the earlier cursor."""
    begin = await reader.feed_end()
    changed = publish(simulator, name, 100, 3)
    simulator.stale(name)
    cursor = begin
    with suppress(RegistryUnavailable):
        cursor = last_cursor(await changing(reader, cursor), cursor)
    simulator.stale(name, on=False)
    assert changes_on(await changing(reader, cursor)).keys() == changed


async def test_a_page_from_before_the_cursor(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A cache older than the cursor neither moves it back nor ends the feed."""
    publish(simulator, name, 100, 3)
    cursor = await reader.feed_end()
    simulator.stale(name)
    with suppress(RegistryUnavailable):
        pages = await changing(reader, cursor)
        assert changes_on(pages) == {}
        cursor = last_cursor(pages, cursor)
    simulator.stale(name, on=False)
    changed = publish(simulator, name, 200)
    assert changes_on(await changing(reader, cursor)).keys() == changed


async def test_dropped_entries(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """A feed with lost entries is detected, or continues with later entries.

    If it is not detected, a staleness run finds the package.
    """
    cursor = await reader.feed_end()
    dropped = publish(simulator, name, 100)
    simulator.drop_feed_entries(name)
    changed = publish(simulator, name, 200, 2)
    if LISTINGS[name].notices_gaps:
        with pytest.raises(CursorExpired):
            await changing(reader, cursor)
        return
    pages = await changing(reader, cursor)
    healed = dropped if LISTINGS[name].tells_twice else set()
    assert changes_on(pages).keys() == changed | healed
    (lost,) = dropped
    changed = publish(simulator, name, 300)
    pages = await changing(reader, last_cursor(pages, cursor))
    assert changes_on(pages).keys() == changed
    answer = await reader.fetch(FetchRequest(reader.ref(lost)))
    assert isinstance(answer, Package)
    assert len(answer.versions) == len(simulator.truth(name, lost).versions)
