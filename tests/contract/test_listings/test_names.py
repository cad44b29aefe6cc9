"""Rules for every listing of a registry: all names, and reading goes on at each cursor."""

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import CursorExpired
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.contract.test_listings.registries import LISTINGS, first, listing, names_on, publish
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


async def test_all_names_are_listed(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """Each existing name occurs once, in the registry's spelling; the total is announced."""
    row = LISTINGS[name]
    deleted = simulator.packages(name, 1, start=7)[0].name
    simulator.delete(name, deleted)
    simulator.add(name)
    pages = await listing(reader)
    found = row.names(pages)
    assert found == sorted([*simulator.names(name), *([deleted] if row.is_history else [])])
    assert len(set(found)) == len(found) == 1000 + row.is_history
    assert all(len(set(page.names)) == len(page.names) for page in pages)
    assert all(page.total is None or abs(page.total - 1000) < 10 for page in pages)
    assert {page.repeats for page in pages} == {row.is_history}


async def test_a_listing_goes_on_at_every_cursor(
    reader: Ecosystem,
    name: str,
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
) -> None:
    """Another process with a page's cursor lists exactly the remaining names."""
    pages = await listing(reader)
    assert len(pages) > 1
    for number, page in enumerate(pages):
        async with opened(ecosystem(name), simulator, settings, redis_url) as other:
            rest = names_on(await listing(other, page.cursor))
        assert rest == names_on(pages[number + 1 :])


async def test_a_listing_goes_on_although_the_registry_has_changed(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Packages that existed all the time are listed, or the cursor expires."""
    begin = await first(reader.list_names(None))
    gone = [found.name for found in simulator.packages(name, 5, start=3)]
    for each in gone:
        simulator.delete(name, each)
    publish(simulator, name, 500, 3)
    simulator.add(name)
    try:
        rest = await listing(reader, begin.cursor)
    except CursorExpired:
        rest = await listing(reader)
    found = {*begin.names, *names_on(rest)}
    stayed = {package.name for package in simulator.packages(name, 995) if package.name not in gone}
    assert stayed - found == set()
