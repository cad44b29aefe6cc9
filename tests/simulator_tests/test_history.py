"""The history of a simulated registry: ordered events, and listings without generating packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.history import last_of_each
from tests.simulator.registries import ECOSYSTEMS, open_registry
from tests.simulator.registry import Registry

every_ecosystem = pytest.mark.parametrize("ecosystem", [cls.name for cls in ECOSYSTEMS])


def edited(ecosystem: str = "npm") -> Registry:
    """Ten packages, and one edit of each kind."""
    registry = open_registry(ecosystem, packages=10, versions="3")
    versions = [release.version for release in registry.package(1).releases]  # type: ignore[union-attr]
    registry.publish(registry.name_of(0))
    registry.yank(registry.name_of(1), versions[0])
    registry.yank(registry.name_of(1), versions[0], yanked=False)
    registry.delete_version(registry.name_of(1), versions[1])
    registry.delete(registry.name_of(2))
    registry.add()
    return registry


@every_ecosystem
def test_edits_are_events(ecosystem: str) -> None:
    """Each edit has a new highest number, which the package has, too."""
    history = (registry := edited(ecosystem)).history
    assert [event.kind for event in history.events] == [
        "publish", "yank", "unyank", "delete-version", "delete", "add",
    ]  # fmt: skip
    assert [event.package for event in history.events] == [0, 1, 1, 1, 2, 10]
    first = history.start + 1
    assert [event.sequence for event in history.events] == [*range(first, first + 6)]
    assert history.moment_of(history.end) == history.events[-1].moment
    found = {index: registry.package(index) for index in range(registry.size)}
    numbers = {index: package.sequence for index, package in found.items() if package}
    assert numbers == {
        **{index: history.first_sequence(index) for index in range(3, 10)},
        0: first,
        1: first + 3,
        10: first + 5,
    }


@every_ecosystem
def test_listings_agree_with_the_packages(ecosystem: str) -> None:
    """Listings have the existing packages, with their names and numbers."""
    registry = edited(ecosystem)
    packages = filter(None, map(registry.package, range(registry.size)))
    assert [(p.index, p.name, p.sequence) for p in packages] == [
        (listed.package, listed.name, listed.sequence) for listed in registry.listed()
    ]


def test_a_stale_registry_shows_less() -> None:
    """A stale registry's end, feed and listing are those of before; the packages are current."""
    registry = edited()
    before = [listed.name for listed in open_registry("npm", packages=10).listed()]
    registry.history.show(0)
    assert [listed.name for listed in registry.listed()] == before
    assert (registry.history.end, registry.history.feed) == (registry.history.start, [])
    assert registry.package(2) is None
    registry.history.show(None)
    assert len(registry.history.feed) == 6


def test_dropped_entries_are_lost_to_the_feed_alone() -> None:
    """The last remaining ones are dropped; the end and the listing stay."""
    history = (registry := edited()).history
    end, listed = history.end, list(registry.listed())
    history.drop(2)
    assert [event.kind for event in history.feed][-1] == "delete-version"
    history.drop(1)
    assert [event.kind for event in history.feed][-1] == "unyank"
    assert (history.end, list(registry.listed())) == (end, listed)
    assert registry.name_of(2) in {p.name for p in registry.listed(history.feed)}


def test_a_reset_lowers_all_numbers_and_keeps_the_order() -> None:
    """Every number is below all earlier ones; times are as they were."""
    registry = edited()
    before = list(registry.listed())
    first = registry.history.first_sequence(0)
    registry.reset_sequence()
    after = list(registry.listed())
    assert [p._replace(sequence=0) for p in before] == [p._replace(sequence=0) for p in after]
    assert registry.history.end < first
    assert registry.package(0).sequence == registry.history.start + 1  # type: ignore[union-attr]
    assert registry.package(5).sequence == registry.history.first_sequence(5)  # type: ignore[union-attr]


def test_restoring_forgets_everything() -> None:
    """The registry is as at the start, also for clients with a validator."""
    fresh = open_registry("npm", packages=10)
    registry = edited()
    registry.reset_sequence()
    assert registry.history.state != fresh.history.state
    registry.restore()
    assert registry.history.state == fresh.history.state
    assert list(registry.listed()) == list(fresh.listed())


@given(st.lists(st.integers(0, 5)))
def test_last_events(indexes: list[int]) -> None:
    """The last events are one per package, in their order."""
    history = open_registry("npm", packages=10).history
    events = [history.record(index, "publish") for index in indexes]
    last = last_of_each(events)
    assert last.keys() == set(indexes)
    assert [*last.values()] == sorted(last.values())
    assert all(e.sequence <= last[e.package].sequence for e in events)


def test_a_million_packages_are_there_at_once() -> None:
    """Nothing is generated before it is requested."""
    registry = open_registry("pypi", packages=1_000_000)
    assert next(registry.listed()).package == 0
    assert registry.package(999_999) is not None
