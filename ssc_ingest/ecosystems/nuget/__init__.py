"""NuGet.

Metadata: one request to the registration (the hive with SemVer 2 versions) gives a package's index
with all versions in it, or, of many, the pages to ask for: one request each. With an ETag, an
unchanged package costs an empty answer. Registrations do not know a package's repository: if the
latest version is new, or the package was asked for by name, one request more reads it from that
version's nuspec. If there is no nuspec, or it cannot be read, the project's URL has to do; if it
cannot be read now, what the graph knows stays.

Where: base URLs are settings, since a service index would cost a request to learn what hardly ever
changes. Pages' addresses in an index of another host (a mirror copies them) lead to the configured
one.

Vendor: the repository's owner, else the first author.

Versions are named in normalised form, so that one release has one name (:mod:`.versions`).

Requirements: those of all target frameworks. Ranges and how they are joined: :mod:`.ranges`.

Yanked: unlisted versions, which can still be installed but are not offered. NuGet.org forgets when
they were published.

Gone: 404, 410 and 451; and a package of which no version is left.

Listing and feed: the catalog, which has every version that ever came, changed or went
(:mod:`.feed`). Registrations are made from it and are some minutes behind. One that lacks a version
that the catalog has announced is therefore stale, unless it was written so long afterwards that the
version must have been taken away again. An unlisted version, or a changed one, is there before as
after: nothing tells such a stale registration.

Politeness: the operator names no limit for these static documents.
https://learn.microsoft.com/nuget/api/overview
"""

import re
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from urllib.parse import quote

import structlog

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.concurrency import fan_out, off_loop
from ssc_ingest.ecosystems.nuget.catalog import Announced, moment_of, stamp_of
from ssc_ingest.ecosystems.nuget.feed import Feed
from ssc_ingest.ecosystems.nuget.identity import IDENTITY, reference
from ssc_ingest.ecosystems.nuget.nuspec import read_repository
from ssc_ingest.ecosystems.nuget.ranges import to_constraints
from ssc_ingest.ecosystems.nuget.registration import (
    CatalogEntry,
    Index,
    Leaf,
    Page,
    PageDocument,
    parse,
    read_requirements,
    releases,
)
from ssc_ingest.ecosystems.nuget.versions import Version as NuGetVersion
from ssc_ingest.ecosystems.nuget.versions import normalize, parse_version
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.errors import (
    InconsistentAnswers,
    MalformedMetadata,
    PackageNotFound,
    RegistryUnavailable,
    ResourceNotFound,
    ResponseTooLarge,
    StaleAnswer,
)
from ssc_ingest.models import NOT_AVAILABLE, Package, PackageRef, Version, VersionName, now

