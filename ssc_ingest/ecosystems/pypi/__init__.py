"""PyPI, the Python Package Index.

Identity
    A project's name is matched by its PEP 503 form (``Ruamel.YAML`` is ``ruamel-yaml``), which
    is its purl; the graph's ``name`` is the project's own spelling in lower case.
Reading a package
    One request to the Simple JSON API (PEP 691) gives all versions and files; one small
    metadata file (PEP 658) per version that is not known yet gives its requirements. A version
    whose files offer none, or none that can be read, is read from the JSON API. Wheel metadata
    is preferred to what the JSON API says, which is about the first file that was uploaded.
Listing and changes
    One document names all projects with the serial of their last change; :mod:`.listing`.
Rules
    Unique User-Agent, no thousands of requests within minutes; the XML-RPC and the
    ``releases`` part of the JSON API are not used.
    A project in quarantine is as good as missing; archived and deprecated ones are read like
    all others (PEP 792).

https://docs.pypi.org/api/
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote

import structlog
from packaging.utils import canonicalize_name
from packaging.version import Version as PEP440Version

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.pypi.constraints import to_constraints
from ssc_ingest.ecosystems.pypi.identity import IDENTITY, project
from ssc_ingest.ecosystems.pypi.listing import Listing
from ssc_ingest.ecosystems.pypi.metadata import (
    ReleaseMetadata,
    parse_json_document,
    parse_metadata_file,
)
from ssc_ingest.ecosystems.pypi.requirements import Requirements, requirements_of
from ssc_ingest.ecosystems.pypi.simple_index import (
    MEDIA_TYPE,
    ProjectPage,
    Release,
    parse_project_page,
)
from ssc_ingest.ecosystems.pypi.versions import parse_version
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.errors import (
    MalformedMetadata,
    PackageNotFound,
    ResourceNotFound,
    ResponseTooLarge,
    StaleAnswer,
)
from ssc_ingest.models import Package, PackageRef, Requirement, Version, VersionName, now

__all__ = ["PyPI"]

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a JSON document; the largest pages of PyPI (some 30,000 files) have about 20 MB."""

MAX_METADATA = 2 * 1024 * 1024
"""Bytes of a metadata file; mostly its description, which is rarely above 100 kB."""

SERIAL_HEADER = "X-PyPI-Last-Serial"

