"""The cache database: import names, and the commands that list and clear it."""

import pytest

from ssc_ingest.control.cache import Cache
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import RegistryUnavailable
from ssc_ingest.http.document_cache import Document, DocumentCache
from ssc_ingest.import_names.cache import TTL, ImportNamesCache
from ssc_ingest.models import VersionName
from ssc_ingest.resources import State

REF = ecosystems()["maven"].ref("com.example:Core")
VERSION = VersionName("1.0")
KEY = "import_names:maven:com.example:Core:1.0"


class Reading:
    """Reads import names, and counts its calls."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.times = 0

    async def __call__(self) -> tuple[str, ...]:
        self.times += 1
        return self.names


@pytest.mark.parametrize("names", [("com.example", "com.example.api"), ()])
async def test_import_names_are_read_once(state: State, names: tuple[str, ...]) -> None:
    """All processes share them for a week; an empty list is cached as well."""
    reading = Reading(names)
    for _ in range(2):
        cache = ImportNamesCache(state.cache)
        assert await cache.get(REF, VERSION, reading) == names
    assert reading.times == 1
    assert TTL - 60 < await state.cache.ttl(KEY) <= TTL
    other = Reading(("x",))
    assert await ImportNamesCache(state.cache).get(REF, VersionName("2"), other) == ("x",)


async def test_errors_are_not_kept(state: State) -> None:
    """A failed reading is repeated."""

    async def fail() -> tuple[str, ...]:
        raise RegistryUnavailable("HTTP 502")

    cache = ImportNamesCache(state.cache)
    with pytest.raises(RegistryUnavailable):
        await cache.get(REF, VERSION, fail)
    assert await cache.get(REF, VERSION, Reading(("a",))) == ("a",)


async def test_entries_are_listed_and_cleared(state: State) -> None:
    """Entries are listed and cleared by key or pattern; other databases are unaffected."""
    await ImportNamesCache(state.cache).get(REF, VERSION, Reading(("a",)))
    await DocumentCache(state.cache).put("https://repo.example/a.pom", Document(b"x" * 100))
    await state.cache.set("somebody:else", b"1")
    await state.redis.set("document:of-the-state", "1")
    cache = Cache(state.cache)
    found = {entry.key: entry async for entry in cache.entries()}
    assert set(found) == {KEY, "document:https://repo.example/a.pom", "somebody:else"}
    entry = found[KEY]
    assert entry.kind is not None
    assert entry.kind.name == "import_names"
    assert entry.size > 0
    assert entry.age is not None
    assert 0 <= entry.age < 60
    assert found["somebody:else"].kind is None
    assert found["somebody:else"].age is None
    assert [entry.key async for entry in cache.entries("import_names:maven:*")] == [KEY]
    assert await cache.clear("nothing:*") == 0
    assert await cache.clear(KEY) == 1
    assert await cache.clear("*") == 2
    assert await state.redis.exists("document:of-the-state")


async def test_clearing_works_page_by_page(state: State) -> None:
    """More keys than one round trip handles are cleared."""
    await state.cache.mset({f"document:{number}": b"1" for number in range(2500)})
    assert await Cache(state.cache).clear("document:*") == 2500
    assert await state.cache.dbsize() == 0
