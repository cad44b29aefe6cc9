"""Reads one package: its registration, and the nuspec of its latest version."""

import re
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import quote

from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.licenses import license_facts
from ssc_ingest.ecosystems.nuget.catalog import Announced, moment_of, stamp_of
from ssc_ingest.ecosystems.nuget.identity import IDENTITY, reference
from ssc_ingest.ecosystems.nuget.nuspec import read_repository
from ssc_ingest.ecosystems.nuget.registration import (
    CatalogEntry,
    Index,
    Leaf,
    Page,
    PageDocument,
    parse,
    releases,
)
from ssc_ingest.ecosystems.nuget.requirements import RequirementReader
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.wire import Unreadable
from ssc_ingest.errors import (
    InconsistentAnswers,
    MalformedMetadata,
    PackageNotFound,
    RegistryUnavailable,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
    StaleAnswer,
)
from ssc_ingest.logs import get_logger
from ssc_ingest.models import NOT_AVAILABLE, Package, PackageRef, Version, VersionName, now

logger = get_logger(__name__)

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of an index or a page; the largest have some 5 MB."""

TYPICAL_LEAF = 2048
"""Bytes of a version in an index or a page."""

MAX_PAGES = 2000
"""NuGet.org puts 64 versions into a page; the largest packages have some 200 pages."""

MAX_NUSPEC = 2 * 1024 * 1024
"""Maximum bytes; the manifest may contain release notes."""

CONCURRENCY = 8
"""Concurrent requests for pages of one package."""

MAX_LAG = timedelta(hours=1)
"""Maximum delay between catalog and registrations."""

JSON = "application/json"

_PAGE = re.compile(r"page/[^/?#]+/[^/?#]+\.json")


class RegistrationReader:
    """Reads packages of one source."""

    def __init__(self, nuget: Ecosystem) -> None:
        self._nuget = nuget
        self._client = nuget.client
        self._endpoints = nuget.endpoints

    async def read(self, request: FetchRequest) -> Package | NotModified:
        """Read a package; raises the errors of :meth:`Ecosystem.fetch`."""
        ref, etag, fetched_at = request.ref, request.etag, now()
        announced = Announced.read(request.expected) if request.expected else None
        url = self._endpoints.url("registration", quote(ref.name), "index.json")
        if announced and not announced.is_among(request.known):
            etag = None  # "not modified" would mean that the version is missing
        try:
            response = await self._client.get(url, max_bytes=MAX_DOCUMENT, accept=JSON, etag=etag)
        except ResourceNotFound as error:
            self._check_announced(announced, (), stamp_of(fetched_at), url)
            raise PackageNotFound(ref.purl, url=url) from error
        if response.not_modified:
            return NotModified(fetched_at)
        size = len(response.body)
        index = await off_loop(size, parse, Index, response.body, ref, response.url)
        leaves = await self._leaves(ref, index, response.url)
        if not leaves:
            self._check_announced(announced, (), index.stamp, url)
            raise PackageNotFound(ref.purl, url=url)

        size = len(leaves) * TYPICAL_LEAF  # the index and its pages
        entries, versions = await off_loop(size, self._parse, ref, leaves, response.url)
        self._check_announced(announced, entries, index.stamp, url)
        latest = self._nuget.latest(versions)
        repository, vendor = None, None
        if latest and (request.full or latest not in request.known):
            repository = await self._repository(ref, latest, entries[latest])
            author = entries[latest].first_author
            vendor = None if repository is None else vendor_of(repository, author or NOT_AVAILABLE)
        return Package(
            ref=reference(entries[versions[-1].name].id),  # as the registry spells it
            vendor=vendor,
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            etag=response.etag,
        )

    @staticmethod
    def _check_announced(
        announced: Announced | None, versions: Iterable[str], written: str | None, url: str
    ) -> None:
        """Check that a document has the announced version.

        Raises:
            StaleAnswer: the document lacks the version, and was not ``written`` long after the
                announcement.
        """
        if announced is None or announced.is_among(versions):
            return
        if written and announced.stamp:
            since = moment_of(written) - moment_of(announced.stamp)
            if since > MAX_LAG:
                return
        raise StaleAnswer(
            f"the registration does not list version {announced.version} yet", url=url
        )

    async def _leaves(self, ref: PackageRef, index: Index, url: str) -> list[Leaf | Unreadable]:
        """The versions of all pages, inside the index or outside."""
        if len(index.pages) > MAX_PAGES:
            raise ResponseTooLarge(f"{len(index.pages)} pages", url=url)

        async def read(page: Page) -> tuple[Leaf | Unreadable, ...]:
            return await self._page(ref, page) if page.leaves is None else page.leaves

        pages = await fan_out(read, index.pages, CONCURRENCY)
        return [leaf for leaves in pages for leaf in leaves]

    async def _page(self, ref: PackageRef, page: Page) -> tuple[Leaf | Unreadable, ...]:
        """The versions of a page outside the index.

        Its address contains its first and last version. It stays the same if versions between
        them change, and disappears if the first or the last one does.

        Raises:
            InconsistentAnswers: the page and the index are from different times.
        """
        url = self._page_url(ref, page.url)
        try:
            body = (await self._client.get(url, max_bytes=MAX_DOCUMENT)).body
        except ResourceNotFound as error:
            raise InconsistentAnswers("a page that the index names is missing", url=url) from error
        document: PageDocument = await off_loop(len(body), parse, PageDocument, body, ref, url)
        found = len(document.leaves)
        if page.count not in {None, found}:
            raise InconsistentAnswers(
                f"the page has {found} versions, but {page.count} according to the index", url=url
            )
        return document.leaves

    def _page_url(self, ref: PackageRef, url: str) -> str:
        """A page's address at the configured base URL, independent of the index's host."""
        _, found, path = url.rpartition(f"/{quote(ref.name)}/page/")
        if found and _PAGE.fullmatch(f"page/{path}"):
            return self._endpoints.url("registration", quote(ref.name), "page", path)
        return url

    def _parse(
        self, ref: PackageRef, leaves: Iterable[Leaf | Unreadable], url: str
    ) -> tuple[dict[VersionName, CatalogEntry], tuple[Version, ...]]:
        entries = releases(leaves, ref, url)
        dates = {name: entry.release_date for name, entry in entries.items()}
        requirements = RequirementReader(ref.name)

        def version(name: VersionName, entry: CatalogEntry) -> Version:
            required = requirements.read(entry)
            license_, license_spdx = license_facts(entry.license_text)
            return Version(
                name=name,
                purl=self._nuget.version_purl(ref, name),
                release_date=dates[name],
                requirements=required.found,
                requirements_unknown=required.found is None,
                yanked=entry.listed is False,
                frameworks=required.frameworks,
                license=license_,
                license_spdx=license_spdx,
                deprecated=entry.deprecated,
            )

        versions = tuple(version(name, entries[name]) for name in self._nuget.by_date(dates))
        requirements.report()
        return entries, versions

    async def _repository(
        self, ref: PackageRef, version: VersionName, entry: CatalogEntry
    ) -> str | None:
        """The repository's address; ``None`` if the nuspec cannot be read now."""
        name, number = quote(ref.name), quote(version.lower(), safe="")
        url = self._endpoints.url("content", name, number, f"{name}.nuspec")
        candidates = [entry.project_url if isinstance(entry.project_url, str) else None]
        try:
            body = (await self._client.get_immutable(url, max_bytes=MAX_NUSPEC)).body
            candidates.insert(0, await off_loop(len(body), read_repository, body, url))
        except RegistryUnavailable as error:
            self._warn(ref, version, error)
            return None
        except (
            ResourceForbidden,
            ResourceNotFound,
            MalformedMetadata,
            ResponseTooLarge,
        ) as error:
            self._warn(ref, version, error)
        return clean_repository_url(candidates)

    @staticmethod
    def _warn(ref: PackageRef, version: VersionName, error: Exception) -> None:
        logger.warning(
            "repository_unknown",
            ecosystem=IDENTITY.name,
            package=ref.name,
            version=version,
            reason=str(error),
        )
