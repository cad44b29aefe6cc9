"""Reads gems over HTTP: the requested documents, and the results."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.rubygems import RubyGems
from ssc_ingest.ecosystems.rubygems.fetch import MAX_DOCUMENT
from ssc_ingest.errors import (
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryUnavailable,
)
from ssc_ingest.extraction.extract import Attempt
from ssc_ingest.models import Package, VersionName
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from tests.conftest import Cypher
from tests.contract.fetching import extracting, read
from tests.contract.loopback import Loopback, loopback, packed, reading

pytest_plugins = ("tests.simulator.fixtures",)

TEXT = "text/plain; charset=utf-8"
DATE = "2024-05-06T07:08:09.010Z"


@pytest.fixture
async def registry() -> AsyncIterator[Loopback]:
    """A registry with one gem, in the format without dates in the index."""
    async with loopback() as server:
        server.serve(
            "/info/demo",
            "---\n1.0 json:~> 2.0|checksum:1\n1.0-java json:~> 2.0,jar:>= 0|checksum:2\n"
            "1.1.0.rc1 |checksum:3\n",
            media_type=TEXT,
        )
        server.serve("/api/v1/versions/demo.json", versions("1.0", "1.1.0.rc1"))
        server.serve("/api/v1/gems/demo.json", gem(homepage_uri="https://github.com/o/demo"))
        yield server


@pytest.fixture
async def rubygems(
    registry: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[RubyGems]:
    """The ecosystem, reading that registry."""
    urls = {"index": registry.url, "api": f"{registry.url}/api/v1"}
    async with reading(RubyGems, settings, redis_url, **urls) as ecosystem:
        yield ecosystem


def versions(*numbers: str, **metadata: str) -> str:
    """The API's list of these versions."""
    return json.dumps(
        [
            {"number": n, "platform": "ruby", "created_at": DATE, "metadata": metadata}
            for n in numbers
        ]
    )


def gem(name: str = "demo", **links: str) -> str:
    """The API's document of a gem."""
    return json.dumps({"name": name, **links})


def dates(package: Package) -> dict[str, datetime | None]:
    """Release date by version."""
    return {version.name: version.release_date for version in package.versions}


# What is read -------------------------------------------------------------------------------


async def test_gem_is_read(rubygems: RubyGems, registry: Loopback) -> None:
    """Versions in order, dates, requirements and links of a new gem."""
    package = (await read(rubygems, "demo")).package
    assert package.ref == RubyGems.ref("demo")
    assert [(v.name, v.purl, v.yanked) for v in package.versions] == [
        ("1.0", "pkg:gem/demo@1.0", False),
        ("1.1.0.rc1", "pkg:gem/demo@1.1.0.rc1", False),
    ]
    assert package.latest == "1.0"
    assert set(dates(package).values()) == {datetime(2024, 5, 6, 7, 8, 9, 10_000, UTC)}
    first, second = (version.requirements for version in package.versions)
    assert first is not None
    assert [(r.package.purl, r.constraints) for r in first] == [("pkg:gem/json", "~> 2.0")]
    assert second == ()
    assert (package.vendor, package.repository_url) == ("o", "https://github.com/o/demo")


async def test_facts_are_read(rubygems: RubyGems, registry: Loopback) -> None:
    """The Ruby that a version needs, its builds, and licences of the API's two documents."""
    registry.serve(
        "/info/demo",
        "---\n1.0-java |created_at:2026-01-02T03:04:05Z\n1.0 a:>= 1|ruby:>= 2.5\n1.1 |ruby:> 3\n",
    )
    two = [{"number": n, "platform": "ruby", "created_at": DATE} for n in ("1.0", "1.1")]
    registry.serve(
        "/api/v1/versions/demo.json", json.dumps([{**two[0], "licenses": ["Ruby", "MIT"]}, two[1]])
    )
    document = {"name": "demo", "version": "1.1", "licenses": ["mit"]}
    registry.serve("/api/v1/gems/demo.json", json.dumps(document))
    package = (await read(rubygems, "demo")).package
    assert [(v.engines, v.license, v.license_spdx) for v in package.versions] == [
        ('{"ruby":">= 2.5"}', "Ruby, MIT", None),
        ('{"ruby":"> 3"}', "mit", "MIT"),
    ]
    assert [v.builds for v in package.versions] == [
        '{"java":{},"ruby":{"engines":{"ruby":">= 2.5"},"requirements":{"a":">= 1"}}}',
        None,
    ]


