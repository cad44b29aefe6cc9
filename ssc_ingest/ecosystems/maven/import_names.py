"""The packages that the classes of a release are in: what Java and Kotlin code imports.

A release's main file is its jar, whatever the POM says of its packaging (``bundle``,
``maven-plugin``). Only if there is none, the POM is read: a ``war`` or ``aar`` has another file, a
``pom`` or a relocation has nothing to import. Of a jar, only the central directory is read.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssc_ingest.archives.source import ByteSource, BytesSource
from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.archives.zip_directory import Member
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.java_packages import package_of, roots
from ssc_ingest.ecosystems.maven.pom.model import MAX_POM, Pom, parse_pom
from ssc_ingest.errors import PackageNotFound, ResourceNotFound
from ssc_ingest.http.remote_file import RemoteFile, TransferBudget
from ssc_ingest.models import PackageRef, VersionName

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_WHOLE_FILE = 64 * 1024 * 1024
"""Maximum bytes of a file that is read as a whole, if its server does not support ranges."""

BUDGET = 8, 160 * 1024 * 1024
"""Maximum requests and bytes for one release."""

MAX_INNER_JAR = 32 * 1024 * 1024
"""Maximum bytes of a jar inside an ``aar``, packed or not."""

MAX_INNER_JARS = 20
"""Maximum jars inside an ``aar``, all together; further ones are ignored."""

OTHER_FILES = {"aar": "aar", "war": "war", "klib": "klib"}
"""Extensions of main files that are not jars, by the packaging in the POM."""

NOTHING_TO_IMPORT = frozenset({"pom", "ear", "rar", "zip", "tar.gz", "apk", "so"})
"""Packagings without a file that the code of others can import from."""


class ImportNamesReader:
    """Reads the releases of one repository."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    async def read(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The packages of a release; raises the errors of :meth:`Ecosystem.read_import_names`."""
        group, artifact = ref.properties["group_id"], ref.properties["artifact_id"]
        release = Coordinates(group, artifact, version)
        if not release.are_usable:
            raise PackageNotFound(f"{ref.purl}@{version}")
        try:
            jar = await self._packages(release, "jar")
        except ResourceNotFound as error:
            if (extension := await self._other_file(release, ref)) is None:
                return frozenset()
            if extension == "jar":
                raise PackageNotFound(f"{ref.purl}@{version}", url=error.url) from error
            try:
                jar = await self._packages(release, extension)
            except ResourceNotFound as missing:
                raise PackageNotFound(f"{ref.purl}@{version}", url=missing.url) from missing
        return roots(jar, group)

    async def _other_file(self, release: Coordinates, ref: PackageRef) -> str | None:
        """The extension of the main file by the POM; ``None`` if there is nothing to import."""
        url = self._endpoints.url("repository", *release.pom_path)
        try:
            body = (await self._client.get_immutable(url, max_bytes=MAX_POM)).body
        except ResourceNotFound as error:
            raise PackageNotFound(f"{ref.purl}@{release.version}", url=url) from error
        pom: Pom = await off_loop(len(body), parse_pom, body, url)
        packaging = pom.values.get("packaging", "jar")
        if pom.relocation or packaging in NOTHING_TO_IMPORT:
            return None
        return OTHER_FILES.get(packaging, "jar")

    async def _packages(self, release: Coordinates, extension: str) -> frozenset[str]:
        file = RemoteFile(
            self._client,
            self._endpoints.url("repository", *release.file_path(extension)),
            budget=TransferBudget(*BUDGET),
            max_whole=MAX_WHOLE_FILE,
        )
        return await (packages_of_aar(file) if extension == "aar" else packages_of_jar(file))


async def packages_of_jar(jar: ByteSource) -> frozenset[str]:
    """The packages of a jar, a war, or a Kotlin library.

    Raises:
        MalformedArchive: the file is not a zip archive, or is inconsistent.
        ArchiveTooLarge: the file exceeds a limit.
        IngestError: the errors of the source.
    """
    found: set[str] = set()

    def note(path: str) -> bool:
        """Note the package instead of the member: large jars have 100,000 of them."""
        if package := package_of(path):
            found.add(package)
        return False

    await ZipArchive.open(jar, wanted=note)
    return frozenset(found)


async def packages_of_aar(aar: ByteSource) -> frozenset[str]:
    """The packages of an Android library: those of its ``classes.jar`` and of jars in ``libs/``.

    https://developer.android.com/studio/projects/android-library#aar-contents

    Raises:
        MalformedArchive: the library or a jar in it is not a zip archive, or is inconsistent.
        ArchiveTooLarge: the library exceeds a limit.
        IngestError: the errors of the source.
    """
    archive = await ZipArchive.open(aar, wanted=_is_inner_jar)
    found: set[str] = set()
    for member in _first_of_each(archive.members):
        inside = BytesSource(await archive.read(member, MAX_INNER_JAR))
        found |= await packages_of_jar(inside)
    return frozenset(found)


def _is_inner_jar(path: str) -> bool:
    return path == "classes.jar" or (path.startswith("libs/") and path.endswith(".jar"))


def _first_of_each(members: Iterable[Member]) -> list[Member]:
    """The first of members with one name, up to the limit; ``classes.jar`` before others."""
    by_name: dict[str, Member] = {}
    for member in members:
        by_name.setdefault(member.name, member)
    return sorted(by_name.values(), key=lambda each: each.name)[:MAX_INNER_JARS]
