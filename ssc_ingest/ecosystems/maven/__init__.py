"""Maven Central, or another repository with Maven's layout.

Identity
    ``group:artifact``, case-sensitive (:mod:`.identity`).
Reading a package
    One request for the list of versions (``maven-metadata.xml``) and one for each new version's
    POM, plus parents and bills of materials that are not cached (:mod:`.fetch`), and the list of
    versions of a parent that is named by a range.
Listing and feed
    The index, as a whole and in chunks (:mod:`.listing`, :mod:`.index`). A change has the versions
    of the index, which count even if the package's own list lacks them.
Requirements
    The dependencies of the effective POM (:mod:`.pom`) with scope ``compile``, ``runtime`` or none
    that are not optional. A package that is declared several times (with other types or
    classifiers) is one requirement. A relocated version requires the package that it was relocated
    to, and nothing else.
    What the constraint does not say (scope, classifier, type, exclusions, a managed version, a hard
    version) is kept beside it (:mod:`.pom.requirements`).
    Profiles are those that are active on Linux, on JDK 11, 17, 21 and 25 alike
    (:mod:`.pom.profiles`).
Missing documents
    A version whose POM is missing or unreadable has unknown requirements. A version whose parent or
    bill of materials is missing keeps the contents of its own POM; dependencies without a version
    then allow any version. The package's other versions are not affected. Shortly after a release,
    a list may be newer than the documents, so the next reading requests the missing ones again.
Facts
    Licences, including inherited ones. Several licences are alternatives. The message of a
    relocation becomes the version's deprecation note. A version that the graph has already is not
    read again.
Import names
    The packages of the classes in the main file, by its central directory (:mod:`.import_names`).
Links
    From the latest version's POM, and from parents with the same version, which were released with
    it. A common parent of an organisation has its own address.
Rules
    The limit behind 429 is per client address. Directories must not be listed.

https://maven.apache.org/repositories/layout.html, https://maven.apache.org/pom.html
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from packageurl import PackageURL

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven.comparable_version import ComparableVersion, comparable_version
from ssc_ingest.ecosystems.maven.constraints import to_constraints
from ssc_ingest.ecosystems.maven.fetch import PackageReader
from ssc_ingest.ecosystems.maven.identity import (
    CONTAINER,
    IDENTITY,
    INDEX_READER,
    is_version,
    reference,
)
from ssc_ingest.ecosystems.maven.import_names import ImportNamesReader
from ssc_ingest.ecosystems.maven.listing import FeedCursor, changes, list_index
from ssc_ingest.ecosystems.maven.published_index import PublishedIndex
from ssc_ingest.ecosystems.maven.versions import Key, is_date, is_prerelease, sort_key
from ssc_ingest.ecosystems.readers_range import ReadersRange
from ssc_ingest.models import ANY_VERSION, Package, PackageRef, Version, VersionName

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

__all__ = ["Maven"]


class Maven(Ecosystem):
    """Maven Central."""

    identity = IDENTITY
    reads_each_version = True
    reads_import_names = True
    range_class = ReadersRange("MavenVersionRange")
    requests_per_package = 20.0

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        super().__init__(client, endpoints)
        self._reader = PackageReader(self)
        self._index = PublishedIndex(client, endpoints)

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The package ``group:artifact``; names that differ in case are different packages."""
        return reference(name)

    @classmethod
    def name_from_purl(cls, purl: PackageURL) -> str:
        """``pkg:maven/group/artifact`` -> ``group:artifact``."""
        return f"{purl.namespace}:{purl.name}" if purl.namespace else str(purl.name)

    @classmethod
    def name_of_node(cls, properties: Mapping[str, Any]) -> str:
        """The coordinates in the registry's spelling."""
        name = super().name_of_node(properties)
        coordinates = f"{properties.get('group_id')}:{properties.get('artifact_id')}"
        return coordinates if coordinates.lower() == name.lower() else name

    @classmethod
    def sort_key(cls, version: str) -> Key | None:
        """Maven's order, as implemented by the graph's readers."""
        return sort_key(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Alpha, beta, milestone, candidate and snapshot versions."""
        return is_prerelease(version)

    @classmethod
    def own_order(cls, version: str) -> ComparableVersion | None:
        """Maven's ``ComparableVersion``, by which ``1.0`` and ``1.0.RELEASE`` are equal."""
        return comparable_version(version) if is_version(version) else None

    @classmethod
    def latest(cls, ordered: Sequence[Version]) -> VersionName | None:
        """The usual rule, except that a few dates from Maven's early years do not count.

        ``commons-io`` has ``20030203.000550`` between 1.0 and 1.1. In projects whose releases are
        mostly dates (``org.json``), dates count.
        """
        numbered = [version for version in ordered if not is_date(version.name)]
        return super().latest(numbered if 2 * len(numbered) > len(ordered) else ordered)

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Versions and ranges, as Maven reads them."""
        # To Maven, "any" would be a version like other words.
        return to_constraints(*(None if text == ANY_VERSION else text for text in texts))

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The group: ``org.slf4j``."""
        return ref.properties["group_id"]

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """The packages of the index, in order of their names: 2 requests."""
        container = self.endpoints.chosen(INDEX_READER) == CONTAINER
        return list_index(self._index, cursor, container=container)

    async def feed_end(self) -> str:
        """The cursor at the current end: 1 request."""
        return FeedCursor.at_end_of(await self._index.properties()).write()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The chunks after the cursor, or the whole index: 1 request, and 1 per file."""
        return changes(self._index, cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read a package: 1 request, 1 per unknown version, and their parents."""
        return await self._reader.read(request)

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The packages of the release's classes: 1 or 2 requests, or 3 without a jar.

        Only roots, because readers match them as prefixes (:mod:`.java_packages`).
        """
        return await ImportNamesReader(self.client, self.endpoints).read(ref, version)
