"""Registries with one list of all packages: the dump of crates.io, and the list of RubyGems."""

import gzip
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.ecosystems.rubygems.lists import NO_VERSIONS
from ssc_ingest.errors import (
    CursorExpired,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryUnavailable,
    StaleAnswer,
)
from ssc_ingest.models import Package
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened, read
from tests.contract.listing import followed, listed
from tests.contract.test_listings.registries import LISTINGS
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

PACKAGES = 200
PAGE = 30


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a registry's list is, and what is announced of a package."""

    lists: tuple[str, ...]
    """The simulator's endpoints with the list, for a listing and for changes."""
    at_the_end: dict[str, int]
    """Statuses of the answers to: where is the end, and what is new there?"""
    announced: Callable[[Package], str]
    """What the registry announces of the package as it is."""
    no_lists: tuple[bytes, ...]
    """Bodies of answers that are no list of packages."""
    other: str
    """What it would announce of other content."""
    nothing: tuple[str | None, ...] = (None,)
    """What it announces of a package without versions."""


WHOLE = {
    "cargo": Whole(
        lists=("cargo.dump",),
        at_the_end={"200": 1, "206": 1, "304": 2},
        announced=lambda package: package.versions[-1].name,
        other="99.0.0",
        no_lists=(gzip.compress(b"no archive"),),
    ),
    "rubygems": Whole(
        lists=("rubygems.names", "rubygems.list"),
        at_the_end={"206": 2, "304": 1},
        announced=lambda package: (package.etag or "").strip('"'),
        other=NO_VERSIONS,
        no_lists=(b"---\n", b"created_at: 2026-11-01T00:00:00Z\n"),
        nothing=(None, NO_VERSIONS),
    ),
}


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """Registries of some packages."""
    with Simulator.start(packages=PACKAGES, versions="2-6") as simulator:
        yield simulator


@pytest.fixture(params=WHOLE)
def name(
    request: pytest.FixtureRequest, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The ecosystem's name; its pages are small."""
    monkeypatch.setattr(str(LISTINGS[request.param].page), PAGE)
    simulator.rebuild(request.param)
    return str(request.param)


@pytest.fixture
async def reader(
    name: str, simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading its simulated registry."""
    async with opened(ecosystem(name), simulator, settings, redis_url) as reader:
        yield reader


def names(simulator: Simulator, name: str, count: int) -> list[str]:
    """The names of this number of packages."""
    return [found.name for found in simulator.packages(name, count)]


async def test_one_request_lists_everything(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Each package is listed once; a deleted one is not."""
    simulator.add(name)
    simulator.delete(name, names(simulator, name, 1)[0])
    simulator.rebuild(name)
    found = await listed(reader)
    assert sorted(found.names) == sorted(simulator.names(name))
    assert (len(found.pages), found.requests) == (7, 1)


async def test_a_listing_does_not_go_on_in_another_list(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A new name may be anywhere in it, so the cursor expires."""
    page = (await listed(reader)).pages[3]
    simulator.add(name)
    simulator.rebuild(name)
    with pytest.raises(CursorExpired):
        await listed(reader, page.cursor)
    assert sorted((await listed(reader)).names) == sorted(simulator.names(name))


async def test_nothing_has_changed_at_the_end(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Few requests find the end and that nothing is new; none loads the whole list."""
    simulator.reset_counts()
    cursor = await reader.feed_end()
    assert simulator.counts().total == 2
    found = await followed(reader, cursor)
    assert (found.pages, found.requests) == ([], LISTINGS[name].idle)
    assert simulator.counts().statuses == WHOLE[name].at_the_end


async def test_exactly_the_rest_follows_each_cursor(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Each page's cursor leads to the rest, in any process."""
    cursor = await reader.feed_end()
    gone, *published = names(simulator, name, 101)
    for each in published:
        simulator.publish(name, each)
    simulator.delete(name, gone)
    if name == "cargo":
        simulator.rebuild(name)
    whole = await followed(reader, cursor)
    assert whole.names == {gone, *published}
    assert len(whole.pages) >= 4
    for number, page in enumerate(whole.pages, 1):
        rest = await followed(reader, page.cursor)
        told = {change.name for page in whole.pages[:number] for change in page.changes}
        assert rest.names == whole.names - told
        assert (await followed(reader, rest.cursor)).pages == []


async def test_another_answer_than_was_announced_is_stale(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A new, an unchanged or a missing file that is not the announced one is stale."""
    package = (await read(reader, names(simulator, name, 1)[0])).package
    known = [version.name for version in package.versions]
    right = WHOLE[name].announced(package)
    for etag in (None, package.etag):
        request = FetchRequest(package.ref, known=known, etag=etag, expected=WHOLE[name].other)
        with pytest.raises(StaleAnswer):
            await reader.fetch(request)
        request = FetchRequest(package.ref, known=known, etag=etag, expected=right)
        assert isinstance(await reader.fetch(request), NotModified if etag else Package)
    missing = reader.ref("never-published")
    with pytest.raises(StaleAnswer):
        await reader.fetch(FetchRequest(missing, expected=right))
    for nothing in WHOLE[name].nothing:
        with pytest.raises(PackageNotFound):
            await reader.fetch(FetchRequest(missing, expected=nothing))


DAMAGED = {
    "no list": ({"kind": "status", "status": 500}, RegistryUnavailable),
    "not now": ({"kind": "status", "status": 429}, RateLimited),
    "a page": ({"kind": "html"}, MalformedMetadata),
    "nothing": ({"kind": "empty"}, (RegistryUnavailable, MalformedMetadata)),
    "cut off": ({"kind": "truncate"}, RegistryUnavailable),
    "half of it": ({"kind": "not-json", "keep": 0.5}, RegistryUnavailable),
}


@pytest.mark.parametrize(("fault", "error"), DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_list_is_no_empty_registry(
    reader: Ecosystem, name: str, simulator: Simulator, fault: dict[str, Any], error: Any
) -> None:
    """If the list is damaged, both the listing and the feed raise an error."""
    cursor = await reader.feed_end()
    simulator.publish(name, names(simulator, name, 1)[0])
    simulator.rebuild(name)
    for endpoint in WHOLE[name].lists:
        simulator.fault(**fault, endpoint=endpoint)
    with pytest.raises(error):
        await listed(reader)
    with pytest.raises(error):
        await followed(reader, cursor)


async def test_another_document_is_no_empty_registry(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A complete answer that is no list is an error, too."""
    cursor = await reader.feed_end()
    simulator.rebuild(name)
    for body in WHOLE[name].no_lists:
        for endpoint in WHOLE[name].lists:
            simulator.fault("body", body=body, endpoint=endpoint)
        with pytest.raises((MalformedMetadata, RegistryUnavailable)):
            await listed(reader)
        with pytest.raises((MalformedMetadata, RegistryUnavailable)):
            await followed(reader, cursor)
        simulator.clear_faults()
