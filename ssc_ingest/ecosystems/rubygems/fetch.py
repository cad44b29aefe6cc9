"""Reads one gem: its file of the compact index, and the JSON API for missing data.

If the file does not date a new version (lines have dates since 2026), ``versions/NAME.json`` does;
it has licences, and its metadata often has the repository as well. Otherwise ``gems/NAME.json`` has
the links, and the latest version's licences; it is read if the latest version is new. If the
metadata lacks the links and the gem is read for the first time, or somebody requested it by name,
``gems/NAME.json`` is a third request.

If the API fails, dates stay unknown and the graph keeps its links. A rate limit is not a failure:
the fetch continues later.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.lower_case import graph_name
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.rubygems.api import (
    Gem,
    ReleasedBuild,
    license_of,
    licenses_of,
    links_of,
    parse_gem,
    parse_releases,
    release_dates,
)
from ssc_ingest.ecosystems.rubygems.builds import RequirementReader
from ssc_ingest.ecosystems.rubygems.identity import IDENTITY
from ssc_ingest.ecosystems.rubygems.info import (
    Release,
    check_digest,
    parse_info,
    without_line,
)
from ssc_ingest.ecosystems.rubygems.listing import TEXT
from ssc_ingest.ecosystems.rubygems.lists import NO_VERSIONS
from ssc_ingest.errors import (
    PackageNotFound,
    RateLimited,
    RegistryError,
    ResourceNotFound,
    StaleAnswer,
)
from ssc_ingest.http.responses import Response
from ssc_ingest.logs import get_logger
from ssc_ingest.models import NOT_AVAILABLE, Package, PackageRef, Version, VersionName, now

logger = get_logger(__name__)

MAX_INFO = 32 * 1024 * 1024
"""Bytes of a file of the index; the largest have 1 to 2 MB."""

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a document of the API; those of gems with thousands of builds have some 5 MB."""

JSON = "application/json"

_MD5 = re.compile(r'(?:W/)?"([0-9a-f]{32})(?:-gzip)?"')
"""An ETag that contains the file's MD5."""