logger = structlog.get_logger(__name__)

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of an index or a page; the largest have some 5 MB."""

TYPICAL_LEAF = 2048
"""Bytes of a version in them."""

MAX_PAGES = 2000
"""NuGet.org puts 64 versions into a page; the largest packages have some 200 pages."""

MAX_NUSPEC = 2 * 1024 * 1024
"""Bytes; the manifest is a small part of a package, but may hold its release notes."""

CONCURRENCY = 8
"""Pages of one package that are asked for at the same time."""

WITHIN = timedelta(hours=1)
"""How far registrations may be behind the catalog."""

JSON = "application/json"

_PAGE = re.compile(r"page/[^/?#]+/[^/?#]+\.json")


class NuGet(Ecosystem):
    """NuGet.org, or another source with version 3 of the protocol."""

    identity = IDENTITY
    requests_per_package = 2.1

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The package of that id, in upper or lower case."""
        return reference(name)

    @classmethod
    def sort_key(cls, version: str) -> NuGetVersion | None:
        """NuGet's order: up to four numbers, then the prerelease."""
        return parse_version(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Whether the version has a prerelease part."""
        parsed = parse_version(version)
        return parsed is not None and parsed.is_prerelease

    @classmethod
    def version_name(cls, text: str) -> VersionName:
        """The normalised version: ``1.0`` is ``1.0.0``."""
        return normalize(text)

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Versions and ranges, as NuGet reads them."""
        return to_constraints(*texts)

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The package's id: ``using Newtonsoft.Json;``."""
        return ref.registry_name

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """The catalog from its beginning: an id is on as many pages as it has commits."""
        return Feed(self.client, self.endpoints).names(cursor)

    async def feed_end(self) -> str:
        """The time of the catalog's last commit."""
        return await Feed(self.client, self.endpoints).end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """What the catalog has behind the cursor."""
        return Feed(self.client, self.endpoints).changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the package's index and pages, and its nuspec if that may have changed."""
        ref, etag, fetched_at = request.ref, request.etag, now()
        announced = Announced.read(request.expected) if request.expected else None
        url = self.endpoints.url("registration", quote(ref.name), "index.json")
        if announced and not announced.is_among(request.known):
            etag = None  # "not modified" would mean that it has not come
        try:
            response = await self.client.get(url, max_bytes=MAX_DOCUMENT, accept=JSON, etag=etag)
        except ResourceNotFound as error:
            self._check(announced, (), stamp_of(fetched_at), url)
            raise PackageNotFound(ref.purl, url=url) from error
        if response.not_modified:
            return NotModified(fetched_at)
        size = len(response.body)
        index = await off_loop(size, parse, Index, response.body, ref, response.url)
        leaves = await self._leaves(ref, index, response.url)
        if not leaves:
            self._check(announced, (), index.stamp, url)
            raise PackageNotFound(ref.purl, url=url)

        size = len(leaves) * TYPICAL_LEAF  # pages that are not in the index count as well
        entries, versions = await off_loop(size, self._read, ref, leaves, response.url)
        self._check(announced, entries, index.stamp, url)
        latest = self.latest(versions)
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
    def _check(
        announced: Announced | None, versions: Iterable[str], written: str | None, url: str
    ) -> None:
        """Raise StaleAnswer if what was written then should have the version and has not."""
        if announced is None or announced.is_among(versions):
            return
        if written and announced.stamp:
            since = moment_of(written) - moment_of(announced.stamp)
            if since > WITHIN:
                return
        raise StaleAnswer(f"version {announced.version} is not there yet", url=url)

    async def _leaves(self, ref: PackageRef, index: Index, url: str) -> list[Leaf]:
        """The versions of all pages, in the index or not."""
        if len(index.pages) > MAX_PAGES:
            raise ResponseTooLarge(f"{len(index.pages)} pages", url=url)

        async def read(page: Page) -> tuple[Leaf, ...]:
            return await self._page(ref, page) if page.leaves is None else page.leaves

        pages = await fan_out(read, index.pages, CONCURRENCY)
        return [leaf for leaves in pages for leaf in leaves]

    async def _page(self, ref: PackageRef, page: Page) -> tuple[Leaf, ...]:
        """The versions of a page of its own.

        Its address has its first and last version in it: with other versions between these it
        is still the same address, and with others at its ends it is gone.

        Raises:
            InconsistentAnswers: it is not of the same time as the index.
        """
        url = self._page_url(ref, page.url)
        try:
            body = (await self.client.get(url, max_bytes=MAX_DOCUMENT)).body
        except ResourceNotFound as error:
            raise InconsistentAnswers(
                "a page that the index names is not there", url=url
            ) from error
        document: PageDocument = await off_loop(len(body), parse, PageDocument, body, ref, url)
        found = len(document.leaves)
        if page.count not in {None, found}:
            raise InconsistentAnswers(
                f"a page of {found} versions, of which the index has {page.count}", url=url
            )
        return document.leaves

    def _page_url(self, ref: PackageRef, url: str) -> str:
        """Where to get a page: at the configured base, whatever host made the index."""
        _, found, path = url.rpartition(f"/{quote(ref.name)}/page/")
        if found and _PAGE.fullmatch(f"page/{path}"):
            return self.endpoints.url("registration", quote(ref.name), "page", path)
        return url

    @classmethod
    def _read(
        cls, ref: PackageRef, leaves: Iterable[Leaf], url: str
    ) -> tuple[dict[VersionName, CatalogEntry], tuple[Version, ...]]:
        entries = releases(leaves, ref, url)
        dates = {name: entry.release_date for name, entry in entries.items()}
        ordered = cls.order(
            (name, date.isoformat() if date else None) for name, date in dates.items()
        )
        requirements = read_requirements(entries, ref.name)
        versions = tuple(
            Version(
                name=name,
                purl=cls.version_purl(ref, name),
                release_date=dates[name],
                requirements=requirements[name],
                yanked=entries[name].listed is False,
            )
            for name in ordered
        )
        return entries, versions

    async def _repository(
        self, ref: PackageRef, version: VersionName, entry: CatalogEntry
    ) -> str | None:
        """The repository's address, or ``None`` if the nuspec cannot be read now."""
        name, number = quote(ref.name), quote(version.lower(), safe="")
        url = self.endpoints.url("content", name, number, f"{name}.nuspec")
        candidates = [entry.project_url if isinstance(entry.project_url, str) else None]
        try:
            body = (await self.client.get_immutable(url, max_bytes=MAX_NUSPEC)).body
            candidates.insert(0, await off_loop(len(body), read_repository, body, url))
        except RegistryUnavailable as error:
            self._warn(ref, version, error)
            return None
        except (ResourceNotFound, MalformedMetadata, ResponseTooLarge) as error:
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
