"""Reading packages of Maven Central over HTTP, from a repository of our own making."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio as redis
from aiohttp import web

from ssc_ingest.arguments import ExtractPackage
from ssc_ingest.documents import DocumentCache
from ssc_ingest.ecosystems.base import NotModified
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven import AT_A_TIME, MOST_AWAITED, Maven
from ssc_ingest.ecosystems.maven.pom import MAX_POM
from ssc_ingest.errors import (
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryUnavailable,
)
from ssc_ingest.extraction import extract
from ssc_ingest.http import RegistryClient, open_transport
from ssc_ingest.models import Package, VersionName, now
from ssc_ingest.ratelimit import RateLimiter
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import Settings
from tests.conftest import Cypher
from tests.contract.fetching import extracting, read
from tests.unit.maven_folder import bill, dependencies, dependency, managed, parent, properties

DATE = "Mon, 07 Jul 2025 10:11:12 GMT"


@dataclass
class Repository:
    """Documents by path; what has none is not found. Counts how often each is asked for."""

    documents: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    date: str = DATE
    at_once: int = 0
    most_at_once: int = 0

    def add(self, coordinates: str, body: str) -> None:
        """Put a POM at ``group:artifact:version``."""
        group, artifact, version = coordinates.split(":")
        self.documents[self.path(coordinates)] = (
            f'<project xmlns="http://maven.apache.org/POM/4.0.0"><artifactId>{artifact}</artifactId>'
            f"<groupId>{group}</groupId><version>{version}</version>{body}</project>"
        ).encode()

    def publish(self, name: str, *versions: str, body: str = "", **versioning: str) -> None:
        """List these versions of ``group:artifact``, each with this POM."""
        group, artifact = name.split(":")
        items = "".join(f"<version>{version}</version>" for version in versions)
        hints = "".join(f"<{key}>{value}</{key}>" for key, value in versioning.items())
        self.documents[self.list_path(name)] = (
            f"<metadata><groupId>{group}</groupId><artifactId>{artifact}</artifactId><versioning>"
            f"{hints}<versions>{items}</versions></versioning></metadata>"
        ).encode()
        for version in versions:
            self.add(f"{name}:{version}", body)

    @staticmethod
    def path(coordinates: str) -> str:
        """Where the POM of ``group:artifact:version`` is."""
        group, artifact, version = coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.pom"

    @staticmethod
    def list_path(name: str) -> str:
        """Where the list of versions of ``group:artifact`` is."""
        return f"{name.replace('.', '/').replace(':', '/')}/maven-metadata.xml"

    async def answer(self, request: web.Request) -> web.Response:
        """Maven Central's manners: validators, and dates on everything."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            return self._answer(request)
        finally:
            self.at_once -= 1

    def _answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.asked[path] += 1
        if path in self.statuses:
            return web.Response(status=self.statuses[path])
        if path not in self.documents:
            return web.Response(status=404, text="<html>404</html>", content_type="text/html")
        body = self.documents[path]
        etag = f'"{hash(body)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        html = body.startswith(b"<!doctype html")
        headers = {"ETag": etag, "Last-Modified": self.date}
        content_type = "text/html" if html else "text/xml"
        return web.Response(body=body, headers=headers, content_type=content_type)


@pytest.fixture
def repository() -> Repository:
    """An empty repository."""
    return Repository()


@pytest.fixture
async def cache(stack: EmbeddedAddresses, clean_redis: None) -> AsyncIterator[redis.Redis]:
    """The cache that workers share."""
    assert stack.redis_url
    async with redis.Redis.from_url(stack.redis_url, db=3) as client:
        yield client


