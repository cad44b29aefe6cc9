"""The names of a release's classes, by its packaging."""

import zlib
from random import Random

import pytest

from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.errors import (
    MalformedArchive,
    MalformedMetadata,
    PackageNotFound,
    RegistryUnavailable,
)
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import VersionName
from tests.contract.test_maven_fetch.repository import Repository
from tests.unit.archives import zipped

DEMO = "org.demo:lib"
POM = Repository.path(f"{DEMO}:1.0")
JAR = POM.replace(".pom", ".jar")
RELOCATED = (
    "<distributionManagement><relocation><groupId>org.other</groupId></relocation>"
    "</distributionManagement>"
)
CLASS = {"org/demo/lib/Api.class": b"class"}


async def names(maven: Maven, version: str = "1.0") -> frozenset[str]:
    """The import names of one release."""
    return await maven.read_import_names(maven.ref(DEMO), VersionName(version))


async def test_a_large_jar(maven: Maven, repository: Repository) -> None:
    """Two requests for its central directory, a small part of it; the POM is not read."""
    random = Random(5)
    classes = {f"org/demo/p{n}/Class{n}.class": random.randbytes(3000) for n in range(900)}
    repository.documents[JAR] = zipped(classes)
    with request_scope(RequestScope()) as scope:
        assert await names(maven) == {"org.demo.p" + str(n) for n in range(900)}
    assert repository.asked == {JAR: 2}
    assert scope.requests == 2
    assert repository.sent < 0.05 * len(repository.documents[JAR])


@pytest.mark.parametrize("packaging", ["bundle", "maven-plugin", "eclipse-plugin", "jar"])
async def test_jars_of_any_packaging(maven: Maven, repository: Repository, packaging: str) -> None:
    """Most packagings have a jar."""
    repository.add(f"{DEMO}:1.0", f"<packaging>{packaging}</packaging>")
    repository.documents[JAR] = zipped(CLASS)
    assert await names(maven) == {"org.demo.lib"}


@pytest.mark.parametrize(
    ("packaging", "content"),
    [
        ("war", {"WEB-INF/classes/org/demo/lib/Api.class": b"class", "WEB-INF/lib/x.jar": b""}),
        ("aar", {"classes.jar": zipped(CLASS), "AndroidManifest.xml": b""}),
        ("klib", {"default/linkdata/package_org.demo.lib/0_lib.knm": b""}),
    ],
)
async def test_other_files(
    maven: Maven, repository: Repository, packaging: str, content: dict[str, bytes]
) -> None:
    """If a release has no jar, the POM names the file."""
    repository.add(f"{DEMO}:1.0", f"<packaging>{packaging}</packaging>")
    repository.documents[POM.replace(".pom", f".{packaging}")] = zipped(content)
    assert await names(maven) == {"org.demo.lib"}


@pytest.mark.parametrize(
    "body",
    [
        "<packaging>pom</packaging>",
        "<packaging>ear</packaging>",
        RELOCATED,
    ],
)
async def test_releases_without_classes(maven: Maven, repository: Repository, body: str) -> None:
    """Nothing can be imported from a parent, a bill of materials, or a relocated release."""
    repository.add(f"{DEMO}:1.0", body)
    assert await names(maven) == frozenset()
    repository.documents[JAR] = zipped({"META-INF/MANIFEST.MF": b""})
    assert await names(maven) == frozenset()


@pytest.mark.parametrize("packaging", ["jar", "aar", "custom"])
async def test_files_that_are_not_there(
    maven: Maven, repository: Repository, packaging: str
) -> None:
    """Names are unknown, not none: there may be jars with classifiers, which the POM omits."""
    with pytest.raises(PackageNotFound):
        await names(maven)
    repository.add(f"{DEMO}:1.0", f"<packaging>{packaging}</packaging>")
    repository.documents[JAR.replace("1.0.jar", "1.0-linux.jar")] = zipped(CLASS)
    with pytest.raises(PackageNotFound):
        await names(maven)
    with pytest.raises(PackageNotFound):
        await names(maven, "../../x")


async def test_broken_files(maven: Maven, repository: Repository) -> None:
    """A page, a damaged jar and a failing server are typed errors."""
    repository.documents[JAR] = b"<!doctype html><title>Blocked</title>"
    with pytest.raises(MalformedArchive):
        await names(maven)
    repository.documents[JAR] = zipped(CLASS)[:-9] + zlib.compress(b"x" * 60)
    with pytest.raises(MalformedArchive):
        await names(maven)
    repository.statuses[JAR] = 500
    with pytest.raises(RegistryUnavailable):
        await names(maven)
    del repository.documents[JAR], repository.statuses[JAR]
    repository.documents[POM] = b"no POM"
    with pytest.raises(MalformedMetadata):
        await names(maven)