CONCURRENCY = 8
"""Requests for one package's versions under way; more would only queue at the rate limit."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Description:
    """What a release says about itself, read to the end."""

    metadata: ReleaseMetadata
    requirements: Requirements


class PyPI(Ecosystem):
    """The Python Package Index."""

    identity = IDENTITY
    requests_per_package = 11.0  # the page, and a metadata file for each of some ten versions

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The project of that name; see :func:`.identity.project`."""
        return project(name)

    @classmethod
    def sort_key(cls, version: str) -> PEP440Version | None:
        """PEP 440 order; ``None`` for versions from before it."""
        return parse_version(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Alpha, beta, candidate and development releases."""
        parsed = parse_version(version)
        return parsed is not None and parsed.is_prerelease

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Version specifiers (PEP 440)."""
        return to_constraints(*texts)

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """``ruamel-yaml`` -> ``ruamel_yaml``."""
        return ref.name.replace("-", "_")

    @cached_property
    def _listing(self) -> Listing:
        return Listing(self.client, self.endpoints.url("index", ""))

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All projects, in the order of their PEP 503 names; one request."""
        return self._listing.names(cursor)

    async def feed_end(self) -> str:
        """The present serial of the registry; one request."""
        return await self._listing.end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Projects whose serial has grown; one request, an empty answer if there are none."""
        return self._listing.changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read a project: 1 request, and 1 for each version that is not known.

        Links and spelling of the name are those of the latest version's metadata. If that
        version is known, they are not read (``vendor`` and ``repository_url`` are ``None``)
        unless ``full``, for one more request.
        """
        ref, expected, fetched_at = request.ref, request.expected, now()
        name = canonicalize_name(ref.registry_name)
        url = self.endpoints.url("index", name, "")
        try:
            answer = await self.client.get(
                url, max_bytes=MAX_DOCUMENT, accept=MEDIA_TYPE, etag=request.etag
            )
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error
        serial = answer.headers.get(SERIAL_HEADER, "")
        if answer.not_modified:
            _refuse_older(serial, expected, url)
            return NotModified(fetched_at)
        page = await off_loop(
            len(answer.body), parse_project_page, answer.body, answer.url, ref.registry_name
        )
        _refuse_older(serial or str(page.serial or ""), expected, url)
        if page.withheld and not page.releases:
            raise PackageNotFound(ref.purl, url=url)

        versions = self._versions(ref, page)
        latest = self.latest(versions)
        seen = frozenset(request.known)
        to_read = [
            release
            for release in page.releases
            if release.name not in seen or (request.full and release.name == latest)
        ]
        descriptions = await self._describe(name, to_read, latest)
        self._report(ref, descriptions)
        about = descriptions.get(latest) if latest else None
        if about and canonicalize_name(about.metadata.name) == name:
            ref = project(about.metadata.name)
        repository = clean_repository_url(about.metadata.links) if about else None
        return Package(
            ref=ref,
            vendor=vendor_of(repository) if repository else None,
            repository_url=repository,
            versions=tuple(
                version
                if version.name in seen
                else replace(version, requirements=_taken(descriptions[version.name]))
                for version in versions
            ),
            latest=latest,
            fetched_at=fetched_at,
            etag=answer.etag,
        )

    def _versions(self, ref: PackageRef, page: ProjectPage) -> list[Version]:
        """The page's versions in ascending order, without requirements."""
        by_name = {
            release.name: Version(
                name=release.name,
                purl=self.version_purl(ref, release.name),
                release_date=release.release_date,
                requirements=None,
                yanked=release.yanked,
            )
            for release in page.releases
        }
        dated = (
            (name, version.release_date.isoformat() if version.release_date else None)
            for name, version in by_name.items()
        )
        return [by_name[name] for name in self.order(dated)]

    async def _describe(
        self, project_name: str, releases: Iterable[Release], latest: VersionName | None
    ) -> dict[VersionName, _Description | None]:
        """Read what the releases say about themselves; ``None`` where the registry has nothing."""

        async def from_json(release: Release) -> _Description | None:
            path = (project_name, quote(release.name, safe=""), "json")
            found = await self._from_json(*path, version=release.name)
            if found is None and release.name == latest:
                found = await self._from_json(project_name, "json", version=release.name)
            return found

        async def describe(release: Release) -> _Description | None:
            try:
                found = await self._from_metadata_file(release)
            except (MalformedMetadata, ResponseTooLarge):
                # Nobody mends it any more: where the registry's own form of it is no better, the
                # release is taken without, and the project's other releases are not concerned.
                with suppress(MalformedMetadata, ResponseTooLarge):
                    return await from_json(release)
                return None
            return found or await from_json(release)

        releases = list(releases)
        descriptions = await fan_out(describe, releases, CONCURRENCY)
        return {
            release.name: description
            for release, description in zip(releases, descriptions, strict=True)
        }

    async def _from_metadata_file(self, release: Release) -> _Description | None:
        file = release.metadata_file
        if file is None:
            return None
        try:
            document = await self.client.get_immutable(
                file.url, max_bytes=MAX_METADATA, sha256=file.sha256
            )
        except ResourceNotFound:
            return None
        body = document.body
        return await off_loop(len(body), _read_metadata_file, body, file.url)

    async def _from_json(self, *path: str, version: VersionName) -> _Description | None:
        """The document at that path of the JSON API, if it is about this version."""
        url = self.endpoints.url("json", *path)
        try:
            document = await self.client.get_immutable(url, max_bytes=MAX_DOCUMENT)
        except ResourceNotFound:
            return None
        body = document.body
        return await off_loop(len(body), _read_json_document, body, url, version)

    def _report(
        self, ref: PackageRef, descriptions: Mapping[VersionName, _Description | None]
    ) -> None:
        missing = [name for name, description in descriptions.items() if description is None]
        if missing:
            log.warning("release_metadata_missing", package=ref.purl, versions=len(missing))
        unreadable = Counter(
            line
            for description in descriptions.values()
            if description
            for line in description.requirements.unreadable
        )
        for line, count in unreadable.items():
            log.warning(
                "requirement_unreadable", package=ref.purl, requirement=line[:200], versions=count
            )


def _refuse_older(serial: str, expected: str | None, url: str) -> None:
    """Refuse an answer of a cache that has not heard of the change yet.

    Raises:
        StaleAnswer: the project's serial is less than the one that the feed has announced.
    """
    if expected and serial.isdecimal() and int(serial) < int(expected):
        raise StaleAnswer(f"serial {serial}, the feed has announced {expected}", url=url)


def _read_metadata_file(body: bytes, url: str) -> _Description:
    metadata = parse_metadata_file(body, url)
    return _Description(metadata, requirements_of(metadata.requires_dist))


def _read_json_document(body: bytes, url: str, version: VersionName) -> _Description | None:
    about, metadata = parse_json_document(body, url)
    if about != version and (about is None or parse_version(about) != parse_version(version)):
        return None
    return _Description(metadata, requirements_of(metadata.requires_dist))


def _taken(description: _Description | None) -> tuple[Requirement, ...]:
    return description.requirements.taken if description else ()
