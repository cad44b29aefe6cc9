"""Lists other NuGet sources: mirrors, empty ones, wrong ones."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import NamesPage
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.catalog import normalize_stamp
from ssc_ingest.ecosystems.nuget.feed import MAX_INDEX, MAX_PAGE
from ssc_ingest.errors import (
    IngestError,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.settings import Settings
from tests.contract.loopback import Loopback, loopback, packed, reading


async def names(nuget: NuGet) -> list[NamesPage]:
    """All pages of the listing."""
    return [page async for page in nuget.list_names(None)]


ELSEWHERE = "https://api.nuget.example/v3/catalog0"
STAMP = "2026-03-01T10:00:00.1234567Z"


def index(*urls: str, **fields: Any) -> str:
    """An index of another host, with these pages."""
    pages = [{"@id": url, "commitTimeStamp": STAMP} for url in urls]
    whole = {"@id": f"{ELSEWHERE}/index.json", "commitTimeStamp": STAMP, "count": len(pages)}
    return json.dumps({**whole, "items": pages, **fields})


def page(*rows: tuple[str, str]) -> str:
    """A page with these ids and versions."""
    items = [
        {"@type": "nuget:PackageDetails", "commitTimeStamp": STAMP, "nuget:id": name,
         "nuget:version": version}
        for name, version in rows
    ]  # fmt: skip
    return json.dumps({"commitTimeStamp": STAMP, "count": len(items), "items": items})


@pytest.fixture
async def mirror() -> AsyncIterator[Loopback]:
    """A copy of another host's catalog."""
    async with loopback() as server:
        yield server


@pytest.fixture
async def mirrored(
    mirror: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[NuGet]:
    """The ecosystem, reading the copy."""
    base = f"{mirror.url}/copy"
    async with reading(
        NuGet, settings, redis_url, registration=base, content=base, catalog=base
    ) as ecosystem:
        yield ecosystem


async def test_a_mirror_is_read_where_it_is(mirrored: NuGet, mirror: Loopback) -> None:
    """A mirror's documents contain the addresses of the original host."""
    mirror.serve("/copy/index.json", index(f"{ELSEWHERE}/page0.json", f"{ELSEWHERE}/x/page1.json"))
    mirror.serve("/copy/page0.json", page(("A", "1.0"), ("a", "2.0")))
    mirror.serve("/copy/x/page1.json", page(("B", "1.0")))
    found = await names(mirrored)
    assert [p.names for p in found] == [("a",), ("B",)]
    through = [json.loads(p.cursor).get("through") for p in found]
    assert through == [None, normalize_stamp(STAMP)]  # one stamp: behind it only at the end


@pytest.mark.parametrize(
    "url",
    ["https://elsewhere.example/page0.json", f"{ELSEWHERE}/../secret.json",
     f"{ELSEWHERE}/page0.json?x=1", f"{ELSEWHERE}//page0.json", "page0.json", ""],
)  # fmt: skip
async def test_pages_elsewhere_are_not_asked_for(
    mirrored: NuGet, mirror: Loopback, url: str
) -> None:
    """Only configured hosts are requested, and no path outside the catalog."""
    mirror.serve("/copy/index.json", index(url))
    with pytest.raises(IngestError):
        await names(mirrored)
    assert list(mirror.asked) == ["/copy/index.json"]


async def test_an_empty_catalog_is_empty(mirrored: NuGet, mirror: Loopback) -> None:
    """An empty catalog has one page without names, and a cursor."""
    mirror.serve("/copy/index.json", index())
    (only,) = await names(mirrored)
    assert (only.names, only.cursor) == ((), await mirrored.feed_end())


async def test_what_says_it_has_more_is_not_whole(mirrored: NuGet, mirror: Loopback) -> None:
    """Missing pages or items are requested again later."""
    mirror.serve("/copy/index.json", index(count=1))
    with pytest.raises(RegistryUnavailable, match="0 entries of 1"):
        await names(mirrored)
    mirror.serve("/copy/index.json", index(f"{ELSEWHERE}/page0.json"))
    mirror.serve("/copy/page0.json", page().replace('"count": 0', '"count": 2'))
    with pytest.raises(RegistryUnavailable, match="0 entries of 2"):
        await names(mirrored)


async def test_sizes_have_caps(mirrored: NuGet, mirror: Loopback) -> None:
    """The limits of sizes also apply to decompressed data."""
    zipped = {"Content-Encoding": "gzip"}
    mirror.serve("/copy/index.json", packed(MAX_INDEX // 2**20 + 1), headers=zipped)
    with pytest.raises(ResponseTooLarge):
        await names(mirrored)
    mirror.serve("/copy/index.json", index(f"{ELSEWHERE}/page0.json"))
    mirror.serve("/copy/page0.json", packed(MAX_PAGE // 2**20 + 1), headers=zipped)
    with pytest.raises(ResponseTooLarge):
        await names(mirrored)
