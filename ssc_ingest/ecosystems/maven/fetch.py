"""Reads one package: its list of versions, their POMs, and the inherited POMs.

The list of versions (``maven-metadata.xml``) has gaps (:mod:`.metadata`). So versions in the graph
also count, and versions that only the index or other fields name count if their POM exists. A
package with capitals in its name costs one more request (:mod:`.lower_case`).
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.licenses import license_facts
from ssc_ingest.ecosystems.lower_case import graph_name
from ssc_ingest.ecosystems.maven.identity import Coordinates, metadata_path
from ssc_ingest.ecosystems.maven.listing import versions_expected
from ssc_ingest.ecosystems.maven.metadata import MAX_METADATA, VersionList, parse_metadata
from ssc_ingest.ecosystems.maven.pom.links import repository_candidates
from ssc_ingest.ecosystems.maven.pom.model import MAX_POM, Declaration, Pom, parse_pom
from ssc_ingest.ecosystems.maven.pom.parents import Inheritance, ParsedPoms
from ssc_ingest.ecosystems.maven.pom.requirements import RequirementReader
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.errors import (
    MalformedMetadata,
    PackageNotFound,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.request_scope import store_result, stored_result
from ssc_ingest.http.responses import Response
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Package, PackageRef, Requirement, Version, VersionName, now

XML = "application/xml"

CONCURRENCY = 8
"""Maximum concurrent requests for one package's versions; more would only wait for the rate
limit."""

RECENT = timedelta(days=7)
"""Time after a release in which missing documents may still appear."""

MAX_AWAITED = 8
"""Maximum versions to request again; if more are missing, they are missing permanently."""

MAX_DEPRECATION = 1000
"""Characters of what a publisher says about a relocation."""

NOTHING_LISTED = VersionList((), ())

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Release:
    """One version, read completely."""

    release_date: datetime | None = None
    requirements: tuple[Requirement, ...] = ()
    links: tuple[str, ...] = ()
    license: tuple[str | None, str | None] = (None, None)
    """As its publisher writes it, and as an SPDX expression."""
    deprecated: str | None = None
    problem: str = ""
    """The reason why there is no readable POM."""
    is_complete: bool = True
    """Whether the repository has its POM and all referenced POMs."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The data of one version's POM, with inherited values."""

    last_modified: datetime | None
    dependencies: tuple[Declaration, ...]
    relocation: Coordinates | None
    relocation_message: str
    licenses: tuple[str, ...]
    links: tuple[str, ...]
    is_complete: bool


_READING = TypeAdapter(_Reading)


class _Unreadable(Exception):
    """A document that is not a POM."""

    def __init__(self, reason: str, last_modified: datetime | None) -> None:
        super().__init__(reason)
        self.last_modified = last_modified


@dataclass(frozen=True, slots=True)
class _Listing:
    """A package's own list of versions."""

    url: str
    found: VersionList = NOTHING_LISTED
    etag: str | None = None
    unchanged: bool = False
    """Whether the graph has read this list; ``found`` is then empty."""


