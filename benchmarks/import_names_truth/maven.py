"""The judge of Maven Central: what imports each release serves, by the listing of its whole jar.

Python's ``zipfile`` lists the jar. The truth of a release are the packages of its classes. Ours are
the packages of *all* judged releases that a reader finds with our names: ``import <name>`` is
searched as a prefix, so a name that is too short finds the packages of other releases, too, which
lowers the precision. A name that finds nothing counts as one of ours.
"""

import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from benchmarks.import_names_truth.clients import stored
from benchmarks.import_names_truth.judged import Judged
from benchmarks.import_names_truth.live import reading
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.ecosystems.maven.identity import Coordinates, metadata_path
from ssc_ingest.ecosystems.maven.metadata import parse_metadata
from ssc_ingest.models import VersionName

ARTIFACTS = (
    "com.google.guava:guava",
    "org.apache.commons:commons-lang3",
    "com.fasterxml.jackson.core:jackson-databind",
    "org.slf4j:slf4j-api",
    "org.junit.jupiter:junit-jupiter-api",
    "org.springframework:spring-core",
    "org.apache.logging.log4j:log4j-core",
    "org.jetbrains.kotlin:kotlin-stdlib",
    "com.google.protobuf:protobuf-java",
    "io.netty:netty-all",
)

MAX_JAR = 100_000_000

INSIDE = re.compile(r"^(META-INF/versions/[0-9]+|BOOT-INF/classes|WEB-INF/classes)/")


@dataclass
class _Release:
    artifact: str
    version: VersionName
    names: frozenset[str]
    packages: frozenset[str]
    transferred: int
    requests: int
    size: int


async def judge() -> AsyncIterator[Judged]:
    """Compare each artifact's latest stable release."""
    async with reading(Maven) as (maven, traffic):
        releases = []
        for artifact in ARTIFACTS:
            ref, version = maven.ref(artifact), await _latest(maven, artifact)
            traffic.clear()
            names = await maven.read_import_names(ref, version)
            transferred, requests = sum(traffic.sizes.values()), traffic.requests
            group, _, name = artifact.partition(":")
            path = Coordinates(group, name, version).file_path("jar")
            url = maven.endpoints.url("repository", *path)
            jar = (await maven.client.get(url, max_bytes=MAX_JAR)).body
            releases.append(
                _Release(artifact, version, names, _listed(jar), transferred, requests, len(jar))
            )
    every = {package for release in releases for package in release.packages}
    for release in releases:
        yield Judged(
            package=release.artifact,
            version=release.version,
            ours=frozenset(_found(release.names, every)),
            stored=stored(release.names, release.artifact.partition(":")[0]),
            truth=release.packages,
            transferred=release.transferred,
            file_size=release.size,
            requests=release.requests,
        )


async def _latest(maven: Maven, artifact: str) -> VersionName:
    url = maven.endpoints.url("repository", *metadata_path(artifact))
    body = (await maven.client.get(url, max_bytes=10**7)).body
    listed = parse_metadata(body, artifact, url).listed
    stable = [version for version in listed if not maven.is_prerelease(version)]
    return maven.order((version, None) for version in stable)[-1]


def _listed(jar: bytes) -> frozenset[str]:
    """The packages of the classes in a jar, by the names of its files."""
    packages = set()
    for path in zipfile.ZipFile(io.BytesIO(jar)).namelist():
        folder, _, file = INSIDE.sub("", path).rpartition("/")
        if not file.endswith(".class") or folder.startswith("META-INF"):
            continue
        if folder and file not in {"module-info.class", "package-info.class"}:
            packages.add(folder.replace("/", "."))
    return frozenset(packages)


def _found(names: Iterable[str], packages: Iterable[str]) -> set[str]:
    """The packages that a reader finds with the names, and the names that find none."""
    found = set()
    for name in names:
        served = {
            package for package in packages if f"import {package}".startswith(f"import {name}")
        }
        found |= served or {name}
    return found
