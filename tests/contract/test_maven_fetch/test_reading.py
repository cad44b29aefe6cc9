"""Reads packages of Maven Central over HTTP."""

from datetime import UTC, datetime

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.ecosystems.maven.fetch import CONCURRENCY
from ssc_ingest.ecosystems.maven.pom.model import MAX_POM
from ssc_ingest.errors import (
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryUnavailable,
)
from ssc_ingest.models import VersionName
from tests.contract.fetching import read
from tests.contract.test_maven_fetch.repository import Repository, requirements
from tests.unit.maven_folder import (
    bill,
    dependencies,
    dependency,
    excluding,
    licenses,
    managed,
    parent,
    properties,
)

# What is read ----------------------------------------------------------------------------------


async def test_a_package_with_parents(maven: Maven, repository: Repository) -> None:
    """Names, order, dates, links and requirements are correct; one request per document."""
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
    """The latest version has its own scm, or that of a parent of the same release.

    The owner is the vendor.
    """
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
    """Shared documents cost no second request, in any process."""
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
    """A new version costs the list and one POM; no change costs an empty response."""
    repository.publish("g:a", "1", "2", body=dependencies(dependency("x:a", "1")))
    first = (await read(maven, "g:a")).package
    repository.publish("g:a", "1", "2", "3", body=dependencies(dependency("x:a", "1")))
    known = [version.name for version in first.versions]
    second = await read(maven, "g:a", known=known, etag=first.etag)
    assert second.requests == 2
    assert [requirements(second.package, v) for v in "123"] == [None, None, {"x:a": "[1]"}]
    assert second.package.vendor == "g"
    answer = await maven.fetch(
        FetchRequest(maven.ref("g:a"), known=known, etag=second.package.etag)
    )
    assert isinstance(answer, NotModified)


async def test_links_of_a_known_version_are_read_if_asked(
    maven: Maven, repository: Repository
) -> None:
    """Without a new latest version, only a full request reads the links."""
    repository.publish("g:a", "1", "2", body="<url>https://github.com/o/r</url>")
    plain = await read(maven, "g:a", known=["1", "2"])
    full = await read(maven, "g:a", known=["1", "2"], full=True)
    assert (plain.requests, plain.package.repository_url, plain.package.vendor) == (1, None, None)
    assert (full.requests, full.package.repository_url) == (2, "https://github.com/o/r")
    assert requirements(full.package, "2") is None


async def test_a_parent_by_range(maven: Maven, repository: Repository) -> None:
    """The parent is the highest listed version; only this parent's list is read, once."""
    repository.publish("g:p", "1", "1.5", "2")
    repository.add("g:p:1.5", managed(dependency("x:a", "7")))
    repository.publish(
        "g:a", "1", "2", "3", body=parent("g:p:[1,2)") + dependencies(dependency("x:a"))
    )
    repository.add("g:a:3", parent("g:gone:[1,2)") + dependencies(dependency("x:a")))
    reading = await read(maven, "g:a")
    found = [requirements(reading.package, version) for version in "123"]
    assert found == [{"x:a": "[7]"}, {"x:a": "[7]"}, {"x:a": "any"}]
    assert reading.requests == 1 + 3 + 2 + 1


async def test_a_document_type_declaration_is_read_over(
    maven: Maven, repository: Repository
) -> None:
    """In a POM, a parent and a list; an entity makes only its own version unreadable."""
    repository.publish("g:a", "1", "2", body=parent("g:p:1") + dependencies(dependency("x:a")))
    repository.add("g:p:1", managed(dependency("x:a", "7")) + "<x:y/>")
    paths = [repository.list_path("g:a"), *map(repository.path, ("g:a:1", "g:a:2", "g:p:1"))]
    for path in paths:
        declared = b"<!DOCTYPE project SYSTEM 'http://127.0.0.1:1/x' [<!ENTITY v '1'>]>\n"
        repository.documents[path] = declared + repository.documents[path]
    spoilt = repository.documents[paths[2]].replace(b"<version>", b"<version>&v;")
    repository.documents[paths[2]] = spoilt
    package = (await read(maven, "g:a")).package
    assert [requirements(package, version) for version in "12"] == [{"x:a": "[7]"}, None]


async def test_a_relocated_version_requires_its_new_place(
    maven: Maven, repository: Repository
) -> None:
    """A relocated version has no other requirements; omitted coordinates stay the same."""
    message = "<message>Moved\n   to new.g</message>"
    target = f"<relocation><groupId>new.g</groupId>{message}</relocation>"
    moved = f"<distributionManagement>{target}</distributionManagement>"
    repository.publish("g:a", "1", body=moved + dependencies(dependency("x:a", "1")))
    repository.publish("g:b", "1", body=moved.replace(message, ""))
    package = (await read(maven, "g:a")).package
    assert requirements(package, "1") == {"new.g:a": "[1]"}
    (version,) = package.versions
    assert version.requirements
    assert (version.requirements[0].kind, version.deprecated) == ("relocation", "Moved to new.g")
    (silent,) = (await read(maven, "g:b")).package.versions
    assert silent.deprecated is None


