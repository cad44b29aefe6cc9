"""Reading one project: its page, and what each of its new versions says about itself."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

import structlog
from packaging.utils import canonicalize_name

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.pypi.identity import project
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
from ssc_ingest.ecosystems.wire import log_skipped
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedMetadata,
    PackageNotFound,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
    StaleAnswer,
)
from ssc_ingest.models import Package, PackageRef, Version, VersionName, now

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a JSON document; the largest pages of PyPI (some 30,000 files) have about 20 MB."""

MAX_METADATA = 2 * 1024 * 1024
"""Bytes of a metadata file; mostly its description, which is rarely above 100 kB."""

SERIAL_HEADER = "X-PyPI-Last-Serial"

CONCURRENCY = 8
"""Concurrent requests for one package's versions; more would only queue at the rate limit."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Description:
    """The metadata of one release."""

    metadata: ReleaseMetadata
    requirements: Requirements | None
    """``None`` if they are unknown."""


class ProjectReader:
    """Reads projects of one index."""

    def __init__(self, pypi: Ecosystem) -> None:
        self._pypi = pypi
        self._client = pypi.client
        self._endpoints = pypi.endpoints

    async def read(self, request: FetchRequest) -> Package | NotModified:
        """The project; errors are those of :meth:`Ecosystem.fetch`.

        The latest version's metadata has the links and the spelling of the name. If that version
        is known, they are not read (``vendor`` and ``repository_url`` are ``None``) unless the
        request is ``full``, for one more request.
        """
        ref, expected, fetched_at = request.ref, request.expected, now()
        name = canonicalize_name(ref.registry_name)
        url = self._endpoints.url("index", name, "")
        try:
            response = await self._client.get(
                url, max_bytes=MAX_DOCUMENT, accept=MEDIA_TYPE, etag=request.etag
            )
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error
        serial = response.headers.get(SERIAL_HEADER, "")
        if response.not_modified:
            _check_serial(serial, expected, url)
            return NotModified(fetched_at)
        page = await off_loop(
            len(response.body), parse_project_page, response.body, response.url, ref.registry_name
        )
        _check_serial(serial or str(page.serial or ""), expected, url)
        if page.withheld and not page.releases:
            raise PackageNotFound(ref.purl, url=url)

        log_skipped(ref.ecosystem, ref.purl, page.skipped)
        versions = self._versions(ref, page)
        latest = self._pypi.latest(versions)
        known = frozenset(request.known)
        to_read = [
            release
            for release in page.releases
            if release.name not in known or (request.full and release.name == latest)
        ]
        descriptions = await self._describe(name, to_read, latest)
        self._report(ref, descriptions)
        about = descriptions.get(latest) if latest else None
        if about and canonicalize_name(about.metadata.name) == name:
            ref = project(about.metadata.name)
        package = Package(
            ref=ref,
            vendor=None,
            repository_url=None,
            versions=tuple(
                version
                if version.name in known
                else _described(version, descriptions[version.name])
                for version in versions
            ),
            latest=latest,
            fetched_at=fetched_at,
            etag=response.etag,
        )
        return about.metadata.describe(package) if about else package

    def _versions(self, ref: PackageRef, page: ProjectPage) -> list[Version]:
        """The page's versions in ascending order, without requirements."""
        by_name = {
            release.name: Version(
                name=release.name,
                purl=self._pypi.version_purl(ref, release.name),
                release_date=release.release_date,
                requirements=None,
                yanked=release.yanked,
                requires_python=release.requires_python,
                deprecated=page.advice,
            )
            for release in page.releases
        }
        dates = {name: version.release_date for name, version in by_name.items()}
        return [by_name[name] for name in self._pypi.by_date(dates)]

    async def _describe(
        self, project_name: str, releases: Iterable[Release], latest: VersionName | None
    ) -> dict[VersionName, _Description | None]:
        """The metadata of the releases; ``None`` if the registry has none that is readable."""

        async def describe(release: Release) -> _Description | None:
            path = (project_name, quote(release.name, safe=""), "json")
            sources = [
                partial(self._from_metadata_file, release),
                partial(self._from_json, *path, version=release.name),
            ]
            if release.name == latest:
                sources.append(partial(self._from_json, project_name, "json", version=release.name))
            for source in sources:
                try:
                    if found := await source():
                        return found
                except (DigestMismatch, MalformedMetadata, ResponseTooLarge):
                    pass  # this document will not change any more, but another one may do
            return None

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
            document = await self._client.get_immutable(
                file.url, max_bytes=MAX_METADATA, sha256=file.sha256
            )
        except (ResourceForbidden, ResourceNotFound):
            return None
        body = document.body
        return await off_loop(len(body), _read_metadata_file, body, file.url)

    async def _from_json(self, *path: str, version: VersionName) -> _Description | None:
        """The document at that path of the JSON API, if it describes this version."""
        url = self._endpoints.url("json", *path)
        try:
            document = await self._client.get_immutable(url, max_bytes=MAX_DOCUMENT)
        except (ResourceForbidden, ResourceNotFound):
            return None
        body = document.body
        return await off_loop(len(body), _read_json_document, body, url, version)

    def _report(
        self, ref: PackageRef, descriptions: Mapping[VersionName, _Description | None]
    ) -> None:
        known = [d.requirements for d in descriptions.values() if d and d.requirements]
        if len(known) < len(descriptions):
            missing = len(descriptions) - len(known)
            log.warning("release_metadata_missing", package=ref.purl, versions=missing)
        unreadable = Counter(line for each in known for line in each.unreadable)
        for line, count in unreadable.items():
            log.warning(
                "requirement_unreadable", package=ref.purl, requirement=line[:200], versions=count
            )


def _check_serial(serial: str, expected: str | None, url: str) -> None:
    """Check that a response is as new as the change that led to the request.

    Raises:
        StaleAnswer: the project's serial is lower than the one that the feed has announced.
    """
    if expected and serial.isdecimal() and int(serial) < int(expected):
        raise StaleAnswer(f"serial {serial}, but the feed announced {expected}", url=url)


def _read_metadata_file(body: bytes, url: str) -> _Description:
    metadata = parse_metadata_file(body, url)
    return _describe(metadata)


def _read_json_document(body: bytes, url: str, version: VersionName) -> _Description | None:
    about, metadata = parse_json_document(body, url)
    if about != version and (about is None or parse_version(about) != parse_version(version)):
        return None
    return _describe(metadata)


def _describe(metadata: ReleaseMetadata) -> _Description:
    lines = metadata.requires_dist
    return _Description(metadata, None if lines is None else requirements_of(lines))


def _described(version: Version, description: _Description | None) -> Version:
    if description is None:
        return replace(version, requirements_unknown=True)
    metadata, requirements = description.metadata, description.requirements
    return replace(
        version,
        requirements=requirements.installed if requirements else None,
        requirements_unknown=requirements is None,
        requires_python=version.requires_python or metadata.requires_python,
        license=metadata.license,
        license_spdx=metadata.license_spdx,
        extra_requirements=requirements.extras if requirements else None,
    )
