"""Maven Central, or another repository with Maven's layout.

Identity
    ``group:artifact``, upper and lower case told apart (:mod:`.identity`).
Reading a package
    One request for the list of versions (``maven-metadata.xml``), which is known to have gaps
    (:mod:`.metadata`): versions that the graph has count as well, and what the list only hints at
    counts if it is there. One POM for each version that is not known yet, and the parents and
    bills of materials of these that no worker has seen lately. A package with capitals in its
    name costs one request more: whether the repository also has the lower-case name decides how
    the graph's readers find it.
Listing and feed
    The index, as a whole and in chunks (:mod:`.listing`, :mod:`.index`). What changed comes with
    the versions that the index has, which count even if the package's own list lacks them.
Requirements
    The dependencies of the effective POM (:mod:`.effective`, :mod:`.inheritance`) with scope
    ``compile``, ``runtime`` or none that are not optional. A package that is declared several times
    (other types, other classifiers) is one requirement. A relocated version requires what it was
    relocated to, and nothing else. Exclusions are about requirements of requirements and have no
    part in this.
What is missing
    A version whose POM is missing or unreadable has no requirements. One whose parent or bill of
    materials is missing keeps what it says itself: its own dependencies, of which those that
    lack a version are required in any. The package's other versions are not concerned.
    Right after a release, a list may be ahead of the documents: what is missing then is not taken
    for an answer, but asked for again at the next reading.
Links
    From the latest version's POM, and from those of its parents that were released with it (they
    have its version): an organisation's common parent has an address of its own.
Rules
    429 comes by client address. Directories are not to be listed, and are not.

https://maven.apache.org/repositories/layout.html, https://maven.apache.org/pom.html
"""