async def test_licences(maven: Maven, repository: Repository) -> None:
    """The licences are those of the nearest POM that has any.

    Several licences are alternatives, as Maven defines it.
    """
    repository.publish("g:a", "1", "2", "3", "4", body=parent("g:p:1"))
    repository.add("g:p:1", licenses("The ${project.artifactId} Licence"))
    repository.add("g:a:2", parent("g:p:1") + licenses("Apache-2.0", "MIT"))
    repository.add("g:a:3", licenses("https://x.example/licence"))
    repository.add("g:a:4", parent("g:gone:1"))
    found = [(v.license, v.license_spdx) for v in (await read(maven, "g:a")).package.versions]
    assert found == [
        ("The a Licence", None),
        ("Apache-2.0 OR MIT", "Apache-2.0 OR MIT"),
        ("https://x.example/licence", None),
        (None, None),
    ]


async def test_what_the_constraint_does_not_say(maven: Maven, repository: Repository) -> None:
    """Scope, classifier and exclusions are stored, and whether the version is managed."""
    repository.publish("g:a", "1", "2", body=parent("g:p:1") + dependencies(dependency("x:m")))
    repository.add(
        "g:p:1",
        managed(excluding(dependency("x:m", "1", scope="runtime"), "y:*"))
        + dependencies(dependency("x:n", "[1]"), dependency("x:n", "2", classifier="c")),
    )
    first, second = (await read(maven, "g:a")).package.versions
    assert first.requirements
    assert second.requirements
    assert [(r.constraints, r.kind, r.declared) for r in first.requirements] == [
        ("[1]", "runtime", '[{"scope":"runtime","exclusions":["y:*"],"managed":true}]'),
        ("[1],[2]", None, '[{"text":"[1]"},{"text":"2","classifier":"c"}]'),
    ]
    assert all(a is b for a, b in zip(first.requirements, second.requirements, strict=True))


# Gaps in the list ------------------------------------------------------------------------------


async def test_versions_that_the_list_lacks(maven: Maven, repository: Repository) -> None:
    """Versions in the graph count, and hints whose POMs exist."""
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
    """A group's list of plugins, and hints without POMs, are not a package."""
    repository.documents["g/a/maven-metadata.xml"] = body
    with pytest.raises(PackageNotFound, match="pkg:maven/g/a"):
        await maven.fetch(FetchRequest(maven.ref("g:a")))


# Names with capitals ---------------------------------------------------------------------------


async def test_capitals(maven: Maven, repository: Repository) -> None:
    """The lower-case name belongs to the package with that spelling, if it exists."""
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
    """The version's requirements are unknown; the package keeps it and all others."""
    repository.publish("g:a", "1", "2", "3", body=dependencies(dependency("x:a", "1")))
    path = repository.path("g:a:2")
    repository.documents[path] = body or b""
    if body is None:
        del repository.documents[path]
    package = (await read(maven, "g:a")).package
    assert [requirements(package, v) for v in "123"] == [{"x:a": "[1]"}, None, {"x:a": "[1]"}]
    assert [v.requirements_unknown for v in package.versions] == [False, True, False]


@pytest.mark.parametrize("body", [None, b"<project>", BOMB, HUGE],
                         ids=["missing", "truncated", "bomb", "huge"])  # fmt: skip
async def test_one_bad_parent_costs_what_it_would_give(
    maven: Maven, repository: Repository, body: bytes | None
) -> None:
    """Own dependencies stay, managed ones allow any version; it is requested once."""
    own = parent("g:parent:1") + dependencies(dependency("x:own", "1"), dependency("x:managed"))
    repository.publish("g:a", *map(str, range(1, 20)), body=own)
    if body is not None:
        repository.documents[repository.path("g:parent:1")] = body
    package = (await read(maven, "g:a")).package
    for version in package.versions:
        assert requirements(package, version.name) == {"x:own": "[1]", "x:managed": "any"}
    assert repository.asked[repository.path("g:parent:1")] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<metadata><versioning>", b"<project/>", BOMB,
        b"<metadata><groupId>g</groupId><artifactId>b</artifactId></metadata>",
    ],
    ids=["truncated", "pom", "bomb", "another"],
)  # fmt: skip
async def test_a_bad_list_is_no_package(maven: Maven, repository: Repository, body: bytes) -> None:
    """None of these documents is read as a package without versions."""
    repository.documents["g/a/maven-metadata.xml"] = body
    with pytest.raises(MalformedMetadata):
        await maven.fetch(FetchRequest(maven.ref("g:a")))


@pytest.mark.parametrize("which", ["g:a:2", "g:parent:1"])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, RegistryUnavailable)])
async def test_a_host_that_does_not_answer_is_no_missing_pom(
    maven: Maven, repository: Repository, which: str, status: int, error: type[IngestError]
) -> None:
    """The package is retried, and nothing is stored as without requirements."""
    repository.publish("g:a", "1", "2", body=parent("g:parent:1"))
    repository.add("g:parent:1", "")
    repository.statuses[repository.path(which)] = status
    with pytest.raises(error):
        await maven.fetch(FetchRequest(maven.ref("g:a")))


async def test_a_page_instead_of_a_pom_is_no_pom(maven: Maven, repository: Repository) -> None:
    """A proxy's page with status 200 is no statement about the version."""
    repository.publish("g:a", "1")
    repository.documents[repository.path("g:a:1")] = b"<!doctype html><p>Please log in"
    with pytest.raises(MalformedMetadata, match="HTML page"):
        await maven.fetch(FetchRequest(maven.ref("g:a")))


async def test_a_long_history(maven: Maven, repository: Repository) -> None:
    """A long history is read with one request per document, with limited concurrency."""
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
    assert repository.most_at_once <= CONCURRENCY