@pytest.fixture
async def base_url(repository: Repository) -> AsyncIterator[str]:
    """The repository's address."""
    application = web.Application()
    application.router.add_get("/maven2/{path:.*}", repository.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/maven2"
    await runner.cleanup()


@pytest.fixture
async def workers(
    base_url: str, stack: EmbeddedAddresses, settings: Settings, cache: redis.Redis
) -> AsyncIterator[list[Maven]]:
    """The ecosystem, as two processes have it."""
    assert stack.redis_url
    endpoints = Endpoints({"repository": base_url}, {"repository": 5})
    state = redis.Redis.from_url(stack.redis_url, decode_responses=True)
    async with state, open_transport(settings) as transport:
        limiter = RateLimiter(state)
        yield [
            Maven(
                RegistryClient(transport, limiter, endpoints.hosts, DocumentCache(cache)), endpoints
            )
            for _ in range(2)
        ]


@pytest.fixture
def maven(workers: list[Maven]) -> Maven:
    """The ecosystem of one process."""
    return workers[0]


def requirements(package: Package, version: str) -> dict[str, str] | None:
    """Constraint by package of one version."""
    found = next(v for v in package.versions if v.name == version).requirements
    return None if found is None else {r.package.registry_name: r.constraints for r in found}


# What is read ----------------------------------------------------------------------------------


async def test_a_package_with_parents(maven: Maven, repository: Repository) -> None:
    """Names, order, dates, links and requirements; one request a document."""
    scm = "<scm><connection>scm:git:git://github.com/acme/things.git</connection></scm>"
    repository.add(
        "org.acme:parent:1.1",
        scm + managed(dependency("org.x:managed", "${m}"), bill("org.x:bom", "3")),
    )
    repository.add("org.x:bom:3", managed(dependency("org.x:billed", "[3,4)")))
    repository.publish(
        "org.acme:thing", "1.10", "1.2", "1.1", "2.0-rc1",
        body=parent("org.acme:parent:1.1") + properties(m="7") + dependencies(
            dependency("org.x:managed"), dependency("org.x:billed"), dependency("org.X:Nobody"),
            dependency("org.x:own", "${project.version}"), dependency("org.x:own", "1.1", type="x"),
            dependency("org.x:run", "1", scope="runtime"), dependency("x:test", "1", scope="test"),
            dependency("x:given", "1", scope="provided"), dependency("x:opt", "1", optional="true"),
            dependency("x:tools", "1", scope="system"), dependency("${no}:such", "1"),
        ),
    )  # fmt: skip
    repository.add("org.acme:thing:1.1", parent("org.acme:parent:1.1"))
    reading = await read(maven, "org.acme:thing")
    package = reading.package
    assert (package.ref.purl, package.ref.name) == ("pkg:maven/org.acme/thing", "org.acme:thing")
    assert package.ref.properties == {"group_id": "org.acme", "artifact_id": "thing"}
    assert [v.name for v in package.versions] == ["1.1", "1.2", "1.10", "2.0-rc1"]
    assert package.versions[0].purl == "pkg:maven/org.acme/thing@1.1"
    assert {v.release_date for v in package.versions} == {
        datetime(2025, 7, 7, 10, 11, 12, tzinfo=UTC)
    }
    assert requirements(package, "1.1") == {}
    assert requirements(package, "1.10") == {
        "org.x:managed": "[7]", "org.x:billed": "[3,4)", "org.X:Nobody": "any",
        "org.x:own": "[1.1],[1.10]", "org.x:run": "[1]",
    }  # fmt: skip
    assert package.latest == "1.10"
    assert (package.vendor, package.repository_url) == (
        "org",
        "n/a",
    )  # the parent is of another release
    assert maven.fallback_import_name(package.ref) == "org.acme"
    assert reading.requests == sum(repository.asked.values()) == 1 + 4 + 2
    assert set(repository.asked.values()) == {1}


async def test_links_come_from_the_latest_version(maven: Maven, repository: Repository) -> None:
    """Its own scm, or that of the parent it was released with; the owner is the vendor."""
    repository.publish("org.acme:thing", "1", "2", body="<url>https://github.com/old/home</url>")
    repository.add(
        "org.acme:parent:2",
        "<scm><url>https://github.com/acme/${project.artifactId}/tree/main</url></scm>",
    )
    repository.add("org.acme:thing:2", parent("org.acme:parent:2"))
    package = (await read(maven, "org.acme:thing")).package
    assert (package.vendor, package.repository_url) == ("acme", "https://github.com/acme/thing")


async def test_parents_are_read_once_for_all_workers(
    workers: list[Maven], repository: Repository
) -> None:
    """What one package needed costs no request for another, in this process or in another."""
    repository.add("g:parent:1", parent("g:grandparent:1"))
    repository.add("g:grandparent:1", properties(v="5"))
    body = parent("g:parent:1") + dependencies(dependency("x:a", "${v}"))
    for name in ("g:first", "g:second", "g:third"):
        repository.publish(name, "1", "2", body=body)
    first = await read(workers[0], "g:first")
    second = await read(workers[0], "g:second")
    third = await read(workers[1], "g:third")
    assert [r.requests for r in (first, second, third)] == [5, 3, 3]
    assert requirements(third.package, "2") == {"x:a": "[5]"}
    assert set(repository.asked.values()) == {1}


async def test_an_update_costs_what_changed(maven: Maven, repository: Repository) -> None:
    """One new version: the list and one POM; nothing new: an empty answer."""
    repository.publish("g:a", "1", "2", body=dependencies(dependency("x:a", "1")))
    first = (await read(maven, "g:a")).package
    repository.publish("g:a", "1", "2", "3", body=dependencies(dependency("x:a", "1")))
    known = [version.name for version in first.versions]
    second = await read(maven, "g:a", known=known, etag=first.etag)
    assert second.requests == 2
    assert [requirements(second.package, v) for v in "123"] == [None, None, {"x:a": "[1]"}]
    assert second.package.vendor == "g"
    answer = await maven.fetch(maven.ref("g:a"), known=known, etag=second.package.etag)
    assert isinstance(answer, NotModified)


async def test_links_of_a_known_version_are_read_if_asked(
    maven: Maven, repository: Repository
) -> None:
    """Without a new latest version the links stay as they are, unless somebody wants them."""
    repository.publish("g:a", "1", "2", body="<url>https://github.com/o/r</url>")
    plain = await read(maven, "g:a", known=["1", "2"])
    thorough = await read(maven, "g:a", known=["1", "2"], thorough=True)
    assert (plain.requests, plain.package.repository_url, plain.package.vendor) == (1, None, None)
    assert (thorough.requests, thorough.package.repository_url) == (2, "https://github.com/o/r")
    assert requirements(thorough.package, "2") is None


async def test_a_relocated_version_requires_its_new_place(
    maven: Maven, repository: Repository
) -> None:
    """It has no other requirements; what the relocation leaves out is as before."""
    target = "<relocation><groupId>new.g</groupId></relocation>"
    moved = f"<distributionManagement>{target}</distributionManagement>"
    repository.publish("g:a", "1", body=moved + dependencies(dependency("x:a", "1")))
    assert requirements((await read(maven, "g:a")).package, "1") == {"new.g:a": "[1]"}


# Gaps in the list ------------------------------------------------------------------------------


async def test_versions_that_the_list_lacks(maven: Maven, repository: Repository) -> None:
    """What the graph has counts, and what the list hints at if the repository has it."""
    repository.publish("g:a", "1", "2", latest="4", release="3")
    repository.add("g:a:3", dependencies(dependency("x:a", "1")))
    reading = await read(maven, "g:a", known=[VersionName("1.5")])
    assert [v.name for v in reading.package.versions] == ["1", "1.5", "2", "3"]
    assert (reading.package.latest, reading.requests) == ("3", 5)
    assert requirements(reading.package, "1.5") is None


async def test_a_list_of_hints_only(maven: Maven, repository: Repository) -> None:
    """The oldest lists have a single version, outside of ``versioning``."""
    repository.documents["g/a/maven-metadata.xml"] = b"<metadata><version>1</version></metadata>"
    repository.add("g:a:1", "")
    assert [v.name for v in (await read(maven, "g:a")).package.versions] == ["1"]


@pytest.mark.parametrize("body", [b"<metadata/>", b"<metadata><plugins/></metadata>",
    b"<metadata><versioning><release>9</release></versioning></metadata>"])  # fmt: skip
async def test_a_list_without_versions_is_no_package(
    maven: Maven, repository: Repository, body: bytes
) -> None:
    """A group's list of plugins, or hints at what is not there."""
    repository.documents["g/a/maven-metadata.xml"] = body
    with pytest.raises(PackageNotFound, match="pkg:maven/g/a"):
        await maven.fetch(maven.ref("g:a"))


# Names with capitals ---------------------------------------------------------------------------


async def test_capitals(maven: Maven, repository: Repository) -> None:
    """The lower-case name belongs to the package that is spelled so, if there is one."""
    repository.publish("com.Acme:Thing", "1")
    alone = await read(maven, "com.Acme:Thing")
    assert (alone.package.ref.name, alone.requests) == ("com.acme:thing", 3)
    repository.publish("com.acme:thing", "2")
    twins = [(await read(maven, name)).package for name in ("com.Acme:Thing", "com.acme:thing")]
    assert [twin.ref.name for twin in twins] == ["com.Acme:Thing", "com.acme:thing"]
    assert [twin.ref.purl for twin in twins] == [
        "pkg:maven/com.Acme/Thing",
        "pkg:maven/com.acme/thing",
    ]
    assert [twin.latest for twin in twins] == ["1", "2"]


# What goes wrong -------------------------------------------------------------------------------

BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<project>&b;</project>"
)
HUGE = b"<project>" + b" " * MAX_POM + b"</project>"
OUTSIDE = (
    b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><project><name>&f;</name></project>'
)