from collections import Counter
from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from packageurl import PackageURL

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven.constraints import to_constraints
from ssc_ingest.ecosystems.maven.identity import (
    CONTAINER,
    IDENTITY,
    INDEX_READER,
    Coordinates,
    metadata_path,
    reference,
)
from ssc_ingest.ecosystems.maven.listing import (
    FeedCursor,
    changes,
    list_index,
    versions_expected,
)
from ssc_ingest.ecosystems.maven.metadata import MAX_METADATA, VersionList, parse_metadata
from ssc_ingest.ecosystems.maven.pom.links import repository_candidates
from ssc_ingest.ecosystems.maven.pom.model import MAX_POM, Pom, parse_pom
from ssc_ingest.ecosystems.maven.pom.parents import Inheritance, ParsedPoms
from ssc_ingest.ecosystems.maven.pom.requirements import RequirementReader
from ssc_ingest.ecosystems.maven.published_index import PublishedIndex
from ssc_ingest.ecosystems.maven.versions import Key, is_date, is_prerelease, sort_key
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.errors import (
    MalformedMetadata,
    PackageNotFound,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.http.responses import Response
from ssc_ingest.models import (
    ANY_VERSION,
    Package,
    PackageRef,
    Requirement,
    Version,
    VersionName,
    now,
)

__all__ = ["Maven"]

XML = "application/xml"

CONCURRENCY = 8
"""Requests for one package's versions under way; more would only queue at the rate limit."""

LATELY = timedelta(days=7)
"""Since a release, in which what is missing may still come."""

MAX_AWAITED = 8
"""Versions of one package; where more are missing, they are so for good."""

NOTHING_LISTED = VersionList((), ())

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Release:
    """One version, read to the end."""

    release_date: datetime | None = None
    requirements: tuple[Requirement, ...] = ()
    links: tuple[str, ...] = ()
    problem: str = ""
    """Why there is no POM to read."""
    is_complete: bool = True
    """Whether the repository has its POM and all that this refers to."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """A package's own list of versions."""

    url: str
    found: VersionList = NOTHING_LISTED
    etag: str | None = None
    unchanged: bool = False
    """It is the list that the graph was filled from; ``found`` is empty then."""


class Maven(Ecosystem):
    """Maven Central."""

    identity = IDENTITY
    requests_per_package = 20.0

    def __init__(self, client: RegistryClient, endpoints: Endpoints) -> None:
        super().__init__(client, endpoints)
        self._poms = ParsedPoms()
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
        """The coordinates, which keep their spelling where the name is in lower case."""
        name = super().name_of_node(properties)
        coordinates = f"{properties.get('group_id')}:{properties.get('artifact_id')}"
        return coordinates if coordinates.lower() == name.lower() else name

    @classmethod
    def sort_key(cls, version: str) -> Key | None:
        """Maven's order, as the graph's readers see it."""
        return sort_key(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Alpha, beta, milestone, candidate and snapshot versions."""
        return is_prerelease(version)

    @classmethod
    def latest(cls, ordered: Sequence[Version]) -> VersionName | None:
        """As everywhere, but a few dates from the early years do not stand above all numbers.

        ``commons-io`` has ``20030203.000550`` between 1.0 and 1.1; projects that number all
        their releases by the day (``org.json``) keep to them.
        """
        numbered = [version for version in ordered if not is_date(version.name)]
        return super().latest(numbered if 2 * len(numbered) > len(ordered) else ordered)

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Versions and ranges, as Maven reads them."""
        # To Maven, a word is a version as well.
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
        """What is published now: 1 request."""
        return FeedCursor.at_end_of(await self._index.properties()).model_dump_json()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The chunks behind the cursor: 1 request, and 1 for each; if one is missing, the index."""
        return changes(self._index, cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read a package: 1 request, 1 for each version that is not known, and their parents.

        If the latest version is known, the links are not read (``vendor`` and
        ``repository_url`` are ``None``) unless ``full``, for one more request. Versions that
        the index has (``expected``) and the list lacks count if their POM is there.
        """
        ref, fetched_at = request.ref, now()
        announced = versions_expected(request.expected)
        listing = await self._read_list(ref, request.etag, announced)
        seen = frozenset(request.known)
        if listing.unchanged and seen.issuperset(announced):
            return NotModified(fetched_at)
        names = list(dict.fromkeys((*listing.found.listed, *seen)))
        hinted = dict.fromkeys((*listing.found.hinted, *announced))
        hints = [name for name in hinted if name not in names]
        to_read = [name for name in (*names, *hints) if name not in seen]
        if request.full and (newest := self.latest(self._versions(ref, names, {}, ()))) in seen:
            to_read.append(newest)
        releases = await self._read_releases(ref, to_read)
        awaited = _awaited(releases, listing.found.updated, fetched_at) - seen
        there = [name for name in hints if not releases[name].problem]
        if listing.unchanged and not there:
            return NotModified(fetched_at)
        names += there
        if not names:
            raise PackageNotFound(ref.purl, url=listing.url)
        new = {name: release for name, release in releases.items() if name not in seen}
        versions = self._versions(ref, names, new, awaited)
        latest = self.latest(versions)
        about = releases.get(latest) if latest else None
        if about and about.problem and latest in awaited:
            about = None
        repository = clean_repository_url(about.links) if about else None
        group = ref.properties["group_id"].partition(".")[0]
        return Package(
            ref=replace(ref, name=await self._looked_up_as(ref)),
            vendor=vendor_of(repository, fallback=group) if repository else None,
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            # With it, the next reading would not ask for what was not there.
            etag=None if awaited else listing.etag,
        )

    async def _read_list(
        self, ref: PackageRef, etag: str | None, announced: Sequence[VersionName]
    ) -> _Listing:
        """The package's list; an empty one where there is none although the index has versions."""
        try:
            answer = await self._get_list(ref, ref.registry_name, etag)
        except PackageNotFound as error:
            if not announced:
                raise
            return _Listing(str(error.url))
        if answer.not_modified:
            return _Listing(answer.url, etag=answer.etag or etag, unchanged=True)
        size = len(answer.body)
        found = await off_loop(size, parse_metadata, answer.body, ref.registry_name, answer.url)
        return _Listing(answer.url, found, answer.etag)

    async def _get_list(self, ref: PackageRef, name: str, etag: str | None = None) -> Response:
        url = self.endpoints.url("repository", *metadata_path(name))
        try:
            return await self.client.get(url, max_bytes=MAX_METADATA, accept=XML, etag=etag)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error

    async def _looked_up_as(self, ref: PackageRef) -> str:
        lower = ref.registry_name.lower()
        if lower == ref.registry_name:
            return lower
        try:
            await self._get_list(ref, lower)
        except PackageNotFound:
            return lower
        return ref.registry_name

    @classmethod
    def _versions(
        cls,
        ref: PackageRef,
        names: Iterable[VersionName],
        releases: Mapping[VersionName, _Release],
        awaited: Container[VersionName],
    ) -> tuple[Version, ...]:
        """In ascending order; without requirements where there is no release to have them from."""

        def date(name: VersionName) -> datetime | None:
            return releases[name].release_date if name in releases else None

        dated = ((name, moment.isoformat() if (moment := date(name)) else None) for name in names)
        return tuple(
            Version(
                name=name,
                purl=cls.version_purl(ref, name),
                release_date=date(name),
                requirements=releases[name].requirements if name in releases else None,
                provisional=name in awaited,
            )
            for name in cls.order(dated)
        )

    async def _read_releases(
        self, ref: PackageRef, names: Sequence[VersionName]
    ) -> dict[VersionName, _Release]:
        inheritance = Inheritance(self._read_shared, self._poms)
        requirements = RequirementReader(ref)

        async def read(name: VersionName) -> _Release:
            return await self._read_release(ref, name, inheritance.apart(), requirements)

        releases = dict(zip(names, await fan_out(read, names, CONCURRENCY), strict=True))
        for reason, count in Counter(r.problem for r in releases.values() if r.problem).items():
            log.warning("pom_unreadable", package=ref.purl, reason=reason, versions=count)
        if missing := sorted(map(str, inheritance.missing)):
            log.warning(
                "parents_missing", package=ref.purl, parents=missing[:10], count=len(missing)
            )
        requirements.report()
        return releases

    async def _read_release(
        self,
        ref: PackageRef,
        name: VersionName,
        inheritance: Inheritance,
        requirements: RequirementReader,
    ) -> _Release:
        group, artifact = ref.properties["group_id"], ref.properties["artifact_id"]
        coordinates = Coordinates(group, artifact, name)
        url = self.endpoints.url("repository", *coordinates.pom_path)
        try:
            document = await self.client.get_immutable(url, max_bytes=MAX_POM, accept=XML)
        except ResourceNotFound:
            return _Release(problem="missing", is_complete=False)
        except ResponseTooLarge as error:
            return _Release(problem=str(error))
        try:
            own = await off_loop(len(document.body), parse_pom, document.body, url)
        except MalformedMetadata as error:
            return _Release(document.last_modified, problem=str(error))
        pom = await inheritance.of(coordinates, own)
        if pom.relocation:
            taken = requirements.relocated(pom.relocation)
        else:
            taken = requirements.read(await inheritance.complete(pom))
        return _Release(
            document.last_modified,
            taken,
            tuple(repository_candidates(pom)),
            is_complete=inheritance.is_complete,
        )

    async def _read_shared(self, coordinates: Coordinates) -> Pom | None:
        """A POM that others refer to; ``None`` where the repository has none to read."""
        url = self.endpoints.url("repository", *coordinates.pom_path)
        try:
            document = await self.client.get_immutable(
                url, max_bytes=MAX_POM, accept=XML, shared=True
            )
        except (ResourceNotFound, ResponseTooLarge):
            return None
        try:
            return await off_loop(len(document.body), parse_pom, document.body, url)
        except MalformedMetadata:
            return None


def _awaited(
    releases: Mapping[VersionName, _Release], updated: datetime | None, at: datetime
) -> set[VersionName]:
    """The versions whose documents may still come: the package had a release, and they are it."""

    def is_late(moment: datetime | None) -> bool:
        return moment is not None and abs(at - moment) < LATELY

    if not is_late(updated):
        return set()
    found = {
        name
        for name, release in releases.items()
        # Of a POM that is not there, nobody knows when it was released.
        if not release.is_complete and is_late(release.release_date or updated)
    }
    return found if len(found) <= MAX_AWAITED else set()