class GemReader:
    """Reads gems of one source."""

    def __init__(self, rubygems: Ecosystem) -> None:
        self._rubygems = rubygems
        self._client = rubygems.client
        self._endpoints = rubygems.endpoints

    async def read(self, request: FetchRequest) -> Package | NotModified:
        """Read a gem; raises the errors of :meth:`Ecosystem.fetch`.

        ``request.expected`` is the MD5 of its file.
        """
        ref, expected, fetched_at = request.ref, request.expected, now()
        try:
            response = await self._info(ref, ref.registry_name, request.etag)
        except PackageNotFound as error:
            if expected in {None, NO_VERSIONS}:
                raise
            raise StaleAnswer("missing, but it was announced", url=error.url) from error
        if expected is not None:
            _check_expected(response, request.etag, expected)
        if response.not_modified:
            return NotModified(fetched_at)
        size = len(response.body)
        releases = await off_loop(size, parse_info, response.body, ref, response.url)
        if not releases:
            raise PackageNotFound(ref.purl, url=response.url)

        known = frozenset(request.known)
        undated = any(
            release.release_date is None and (request.full or number not in known)
            for number, release in releases.items()
        )
        builds = await self._builds(ref) if undated else None
        absent = known.difference(releases)
        yanked = await off_loop(size, without_line, absent, response.body) if absent else ()
        versions = await off_loop(size, self._versions, ref, releases, builds or (), yanked)
        latest = self._rubygems.latest(versions)

        repository = None
        if request.full or latest not in known:
            found = clean_repository_url(links_of(builds or (), latest))
            if found != NOT_AVAILABLE:
                repository = found
            elif request.full or not known or not undated:
                gem = await self._gem(ref)
                if gem:
                    repository = clean_repository_url(gem.addresses())
                    versions = _with_licenses_of(gem, versions)
        name = await graph_name(ref.registry_name, lambda name: self._info(ref, name))
        return Package(
            ref=replace(ref, name=name),
            vendor=None if repository is None else vendor_of(repository),
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            etag=response.etag,
        )

    async def _info(self, ref: PackageRef, name: str, etag: str | None = None) -> Response:
        url = self._endpoints.url("index", "info", name)
        try:
            response = await self._client.get(url, max_bytes=MAX_INFO, accept=TEXT, etag=etag)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error
        if not response.not_modified:
            check_digest(response.body, response.headers.get("repr-digest", ""), url)
        return response

    def _versions(
        self,
        ref: PackageRef,
        releases: Mapping[VersionName, Release],
        builds: Sequence[ReleasedBuild],
        yanked: Iterable[VersionName],
    ) -> tuple[Version, ...]:
        """The versions in ascending order; yanked ones have no data."""
        dates, licenses = release_dates(builds), licenses_of(builds)
        dated: dict[VersionName, datetime | None] = dict.fromkeys(yanked)
        dated |= {name: releases[name].release_date or dates.get(name) for name in releases}
        requirements = RequirementReader(ref.registry_name)

        def version(name: VersionName) -> Version:
            required = requirements.read(releases[name]) if name in releases else None
            license_, license_spdx = licenses.get(name, (None, None))
            return Version(
                name=name,
                purl=self._rubygems.version_purl(ref, name),
                release_date=dated[name],
                requirements=required.found if required else None,
                yanked=required is None,
                engines=required.engines if required else None,
                builds=required.builds if required else None,
                license=license_,
                license_spdx=license_spdx,
            )

        versions = tuple(version(name) for name in self._rubygems.by_date(dated))
        requirements.report()
        return versions

    async def _builds(self, ref: PackageRef) -> list[ReleasedBuild] | None:
        """The API's data on the versions; ``None`` if it cannot be read now."""
        try:
            response = await self._get_api("versions", ref)
            size = len(response.body)
            return await off_loop(size, parse_releases, response.body, response.url)
        except RateLimited:
            raise
        except RegistryError as error:
            logger.warning(
                "release_dates_unknown",
                ecosystem=IDENTITY.name,
                package=ref.registry_name,
                reason=str(error),
            )
            return None

    async def _gem(self, ref: PackageRef) -> Gem | None:
        """The API's data on the latest version; ``None`` if it cannot be read now."""
        try:
            response = await self._get_api("gems", ref)
            return parse_gem(response.body, ref.registry_name, response.url)
        except RateLimited:
            raise
        except RegistryError as error:
            logger.warning(
                "repository_unknown",
                ecosystem=IDENTITY.name,
                package=ref.registry_name,
                reason=str(error),
            )
            return None

    async def _get_api(self, kind: str, ref: PackageRef) -> Response:
        url = self._endpoints.url("api", kind, f"{ref.registry_name}.json")
        return await self._client.get(url, max_bytes=MAX_DOCUMENT, accept=JSON)


def _with_licenses_of(gem: Gem, versions: tuple[Version, ...]) -> tuple[Version, ...]:
    """The versions; the one that the document describes has its licences."""
    license_, spdx = license_of(gem.licenses)
    if not license_:
        return versions
    return tuple(
        replace(version, license=license_, license_spdx=spdx)
        if version.name == gem.version
        else version
        for version in versions
    )


def _check_expected(response: Response, etag: str | None, expected: str) -> None:
    """Check that the file has the announced MD5; an unknown one is accepted.

    Raises:
        StaleAnswer: the file is not the announced one.
    """
    if response.not_modified:
        match = _MD5.fullmatch(etag or "")
        found = match[1] if match else expected
    else:
        found = hashlib.md5(response.body, usedforsecurity=False).hexdigest()
    if found != expected:
        raise StaleAnswer("the file is not the announced one", url=response.url)
