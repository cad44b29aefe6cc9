"""Shortly after a release, a POM or a parent of the listed version may be missing."""

from datetime import datetime, timedelta

import pytest

from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.ecosystems.maven.fetch import MAX_AWAITED
from ssc_ingest.extraction.extract import Attempt
from ssc_ingest.models import VersionName, now
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from tests.conftest import Cypher
from tests.contract.fetching import extracting, read
from tests.contract.test_maven_fetch.repository import Repository, requirements
from tests.unit.maven_folder import bill, dependencies, dependency, managed, parent


def days_ago(days: float) -> datetime:
    """A time this number of days ago."""
    return now() - timedelta(days=days)


def stamp(moment: datetime) -> str:
    """A time in the format of lists of versions."""
    return f"{moment:%Y%m%d%H%M%S}"


LATELY = days_ago(1)
LONG_AGO = days_ago(8)

REQUIRED = """
MATCH (v:Version)
RETURN v.name AS name, COLLECT { MATCH (v)-[r:REQUIRE]->() RETURN r.constraints } AS required
"""


@pytest.mark.parametrize("days", [0, 1, 6.9, -0.1])
async def test_a_pom_that_is_not_there_yet(
    maven: Maven, repository: Repository, days: float
) -> None:
    """The next reading requests the missing POM of a recent release again."""
    body = "<url>https://github.com/o/r</url>" + dependencies(dependency("x:a", "1"))
    repository.publish("g:a", "1", "2", body=body, lastUpdated=stamp(days_ago(days)))
    pom = repository.documents.pop(repository.path("g:a:2"))
    first = (await read(maven, "g:a")).package
    assert [requirements(first, v) for v in "12"] == [{"x:a": "[1]"}, None]
    assert [version.requirements_unknown for version in first.versions] == [False, True]
    assert [version.provisional for version in first.versions] == [False, True]
    assert first.latest == "2"
    assert (first.vendor, first.repository_url, first.etag) == (None, None, None)
    repository.documents[repository.path("g:a:2")] = pom
    second = (await read(maven, "g:a", known=[VersionName("1")], etag=first.etag)).package
    assert [requirements(second, v) for v in "12"] == [None, {"x:a": "[1]"}]
    assert second.repository_url == "https://github.com/o/r"
    assert second.etag


async def test_what_was_not_there_yet_gets_into_the_graph(
    maven: Maven,
    repository: Repository,
    settings: Settings,
    servers: Servers,
    *,
    clean_graph: None,
    cypher: Cypher,
) -> None:
    """The list is unchanged, but the version was awaited."""
    body = dependencies(dependency("x:a", "1"))
    repository.publish("g:a", "1", "2", body=body, lastUpdated=stamp(LATELY))
    pom = repository.documents.pop(repository.path("g:a:2"))
    request = ExtractPackage(ecosystem="maven", name="g:a", refresh=True)
    async with extracting(maven, settings, servers) as resources:

        async def extracted() -> dict[str, list[str]]:
            await resources.extractor().extract(
                request, Attempt(urgent=True, requested=False, resume=False)
            )
            return {row["name"]: row["required"] for row in cypher(REQUIRED)}

        assert await extracted() == {"1": ["[1]"], "2": []}
        repository.documents[repository.path("g:a:2")] = pom
        assert await extracted() == {"1": ["[1]"], "2": ["[1]"]}
        asked = repository.asked.total()
        await extracted()
        assert repository.asked.total() == asked + 1


@pytest.mark.parametrize(
    "versioning",
    [
        {},
        {"lastUpdated": stamp(LONG_AGO)},
        {"lastUpdated": stamp(LATELY)[:8]},
        {"lastUpdated": "99991231235959"},
        {"lastUpdated": "20261301000000"},
    ],
    ids=["untold", "long ago", "a day", "far ahead", "no date"],
)
async def test_a_pom_that_is_missing_for_good(
    maven: Maven, repository: Repository, versioning: dict[str, str]
) -> None:
    """Updates of the package do not request it again."""
    repository.publish("g:a", "1", "2", **versioning)
    del repository.documents[repository.path("g:a:2")]
    package = (await read(maven, "g:a")).package
    assert [requirements(package, v) for v in "12"] == [{}, None]
    assert [version.requirements_unknown for version in package.versions] == [False, True]
    assert package.etag


async def test_many_missing_poms_are_no_delay(maven: Maven, repository: Repository) -> None:
    """A release has few versions; many missing POMs never existed."""
    names = [str(number) for number in range(MAX_AWAITED + 1)]
    repository.publish("g:a", *names, "100", lastUpdated=stamp(LATELY))
    for name in names:
        del repository.documents[repository.path(f"g:a:{name}")]
    package = (await read(maven, "g:a")).package
    *missing, last = package.versions
    assert {(v.requirements, v.requirements_unknown) for v in missing} == {(None, True)}
    assert (last.requirements, last.requirements_unknown) == ((), False)
    assert package.etag


@pytest.mark.parametrize("of", ["parent", "grandparent", "bill"])
@pytest.mark.parametrize(
    ("updated", "released", "is_awaited"),
    [(LATELY, LATELY, True), (LONG_AGO, LATELY, False), (LATELY, LONG_AGO, False)],
)
async def test_a_parent_that_is_not_there_yet(  # noqa: PLR0917
    maven: Maven,
    repository: Repository,
    of: str,
    updated: datetime,
    released: datetime,
    is_awaited: bool,  # noqa: FBT001
) -> None:
    """A recently released version is read again, an older one is not."""
    repository.date = f"{released:%a, %d %b %Y %H:%M:%S} GMT"
    bodies = {
        "parent": parent("g:late:2"),
        "grandparent": parent("g:parent:1"),
        "bill": managed(bill("g:late", "2")),
    }
    repository.add("g:parent:1", parent("g:late:2"))
    own = dependencies(dependency("x:a"))
    repository.publish("g:a", "1", "2", body=own, lastUpdated=stamp(updated))
    repository.add("g:a:2", bodies[of] + own)
    first = (await read(maven, "g:a")).package
    assert requirements(first, "1") == {"x:a": "any"}
    assert requirements(first, "2") == {"x:a": "any"}
    assert (first.etag is None) == is_awaited
    assert [version.provisional for version in first.versions] == [False, is_awaited]
    repository.add("g:late:2", managed(dependency("x:a", "7")))
    if is_awaited:
        second = (await read(maven, "g:a", known=[VersionName("1")])).package
        assert requirements(second, "2") == {"x:a": "[7]"}