# How many requests --------------------------------------------------------------------------


async def test_new_gem_whose_metadata_name_the_source_costs_two(
    rubygems: RubyGems, registry: Loopback
) -> None:
    """One of the two responses has the versions' dates and the repository."""
    source = {"source_code_uri": "https://github.com/o/meta"}
    registry.serve("/api/v1/versions/demo.json", versions("1.0", "1.1.0.rc1", **source))
    reading = await read(rubygems, "demo")
    assert reading.requests == 2
    assert reading.package.repository_url == "https://github.com/o/meta"


async def test_new_gem_whose_metadata_do_not_costs_three(
    rubygems: RubyGems, registry: Loopback
) -> None:
    """Older gemspecs have only a home page, in the gem's own document."""
    assert (await read(rubygems, "demo")).requests == 3
    assert registry.asked == dict.fromkeys(registry.answers, 1)


async def test_index_with_dates_costs_two_for_a_new_gem(
    rubygems: RubyGems, registry: Loopback
) -> None:
    """If the index has the dates, the API's are not requested."""
    registry.serve("/info/demo", "---\n1.0 |checksum:1,created_at:2026-01-02T03:04:05Z\n")
    reading = await read(rubygems, "demo")
    assert reading.requests == 2
    assert dates(reading.package) == {"1.0": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    assert reading.package.repository_url == "https://github.com/o/demo"
    assert registry.asked["/api/v1/versions/demo.json"] == 0


@pytest.mark.parametrize("created_at", ["", ",created_at:2026-01-02T03:04:05Z"])
async def test_one_new_version_costs_two(
    rubygems: RubyGems, registry: Loopback, created_at: str
) -> None:
    """The second request is for its date, or if the index has the date, for its links."""
    registry.serve("/info/demo", f"---\n1.0 |checksum:1\n2.0 |checksum:1{created_at}\n")
    registry.serve("/api/v1/versions/demo.json", versions("1.0", "2.0"))
    reading = await read(rubygems, "demo", known=[VersionName("1.0")])
    assert reading.requests == 2
    assert dates(reading.package)["2.0"] is not None
    assert reading.package.repository_url == ("https://github.com/o/demo" if created_at else None)


async def test_new_old_version_with_a_date_costs_one(
    rubygems: RubyGems, registry: Loopback
) -> None:
    """A back-port does not change the links of the gem."""
    registry.serve("/info/demo", "---\n2.0 |\n1.9.1 |created_at:2026-01-02T03:04:05Z\n")
    reading = await read(rubygems, "demo", known=[VersionName("2.0")])
    assert reading.requests == 1
    assert (reading.package.vendor, reading.package.repository_url) == (None, None)


async def test_nothing_new_costs_one(rubygems: RubyGems, registry: Loopback) -> None:
    """The graph keeps its values; requirements come with the same response."""
    known = [VersionName("1.0"), VersionName("1.1.0.rc1")]
    reading = await read(rubygems, "demo", known=known)
    assert reading.requests == 1
    assert (reading.package.vendor, reading.package.repository_url) == (None, None)
    assert set(dates(reading.package).values()) == {None}
    assert all(version.requirements is not None for version in reading.package.versions)


async def test_asked_by_name_everything_is_read(rubygems: RubyGems, registry: Loopback) -> None:
    """A request by name reads dates and links that an earlier reading may have missed."""
    known = [VersionName("1.0"), VersionName("1.1.0.rc1")]
    reading = await read(rubygems, "demo", known=known, full=True)
    assert reading.requests == 3
    assert None not in dates(reading.package).values()
    assert reading.package.repository_url == "https://github.com/o/demo"


async def test_unchanged_gem_costs_an_empty_answer(rubygems: RubyGems, registry: Loopback) -> None:
    """The request has the graph's validator."""
    package = (await read(rubygems, "demo")).package
    registry.asked.clear()
    answer = await rubygems.fetch(FetchRequest(rubygems.ref("demo"), etag=package.etag))
    assert isinstance(answer, NotModified)
    assert answer.fetched_at >= package.fetched_at
    assert registry.asked == {"/info/demo": 1}


# Names with capitals --------------------------------------------------------------------------


@pytest.mark.parametrize(("twin", "name"), [(False, "zentest"), (True, "ZenTest")])
async def test_lower_case_name_belongs_to_who_is_spelled_so(
    rubygems: RubyGems,
    registry: Loopback,
    twin: bool,  # noqa: FBT001
    name: str,
) -> None:
    """A gem with capitals costs one more request. Requests have the registry's own spelling."""
    registry.serve("/info/ZenTest", "---\n4.12.0 |created_at:2026-01-02T03:04:05Z\n")
    registry.serve("/api/v1/gems/ZenTest.json", gem("ZenTest"))
    if twin:
        registry.serve("/info/zentest", "---\n1.0 |\n")
    reading = await read(rubygems, "ZenTest")
    assert reading.requests == 3
    assert (reading.package.ref.name, reading.package.ref.registry_name) == (name, "ZenTest")
    assert reading.package.ref.purl == "pkg:gem/ZenTest"
    assert [version.name for version in reading.package.versions] == ["4.12.0"]


# What was yanked --------------------------------------------------------------------------------


async def test_version_that_has_left_the_index_is_yanked(
    rubygems: RubyGems, registry: Loopback
) -> None:
    """A yanked version keeps its position and its data, and is not the latest."""
    known = [VersionName(name) for name in ("0.9", "1.0", "1.1.0.rc1", "2.0")]
    reading = await read(rubygems, "demo", known=known)
    assert [(v.name, v.yanked, v.requirements is None) for v in reading.package.versions] == [
        ("0.9", True, True),
        ("1.0", False, False),
        ("1.1.0.rc1", False, False),
        ("2.0", True, True),
    ]
    assert reading.package.versions[-1].release_date is None
    assert reading.package.latest == "1.0"
    assert reading.requests == 1


async def test_version_whose_line_cannot_be_read_is_not_yanked(
    rubygems: RubyGems, registry: Loopback
) -> None:
    """A version whose line cannot be read still exists."""
    registry.serve("/info/demo", "---\n1.0 |\n2.0|new\n2.1\tnew\n2.2-java\tx\n2.30 |\n")
    known = [VersionName(name) for name in ("1.0", "2.0", "2.1", "2.2", "2.3", "2.30")]
    package = (await read(rubygems, "demo", known=known)).package
    assert [(v.name, v.yanked) for v in package.versions] == [
        ("1.0", False),
        ("2.3", True),
        ("2.30", False),
    ]


VERSIONS = """
MATCH (p:RubyGemsPackage)-[:HAVE]->(v) RETURN v{.*, vulnerabilities: null, latest: p.latest,
  requires: COLLECT { MATCH (v)-[r:REQUIRE]->(d) RETURN d.name + ' ' + r.constraints }
} AS version ORDER BY v.serial_number
"""


async def test_yanked_version_keeps_what_is_known_of_it(
    rubygems: RubyGems,
    registry: Loopback,
    settings: Settings,
    servers: Servers,
    *,
    clean_graph: None,
    cypher: Cypher,
) -> None:
    """Only ``yanked`` changes in a yanked version, and changes back if the version returns."""
    lines = [
        "1.0 json:~> 2.0|created_at:2026-01-02T03:04:05Z",
        "1.1 json:~> 2.1|created_at:2026-02-02T03:04:05Z",
        "1.2 json:~> 2.2|created_at:2026-03-02T03:04:05Z",
    ]
    request = ExtractPackage(ecosystem="rubygems", name="demo", refresh=True)
    async with extracting(rubygems, settings, servers) as resources:

        async def extracted(*lines: str) -> list[dict[str, Any]]:
            registry.serve("/info/demo", "\n".join(["---", *lines, ""]), media_type=TEXT)
            await resources.extractor().extract(
                request, Attempt(urgent=True, requested=False, resume=False)
            )
            return [row["version"] for row in cypher(VERSIONS)]

        before = await extracted(*lines)
        assert [version["yanked"] for version in before] == [False, False, False]
        first, second, third = before
        after = await extracted(lines[1])
        assert after == [
            {**first, "yanked": True, "latest": "1.1"},
            {**second, "latest": "1.1"},
            {**third, "yanked": True, "latest": "1.1"},
        ]
        assert await extracted(*lines) == before


# What is not there ------------------------------------------------------------------------------


async def test_gem_of_yanked_versions_is_not_found(rubygems: RubyGems, registry: Loopback) -> None:
    """A gem without lines cannot be installed."""
    registry.serve("/info/demo", "---\n", media_type=TEXT)
    with pytest.raises(PackageNotFound):
        await rubygems.fetch(FetchRequest(rubygems.ref("demo")))


# What goes wrong ----------------------------------------------------------------------------------

WRONG_DIGEST = {"Repr-Digest": "sha-512=:eHh4:, sha-256=:eHh4eHh4eHh4eHh4:"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"body": "---\n{}\n"}, MalformedMetadata),
        ({"body": "---\n1.0 |\n", "headers": WRONG_DIGEST}, RegistryUnavailable),
    ],
    ids=["no-lines", "another-digest"],
)
async def test_index_that_is_none_is_not_taken_for_a_gem(
    rubygems: RubyGems, registry: Loopback, answer: dict[str, Any], error: type[IngestError]
) -> None:
    """Other text is malformed; a wrong digest means a damaged transfer."""
    registry.serve("/info/demo", **answer)
    with pytest.raises(error):
        await rubygems.fetch(FetchRequest(rubygems.ref("demo")))


