"""RubyGems.

Metadata: one request to the compact index, ``/info/NAME``, gives all versions and their
requirements. With an ETag, an unchanged gem costs an empty answer. Since 2026 RubyGems.org's lines
carry dates as well. What else is worth a request is asked of the JSON API when something is new:
``versions/NAME.json``, if the index does not tell when a new version came out (its metadata often
names the repository too), else ``gems/NAME.json`` for the links, if the latest version is new. So
a new version costs two requests and no new version one. A gem that is read for the first time, or
``thorough``, is asked about its links also where the versions' metadata did not tell them, for a
third. If the API fails, the gem is taken without: dates stay unknown, and what the graph knows of
its links stays. Waiting for the API's rate limit is no failure. A gem with capitals in its name
costs one request more: whether the registry also has the lower-case name decides how the graph's
readers find it (:mod:`.identity`).

Versions: builds for several platforms are one version, named by the number. Its requirements are
those of the platform ``ruby``, else of all builds, with the smallest interval around requirements
that differ. Its date is that of the first build.

Requirements: runtime dependencies, which are all that the index has. Ranges: :mod:`.requirements`.

Listing: ``/names``, one request and some 3 MB, in the list's own order. A listing whose list was
replaced meanwhile begins again: what has been listed is known by then, and costs no request.

Changes: what was added to ``/versions`` since last time, by byte range: one conditional request if
there is nothing, two else. If the list was made anew, as at the beginning of each month, all gems
are handed over with the digests of their files, which are their ETags too; so no cursor expires.
:mod:`.listing`. Not told then: gems of which all versions were yanked after the last look at the
old list; the sweep of packages not looked at for long finds them.

An answer is stale if the gem's file does not have the MD5 that the list has announced. It may also
be newer than that, which cannot be told apart; who asks drops the expectation after some attempts.

Yanked: a yanked version is no longer in the file. One that the graph has stays there with all that
is known of it, as yanked, until the file has it again. A gem of which all versions were yanked
cannot be installed, and is as unknown as one that was never there.

Politeness: the API takes 10 requests a second from an address; to collect everything, the operator
asks to use the dumps of the database. https://guides.rubygems.org/rubygems-org-rate-limits/
"""

import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import structlog

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.rubygems.api import (
    ReleasedBuild,
    links_of,
    parse_gem,
    parse_releases,
    release_dates,
)
from ssc_ingest.ecosystems.rubygems.identity import IDENTITY, reference
from ssc_ingest.ecosystems.rubygems.info import (
    Release,
    check_digest,
    parse_info,
    read_requirements,
    without_line,
)
from ssc_ingest.ecosystems.rubygems.listing import TEXT, Listing
from ssc_ingest.ecosystems.rubygems.lists import NO_VERSIONS
from ssc_ingest.ecosystems.rubygems.requirements import to_constraints
from ssc_ingest.ecosystems.rubygems.versions import GemVersion, parse_version
from ssc_ingest.errors import (
    PackageNotFound,
    RateLimited,
    RegistryError,
    ResourceNotFound,
    StaleAnswer,
)
from ssc_ingest.http.responses import Response
from ssc_ingest.models import NOT_AVAILABLE, Package, PackageRef, Version, VersionName, now

logger = structlog.get_logger(__name__)

MAX_INFO = 32 * 1024 * 1024
"""Bytes of a file of the index; the largest have 1 to 2 MB."""

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a document of the API; those of gems with thousands of builds have some 5 MB."""

JSON = "application/json"

_MD5 = re.compile(r'(?:W/)?"([0-9a-f]{32})(?:-gzip)?"')
"""An ETag that tells the file's MD5."""


