"""A few packages, read from Maven Central itself; Maven checks the result."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.ecosystems.maven.identity import metadata_path
from ssc_ingest.ecosystems.maven.metadata import MAX_METADATA, parse_metadata
from ssc_ingest.errors import PackageNotFound, RegistryUnavailable
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.document_cache import DocumentCache
from ssc_ingest.models import Package, Version, VersionName
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from tests.missing import skip

pytestmark = pytest.mark.live

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
PROJECT = """\
<project><modelVersion>4.0.0</modelVersion>
<groupId>scratch</groupId><artifactId>scratch</artifactId><version>1</version>
<dependencies><dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
</dependency></dependencies></project>
"""


@pytest.fixture
async def maven(state: State, settings: Settings) -> AsyncIterator[Maven]:
    """The ecosystem, reading Maven Central within our rate limit."""
    endpoints = load_endpoints("maven", Maven.identity.endpoints, None)
    async with open_transport(settings, host_names([endpoints])) as transport:
        documents = DocumentCache(state.cache)
        client = RegistryClient(transport, state.limiter, endpoints.hosts, documents)
        yield Maven(client, endpoints)


async def fetch(maven: Maven, name: str) -> Package:
    """Read a package with only its latest version; skips without a network."""
    ref = maven.ref(name)
    url = maven.endpoints.url("repository", *metadata_path(name))
    try:
        body = (await maven.client.get(url, max_bytes=MAX_METADATA)).body
        listed = parse_metadata(body, name, url).listed
        versions = [
            Version(name=v, purl=maven.version_purl(ref, v), release_date=None, requirements=None)
            for v in maven.order((version, None) for version in listed)
        ]
        latest = maven.latest(versions)
        package = await maven.fetch(
            FetchRequest(ref, known=[VersionName(v) for v in listed if v != latest])
        )
    except RegistryUnavailable as error:
        if error.status is None:
            pytest.skip(f"Maven Central cannot be reached: {error}")
        raise
    assert isinstance(package, Package)
    return package


def resolved_by_maven(folder: Path, coordinates: str) -> set[tuple[str, str]]:
    """Package and constraint of each direct dependency that Maven resolves for a package.

    The project depends on nothing else, so no version is changed by mediation.
    """
    maven = shutil.which("mvn")
    if maven is None:
        skip("mvn is needed to compare with Maven's own resolution")
    (folder / "pom.xml").write_text(PROJECT.format(*coordinates.split(":")))
    answer = subprocess.run(
        [maven, "--batch-mode", "--no-transfer-progress", f"{PLUGIN}:tree",
         "-DoutputType=text", "-DoutputFile=tree.txt", "-Dverbose=false"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout
    # Direct dependencies of the one dependency: one level below it in the tree.
    lines = (folder / "tree.txt").read_text().splitlines()
    found = re.findall(r"^   (?:\+-|\\-) (\S+)", "\n".join(lines), re.MULTILINE)
    rows = [row.split(":") for row in found]
    return {(f"{row[0]}:{row[1]}", f"[{row[-2]}]") for row in rows}


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("org.junit.jupiter:junit-jupiter", "junit-team/junit-framework"),
        ("org.springframework.boot:spring-boot-starter-web", "spring-projects/spring-boot"),
        ("com.fasterxml.jackson.core:jackson-databind", "FasterXML/jackson-databind"),
        ("com.google.guava:guava", "google/guava"),
        ("org.apache.logging.log4j:log4j-core", "apache/logging-log4j2"),
    ],
)
async def test_requirements_are_what_maven_resolves(
    maven: Maven, name: str, repository: str, tmp_path: Path
) -> None:
    """For packages with deep parents, the latest version's requirements equal Maven's."""
    package = await fetch(maven, name)
    assert package.repository_url == f"https://github.com/{repository}"
    assert package.vendor == repository.partition("/")[0]
    latest = next(v for v in package.versions if v.name == package.latest)
    assert latest.requirements
    required = {(r.package.registry_name, r.constraints) for r in latest.requirements}
    assert required == resolved_by_maven(tmp_path, f"{name}:{package.latest}")


async def test_a_relocated_package(maven: Maven) -> None:
    """MySQL's driver has moved; its last version names the new package."""
    package = await fetch(maven, "mysql:mysql-connector-java")
    latest = next(v for v in package.versions if v.name == package.latest)
    assert [(r.package.purl, r.constraints) for r in latest.requirements or ()] == [
        ("pkg:maven/com.mysql/mysql-connector-j", f"[{latest.name}]")
    ]


async def test_a_package_with_capitals(maven: Maven) -> None:
    """The package has the lower-case name, because no other has it.

    It keeps the registry's spelling.
    """
    package = await fetch(maven, "com.zaxxer:HikariCP")
    assert package.ref.name == "com.zaxxer:hikaricp"
    assert package.ref.purl == "pkg:maven/com.zaxxer/HikariCP"


async def test_a_package_that_does_not_exist(maven: Maven) -> None:
    """The repository's 404 is a typed error."""
    try:
        with pytest.raises(PackageNotFound):
            await maven.fetch(FetchRequest(maven.ref("io.example.ssc-ingest:no-such-package")))
    except RegistryUnavailable as error:
        if error.status is None:
            pytest.skip(f"Maven Central cannot be reached: {error}")
        raise