@pytest.mark.parametrize(
    "body",
    [None, b"", b"<project>", b"<html></html>", BOMB, OUTSIDE, b"<a>" * 300 + b"</a>" * 300,
     b"\xff\xfe\x00", HUGE],
    ids=["missing", "empty", "truncated", "other", "bomb", "outside", "deep", "binary", "huge"],
)  # fmt: skip
async def test_one_bad_pom_costs_one_version(
    maven: Maven, repository: Repository, body: bytes | None
) -> None:
    """The version has no requirements; the package keeps it and all others."""
    repository.publish("g:a", "1", "2", "3", body=dependencies(dependency("x:a", "1")))
    path = repository.path("g:a:2")
    repository.documents[path] = body or b""
    if body is None:
        del repository.documents[path]
    package = (await read(maven, "g:a")).package
    assert [requirements(package, v) for v in "123"] == [{"x:a": "[1]"}, {}, {"x:a": "[1]"}]


@pytest.mark.parametrize("body", [None, b"<project>", BOMB, HUGE],
                         ids=["missing", "truncated", "bomb", "huge"])  # fmt: skip
async def test_one_bad_parent_costs_what_it_would_give(
    maven: Maven, repository: Repository, body: bytes | None
) -> None:
    """Own dependencies stay, managed ones are required in any version; it is asked for once."""
    own = parent("g:parent:1") + dependencies(dependency("x:own", "1"), dependency("x:managed"))
    repository.publish("g:a", *map(str, range(1, 20)), body=own)
    if body is not None:
        repository.documents[repository.path("g:parent:1")] = body
    package = (await read(maven, "g:a")).package
    for version in package.versions:
        assert requirements(package, version.name) == {"x:own": "[1]", "x:managed": "any"}
    assert repository.asked[repository.path("g:parent:1")] == 1