class PackageReader:
    """Reads packages of one repository, and caches parsed POMs that several of them share."""

    def __init__(self, maven: Ecosystem) -> None:
        self._maven = maven
        self._client = maven.client
        self._endpoints = maven.endpoints
        self._poms = ParsedPoms()

    async def read(self, request: FetchRequest) -> Package | NotModified:
        """Read a package; raises the errors of :meth:`Ecosystem.fetch`.

        If the latest version is known, only a ``full`` request reads the links, with one more
        request; otherwise ``vendor`` and ``repository_url`` are ``None``. Versions of the index
        (``expected``) that the list lacks count if their POM exists.
        """
        ref, fetched_at = request.ref, now()
        announced = versions_expected(request.expected)
        listing = await self._read_list(ref, request.etag, announced)
        known = frozenset(request.known)
        if listing.unchanged and known.issuperset(announced):
            return NotModified(fetched_at)
        names = list(dict.fromkeys((*listing.found.listed, *known, *request.reread)))
        mentioned = dict.fromkeys((*listing.found.hinted, *announced))
        unlisted = [name for name in mentioned if name not in names]
        to_read = [name for name in (*names, *unlisted) if name not in known]
        if request.full:
            newest = self._maven.latest(self._versions(ref, names, {}, ()))
            to_read += [newest] if newest in known else []
        releases = await self._read_releases(ref, to_read)
        awaited = _awaited(releases, listing.found.updated, fetched_at) - known
        existing = [name for name in unlisted if not releases[name].problem]
        if listing.unchanged and not existing:
            return NotModified(fetched_at)
        names += existing
        if not names:
            raise PackageNotFound(ref.purl, url=listing.url)
        new = {name: release for name, release in releases.items() if name not in known}
        versions = self._versions(ref, names, new, awaited)
        latest = self._maven.latest(versions)
        about = releases.get(latest) if latest else None
        if about and about.problem and latest in awaited:
            about = None
        repository = clean_repository_url(about.links) if about else None
        group = ref.properties["group_id"].partition(".")[0]
        name = await graph_name(ref.registry_name, lambda name: self._get_list(ref, name))
        return Package(
            ref=replace(ref, name=name),
            vendor=vendor_of(repository, fallback=group) if repository else None,
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            # With an ETag, the next reading would not request the missing documents again.
            etag=None if awaited else listing.etag,
        )

    async def _read_list(
        self, ref: PackageRef, etag: str | None, announced: Sequence[VersionName]
    ) -> _Listing:
        """The package's list; an empty one if it is missing although the index has versions."""
        try:
            response = await self._get_list(ref, ref.registry_name, etag)
        except PackageNotFound as error:
            if not announced:
                raise
            return _Listing(str(error.url))
        if response.not_modified:
            return _Listing(response.url, etag=response.etag or etag, unchanged=True)
        body = response.body
        found = await off_loop(len(body), parse_metadata, body, ref.registry_name, response.url)
        return _Listing(response.url, found, response.etag)

    async def _get_list(self, ref: PackageRef, name: str, etag: str | None = None) -> Response:
        url = self._endpoints.url("repository", *metadata_path(name))
        try:
            return await self._client.get(url, max_bytes=MAX_METADATA, accept=XML, etag=etag)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error

    def _versions(
        self,
        ref: PackageRef,
        names: Iterable[VersionName],
        releases: Mapping[VersionName, _Release],
        awaited: Container[VersionName],
    ) -> tuple[Version, ...]:
        """In ascending order; versions without a release have no date and no requirements."""
        dates = {name: releases[name].release_date if name in releases else None for name in names}

        def version(name: VersionName, release: _Release | None) -> Version:
            known = release and not release.problem
            return Version(
                name=name,
                purl=self._maven.version_purl(ref, name),
                release_date=dates[name],
                requirements=release.requirements if release and known else None,
                requirements_unknown=bool(release and not known),
                license=release.license[0] if release else None,
                license_spdx=release.license[1] if release else None,
                deprecated=release.deprecated if release else None,
                provisional=name in awaited,
            )

        return tuple(version(name, releases.get(name)) for name in self._maven.by_date(dates))

    async def _read_releases(
        self, ref: PackageRef, names: Sequence[VersionName]
    ) -> dict[VersionName, _Release]:
        inheritance = Inheritance(self._read_shared, self._versions_of, self._poms)
        requirements = RequirementReader(ref)

        async def read(name: VersionName) -> _Release:
            return await self._read_release(ref, name, inheritance.for_one_pom(), requirements)

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
        url = self._endpoints.url("repository", *coordinates.pom_path)
        try:
            reading = await self._read_pom(coordinates, url, inheritance)
        except ResourceNotFound:
            return _Release(problem="missing", is_complete=False)
        except (ResourceForbidden, ResponseTooLarge) as error:
            return _Release(problem=str(error))
        except _Unreadable as error:
            return _Release(error.last_modified, problem=str(error))
        return _Release(
            reading.last_modified,
            requirements.relocated(reading.relocation)
            if reading.relocation
            else requirements.read(reading.dependencies),
            reading.links,
            license_facts(" OR ".join(reading.licenses)),
            " ".join(reading.relocation_message.split())[:MAX_DEPRECATION] or None,
            is_complete=reading.is_complete,
        )

    async def _read_pom(
        self, coordinates: Coordinates, url: str, inheritance: Inheritance
    ) -> _Reading:
        """The POM with inherited values; processed only once, even if the extraction is delayed."""
        if (stored := stored_result(url)) and (reading := _unpacked(stored)):
            return reading
        document = await self._client.get_immutable(url, max_bytes=MAX_POM, accept=XML)
        try:
            own = await off_loop(len(document.body), parse_pom, document.body, url)
        except MalformedMetadata as error:
            raise _Unreadable(str(error), document.last_modified) from error
        pom = await inheritance.of(coordinates, own)
        reading = _Reading(
            document.last_modified,
            () if pom.relocation else tuple(await inheritance.complete(pom)),
            pom.relocation,
            pom.relocation_message,
            tuple(pom.licenses),
            tuple(repository_candidates(pom)),
            inheritance.is_complete,
        )
        store_result(url, _READING.dump_json(reading))
        return reading

    async def _versions_of(self, name: str) -> Sequence[VersionName]:
        """The listed versions of a package that a POM references by a range."""
        url = self._endpoints.url("repository", *metadata_path(name))
        try:
            response = await self._client.get(url, max_bytes=MAX_METADATA, accept=XML)
            return parse_metadata(response.body, name, url).listed
        except (ResourceForbidden, ResourceNotFound, ResponseTooLarge, MalformedMetadata):
            return ()

    async def _read_shared(self, coordinates: Coordinates) -> Pom | None:
        """A referenced POM; ``None`` if the repository has no readable one."""
        url = self._endpoints.url("repository", *coordinates.pom_path)
        try:
            document = await self._client.get_immutable(
                url, max_bytes=MAX_POM, accept=XML, shared=True
            )
        except (ResourceForbidden, ResourceNotFound, ResponseTooLarge):
            return None
        try:
            return await off_loop(len(document.body), parse_pom, document.body, url)
        except MalformedMetadata:
            return None


def _awaited(
    releases: Mapping[VersionName, _Release], updated: datetime | None, at: datetime
) -> set[VersionName]:
    """Versions whose documents may still appear, because they belong to a recent release."""

    def is_recent(moment: datetime | None) -> bool:
        return moment is not None and abs(at - moment) < RECENT

    if not is_recent(updated):
        return set()
    found = {
        name
        for name, release in releases.items()
        # A missing POM has no release date, so the list's date is used.
        if not release.is_complete and is_recent(release.release_date or updated)
    }
    return found if len(found) <= MAX_AWAITED else set()


def _unpacked(stored: bytes) -> _Reading | None:
    """Decode a result; ``None`` if another release of this program has stored it."""
    try:
        return _READING.validate_json(stored)
    except ValidationError:
        return None