@pytest.mark.parametrize("document", ["versions", "gems"])
@pytest.mark.parametrize(
    "answer",
    [
        {"body": "<!DOCTYPE html>", "media_type": "text/html"},
        {"body": ""},
        {"body": "{}"},
        {"body": "[{}]"},
        {"body": "This rubygem could not be found.", "status": 404},
        {"body": "", "status": 500},
        {"body": "[", "promised": 100},
        {"body": packed(MAX_DOCUMENT // 1024 // 1024 + 1), "headers": {"Content-Encoding": "gzip"}},
    ],
    ids=["html", "empty", "keys", "keys-inside", "gone", "error", "truncated", "bomb"],
)
async def test_gem_is_taken_without_what_the_api_cannot_tell(
    rubygems: RubyGems, registry: Loopback, document: str, answer: dict[str, Any]
) -> None:
    """Dates are unknown, or the graph keeps its links; with a warning."""
    registry.serve(f"/api/v1/{document}/demo.json", **answer)
    with capture_logs() as logs:
        package = (await read(rubygems, "demo")).package
    assert [version.name for version in package.versions] == ["1.0", "1.1.0.rc1"]
    if document == "versions":
        assert [log["event"] for log in logs] == ["release_dates_unknown"]
        assert set(dates(package).values()) == {None}
        assert package.repository_url == "https://github.com/o/demo"
    else:
        assert [log["event"] for log in logs] == ["repository_unknown"]
        assert None not in dates(package).values()
        assert (package.vendor, package.repository_url) == (None, None)


@pytest.mark.parametrize("document", ["versions", "gems"])
async def test_waiting_for_the_api_is_no_failure(
    rubygems: RubyGems, registry: Loopback, document: str
) -> None:
    """The fetch waits for the API; otherwise gems would lack dates after a busy hour."""
    registry.serve(f"/api/v1/{document}/demo.json", "", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited):
        await rubygems.fetch(FetchRequest(rubygems.ref("demo")))
