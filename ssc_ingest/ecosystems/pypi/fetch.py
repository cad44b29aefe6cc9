"""Reads one project: its page, and the metadata of each new version."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from packaging.utils import canonicalize_name

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.pypi.identity import project
from ssc_ingest.ecosystems.pypi.release_reader import MAX_DOCUMENT, Description, ReleaseReader
from ssc_ingest.ecosystems.pypi.simple_index import (
    MEDIA_TYPE,
    ProjectPage,
    parse_project_page,
)
from ssc_ingest.ecosystems.wire import log_skipped
from ssc_ingest.errors import (
    PackageNotFound,
    ResourceNotFound,
    StaleAnswer,
)
from ssc_ingest.logs import get_logger
from ssc_ingest.models import Package, PackageRef, Version, VersionName, now

SERIAL_HEADER = "X-PyPI-Last-Serial"

CONCURRENCY = 8
"""Maximum concurrent requests for one package's versions; more would only wait for the rate
limit."""

log = get_logger(__name__)


class ProjectReader:
    """Reads projects of one index."""

    def __init__(self, pypi: Ecosystem) -> None:
        self._pypi = pypi
        self._client = pypi.client
        self._endpoints = pypi.endpoints

    async def read(self, request: FetchRequest) -> Package | NotModified:
        """Read a project; raises the errors of :meth:`Ecosystem.fetch`.

        The latest version's metadata has the links and the spelling of the name. If that version is
        known, only a ``full`` request reads them, with one more request; otherwise ``vendor`` and
        ``repository_url`` are ``None``.
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
        by_name = {release.name: release for release in page.releases}
        to_read = [
            by_name[version.name]
            for version in reversed(versions)  # newest first, because the budget may be too small
            if version.name not in known or (request.full and version.name == latest)
        ]
        reader = ReleaseReader(self._client, self._endpoints, name, latest)
        found = await fan_out(reader.describe, to_read, CONCURRENCY)
        descriptions = dict(zip((release.name for release in to_read), found, strict=True))
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
                deprecated=page.advice or "",
            )
            for release in page.releases
        }
        dates = {name: version.release_date for name, version in by_name.items()}
        return [by_name[name] for name in self._pypi.by_date(dates)]

    def _report(
        self, ref: PackageRef, descriptions: Mapping[VersionName, Description | None]
    ) -> None:
        missing = sum(not (found and found.is_known) for found in descriptions.values())
        if missing:
            log.warning("release_metadata_missing", package=ref.purl, versions=missing)
        read = [d.requirements for d in descriptions.values() if d and d.requirements]
        unreadable = Counter(line for each in read for line in each.unreadable)
        for line, count in unreadable.items():
            log.warning(
                "requirement_unreadable", package=ref.purl, requirement=line[:200], versions=count
            )


def _check_serial(serial: str, expected: str | None, url: str) -> None:
    """Check that a response is at least as new as the announced change.

    Raises:
        StaleAnswer: the project's serial is lower than the one that the feed has announced.
    """
    if expected and serial.isdecimal() and int(serial) < int(expected):
        raise StaleAnswer(f"serial {serial}, but the feed announced {expected}", url=url)


def _described(version: Version, description: Description | None) -> Version:
    if description is None:
        return replace(version, requirements_unknown=True)
    metadata, requirements = description.metadata, description.requirements
    return replace(
        version,
        requirements=requirements.installed if requirements else None,
        requirements_unknown=not description.is_known,
        requires_python=version.requires_python or metadata.requires_python,
        license=metadata.license,
        license_spdx=metadata.license_spdx,
        extra_requirements=requirements.extras if requirements else None,
    )