def days_ago(days: float) -> datetime:
    """A moment that many days back."""
    return now() - timedelta(days=days)


def stamp(moment: datetime) -> str:
    """As lists of versions have it."""
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
    """Right after a release the list may be ahead: the next reading asks again."""
    body = "<url>https://github.com/o/r</url>" + dependencies(dependency("x:a", "1"))
    repository.publish("g:a", "1", "2", body=body, lastUpdated=stamp(days_ago(days)))
    pom = repository.documents.pop(repository.path("g:a:2"))
    first = (await read(maven, "g:a")).package
    assert [requirements(first, v) for v in "12"] == [{"x:a": "[1]"}, {}]
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
    clean_graph: None,
    cypher: Cypher,
) -> None:
    """The list has not changed since, but the version has been waited for."""
    body = dependencies(dependency("x:a", "1"))
    repository.publish("g:a", "1", "2", body=body, lastUpdated=stamp(LATELY))
    pom = repository.documents.pop(repository.path("g:a:2"))
    request = ExtractPackage(ecosystem="maven", name="g:a", refresh=True)
    async with extracting(maven, settings) as resources:

        async def extracted() -> dict[str, list[str]]:
            await extract(request, resources, urgent=True, asked=False, carried=False)
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
    """Nobody asks for it at each update of the package."""
    repository.publish("g:a", "1", "2", **versioning)
    del repository.documents[repository.path("g:a:2")]
    package = (await read(maven, "g:a")).package
    assert [requirements(package, v) for v in "12"] == [{}, {}]
    assert package.etag


