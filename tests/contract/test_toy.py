"""The smallest ecosystem lists and follows its registry as the protocol requires.

Plug-ins are not covered by our tests; this is the test of the example.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.errors import CursorExpired, InvalidName, StaleAnswer
from ssc_ingest.settings import Settings
from tests.contract.fetching import read
from tests.contract.loopback import reading
from tests.toy.registry import OLDEST, PAGE, ToyRegistry
from tests.toy.toy import Toy

NAMES = ["ball", "kite", "string", "truck", "wheel"]


@pytest.fixture
def toys() -> Iterator[ToyRegistry]:
    """A registry that sells :data:`NAMES`."""
    with ToyRegistry() as registry:
        for name in NAMES:
            registry.put(name, {"1": {}})
        yield registry


@pytest.fixture
async def toy(
    toys: ToyRegistry, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Toy]:
    """The ecosystem, reading that registry."""
    async with reading(Toy, settings, redis_url, api=toys.url) as ecosystem:
        yield ecosystem


async def test_names_are_listed_page_by_page(toy: Toy) -> None:
    """All names, and from any page's cursor the later ones."""
    pages = [page async for page in toy.list_names(None)]
    assert [name for page in pages for name in page.names] == NAMES
    assert {page.total for page in pages} == {len(NAMES)}
    later = [name async for page in toy.list_names(pages[0].cursor) for name in page.names]
    assert later == NAMES[PAGE:]


async def test_changes_are_followed(toy: Toy, toys: ToyRegistry) -> None:
    """Nothing at the end of the feed; later each change once per page."""
    end = await toy.feed_end()
    assert [page async for page in toy.list_changes(end)] == []
    toys.put("kite", {"1": {}, "2": {"string": ">= 1"}})
    toys.delete("ball")
    pages = [page async for page in toy.list_changes(end)]
    changes = {change.name: change for page in pages for change in page.changes}
    assert {name: change.deleted for name, change in changes.items()} == {
        "kite": False,
        "ball": True,
    }
    assert pages[-1].cursor == await toy.feed_end()
    package = (await read(toy, "kite", expected=changes["kite"].expected)).package
    assert package.latest == "2"
    with pytest.raises(StaleAnswer):
        await read(toy, "kite", expected="99")
    with pytest.raises(CursorExpired):
        _ = [page async for page in toy.list_changes(str(OLDEST - 1))]


def test_names() -> None:
    """Any case is one toy; path tricks are rejected."""
    assert Toy.ref("Kite") == Toy.ref("kite")
    for name in ("", "a/b", "../a", "a%2f", "a" * 5000, "a\n"):
        with pytest.raises(InvalidName):
            Toy.ref(name)