class RubyGems(Ecosystem):
    """RubyGems.org, or a mirror with a compact index."""

    identity = IDENTITY
    requests_per_package: ClassVar[float] = 2.5

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The gem of that exact name; names that differ in case are different gems."""
        return reference(name)

    @classmethod
    def sort_key(cls, version: str) -> GemVersion | None:
        """The order of ``Gem::Version``."""
        return parse_version(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Whether the version has letters in it."""
        parsed = parse_version(version)
        return parsed is not None and parsed.is_prerelease

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Requirements, their clauses joined by commas or as the index joins them."""
        return to_constraints(*(text.replace(",", "&") for text in texts))

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The gem's name: ``require 'rspec-core'``."""
        return ref.registry_name

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All gems that have, or had, a version."""
        return Listing(self.client, self.endpoints).names(cursor)

    async def feed_end(self) -> str:
        """The cursor at the present end of the list of versions."""
        return await Listing(self.client, self.endpoints).end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The gems that were added to the list of versions, or all if it was made anew."""
        return Listing(self.client, self.endpoints).changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the gem's file of the index, and what its news are worth; see the module.

        ``expected`` is the MD5 of that file.
        """
        ref, expected, fetched_at = request.ref, request.expected, now()
        try:
            response = await self._info(ref, ref.registry_name, request.etag)
        except PackageNotFound as error:
            if expected in {None, NO_VERSIONS}:
                raise
            raise StaleAnswer("not there, but it was announced", url=error.url) from error
        if expected is not None:
            _check_expected(response, request.etag, expected)
        if response.not_modified:
            return NotModified(fetched_at)
        size = len(response.body)
        releases = await off_loop(size, parse_info, response.body, ref, response.url)
        if not releases:
            raise PackageNotFound(ref.purl, url=response.url)

        seen = frozenset(request.known)
        undated = any(
            release.release_date is None and (request.full or number not in seen)
            for number, release in releases.items()
        )
        builds = await self._builds(ref) if undated else None
        absent = seen.difference(releases)
        yanked = await off_loop(size, without_line, absent, response.body) if absent else ()
        versions = await off_loop(
            size, self._versions, ref, releases, release_dates(builds or ()), yanked
        )
        latest = self.latest(versions)

        repository = None
        if request.full or latest not in seen:
            found = clean_repository_url(links_of(builds or (), latest))
            if found != NOT_AVAILABLE:
                repository = found
            elif request.full or not seen or not undated:
                repository = await self._repository(ref)
        return Package(
            ref=replace(ref, name=await self._looked_up_as(ref)),
            vendor=None if repository is None else vendor_of(repository),
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            etag=response.etag,
        )

    async def _info(self, ref: PackageRef, name: str, etag: str | None = None) -> Response:
        url = self.endpoints.url("index", "info", name)
        try:
            response = await self.client.get(url, max_bytes=MAX_INFO, accept=TEXT, etag=etag)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error
        if not response.not_modified:
            check_digest(response.body, response.headers.get("repr-digest", ""), url)
        return response

    async def _looked_up_as(self, ref: PackageRef) -> str:
        lower = ref.registry_name.lower()
        if lower == ref.registry_name:
            return lower
        try:
            await self._info(ref, lower)
        except PackageNotFound:
            return lower
        return ref.registry_name

    @classmethod
    def _versions(
        cls,
        ref: PackageRef,
        releases: Mapping[VersionName, Release],
        dates: Mapping[VersionName, datetime],
        yanked: Iterable[VersionName],
    ) -> tuple[Version, ...]:
        """In ascending order; those that were yanked without all that is not read of them."""
        dated: dict[VersionName, datetime | None] = dict.fromkeys(yanked)
        dated |= {name: releases[name].release_date or dates.get(name) for name in releases}
        ordered = cls.order(
            (name, date.isoformat() if date else None) for name, date in dated.items()
        )
        requirements = read_requirements(releases.values(), ref.registry_name)
        return tuple(
            Version(
                name=name,
                purl=cls.version_purl(ref, name),
                release_date=dated[name],
                requirements=requirements.get(name),
                yanked=name not in releases,
            )
            for name in ordered
        )

    async def _builds(self, ref: PackageRef) -> list[ReleasedBuild] | None:
        """What the API knows of the versions, or ``None`` if it cannot be read now."""
        try:
            response = await self._ask_api("versions", ref)
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

    async def _repository(self, ref: PackageRef) -> str | None:
        """The repository's address, or ``None`` if the API cannot be read now."""
        try:
            response = await self._ask_api("gems", ref)
            gem = parse_gem(response.body, ref.registry_name, response.url)
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
        return clean_repository_url(gem.addresses())

    async def _ask_api(self, kind: str, ref: PackageRef) -> Response:
        url = self.endpoints.url("api", kind, f"{ref.registry_name}.json")
        return await self.client.get(url, max_bytes=MAX_DOCUMENT, accept=JSON)


def _check_expected(response: Response, etag: str | None, expected: str) -> None:
    """Compare the file's MD5; one that is not known may be the right one.

    Raises:
        StaleAnswer: it is another file than was announced.
    """
    if response.not_modified:
        match = _MD5.fullmatch(etag or "")
        found = match[1] if match else expected
    else:
        found = hashlib.md5(response.body, usedforsecurity=False).hexdigest()
    if found != expected:
        raise StaleAnswer("not the file that was announced", url=response.url)