async def test_many_missing_poms_are_no_delay(maven: Maven, repository: Repository) -> None:
    """A release brings a few versions; where more are missing, they were never there."""
    names = [str(number) for number in range(MOST_AWAITED + 1)]
    repository.publish("g:a", *names, "100", lastUpdated=stamp(LATELY))
    for name in names:
        del repository.documents[repository.path(f"g:a:{name}")]
    package = (await read(maven, "g:a")).package
    assert {v.requirements for v in package.versions} == {()}
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
    """A version that was released with it is read again; an older one is as it is."""
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


@pytest.mark.parametrize(
    "body",
    [
        b"<metadata><versioning>", b"<project/>", BOMB,
        b"<metadata><groupId>g</groupId><artifactId>b</artifactId></metadata>",
    ],
    ids=["truncated", "pom", "bomb", "another"],
)  # fmt: skip
async def test_a_bad_list_is_no_package(maven: Maven, repository: Repository, body: bytes) -> None:
    """None of these is taken for a package without versions."""
    repository.documents["g/a/maven-metadata.xml"] = body
    with pytest.raises(MalformedMetadata):
        await maven.fetch(maven.ref("g:a"))


@pytest.mark.parametrize("which", ["g:a:2", "g:parent:1"])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, RegistryUnavailable)])
async def test_a_host_that_does_not_answer_is_no_missing_pom(
    maven: Maven, repository: Repository, which: str, status: int, error: type[IngestError]
) -> None:
    """The package is tried again; nothing is written down as without requirements."""
    repository.publish("g:a", "1", "2", body=parent("g:parent:1"))
    repository.add("g:parent:1", "")
    repository.statuses[repository.path(which)] = status
    with pytest.raises(error):
        await maven.fetch(maven.ref("g:a"))


async def test_a_page_instead_of_a_pom_is_no_pom(maven: Maven, repository: Repository) -> None:
    """A proxy's page with status 200 says nothing about the version."""
    repository.publish("g:a", "1")
    repository.documents[repository.path("g:a:1")] = b"<!doctype html><p>Please log in"
    with pytest.raises(MalformedMetadata, match="HTML page"):
        await maven.fetch(maven.ref("g:a"))


async def test_a_long_history(maven: Maven, repository: Repository) -> None:
    """It is read with one request a document, a few at a time."""
    names = [f"1.{major}.{minor}" for major in range(20) for minor in range(20)]
    repository.publish("g:a", *names)
    for major in range(20):
        repository.add(f"g:p:{major}", managed(dependency("x:a", str(major))))
    for name in names:
        up = parent(f"g:p:{name.split('.')[1]}")
        repository.add(f"g:a:{name}", up + dependencies(dependency("x:a")))
    reading = await read(maven, "g:a")
    assert reading.requests == 1 + 400 + 20
    assert [v.name for v in reading.package.versions] == names
    assert requirements(reading.package, "1.19.19") == {"x:a": "[19]"}
    assert repository.most_at_once <= AT_A_TIME
