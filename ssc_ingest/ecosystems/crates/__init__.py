"""crates.io.

Metadata: one request to the sparse index returns all versions with their requirements, dates and
yanked flags. With an ETag, an unchanged crate costs an empty response. The index lacks a crate's
repository. A listing has it from the dump (as hints). If a caller named the crate, one more request
reads it from the manifest in the latest version's crate file. If that request fails, the graph
keeps its earlier value.

Requirements: kinds *normal* and *build*, including optional ones and those of all targets; *dev*
requirements and those from other registries are skipped. Ranges: :mod:`.ranges`.

Features: those of each version, ``features`` and ``features2`` of the index in one table. Licences
are not read: the index lacks them, and a crate file has only that of its version.

Import names: from the crate file, by parsing its sources; two requests (:mod:`.import_names`).

Listing: the database dump, one request and some 1 GB, in the dump's own order. Another dump has
another order, so a listing restarts if its dump was replaced; packages that were already listed
then cost no request. :mod:`.dump`.

Changes: a new dump is compared with the time at which the last comparison ended. It reports
published, yanked and un-yanked versions, and deleted crates. The feed reports versions published
since the dump; the next dump reports those that the feed missed. So a cursor never expires, and the
feed's window of an hour only affects how soon a version is seen: :mod:`.position`. Without changes,
an update costs two conditional requests. Neither source reports the deletion of a single version; a
staleness run finds it.

A response is stale if it lacks the crate, or the version that the feed has announced.

Gone: 404, 410 and 451 alike. Index lines of a newer format than ours are skipped, as Cargo does.

Politeness: the operator states no limit for the index and the files, and recommends them instead of
the API, which this module never calls. https://crates.io/data-access
"""

from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import quote

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.crates import features
from ssc_ingest.ecosystems.crates.crate_file import MAX_CRATE, read_links
from ssc_ingest.ecosystems.crates.identity import IDENTITY, reference
from ssc_ingest.ecosystems.crates.import_names import read_names
from ssc_ingest.ecosystems.crates.index import (
    MAX_INDEX,
    Release,
    index_path,
    parse_index,
)
from ssc_ingest.ecosystems.crates.listing import Listing
from ssc_ingest.ecosystems.crates.ranges import to_constraints
from ssc_ingest.ecosystems.readers_range import ReadersRange
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.semver import SemVer, own_order, parse_version
from ssc_ingest.errors import PackageNotFound, RegistryError, ResourceNotFound, StaleAnswer
from ssc_ingest.logs import get_logger
from ssc_ingest.models import (
    Installable,
    Installed,
    Package,
    PackageRef,
    Version,
    VersionName,
    now,
)

logger = get_logger(__name__)


class Crates(Ecosystem):
    """crates.io, or a mirror with a sparse index."""

    identity = IDENTITY
    range_class = ReadersRange("NpmVersionRange")  # as the graph's readers have it
    default_parts = frozenset({features.DEFAULT})
    requests_per_package: ClassVar[float] = 1
    reads_import_names: ClassVar[bool] = True
    needs_name_for_links = True

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The crate of that name, in upper or lower case."""
        return reference(name)

    @classmethod
    def sort_key(cls, version: str) -> SemVer | None:
        """Semantic Versioning's order, without build metadata."""
        return parse_version(version)

    @classmethod
    def own_order(cls, version: str) -> SemVer | None:
        """Semantic Versioning's order, without finding versions in other texts."""
        return own_order(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Whether the version has a prerelease part."""
        parsed = parse_version(version)
        return parsed is not None and parsed.is_prerelease

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Requirements, as Cargo reads them."""
        return to_constraints(*texts)

    @classmethod
    def installs(cls, version: Installable, parts: frozenset[str]) -> list[Installed]:
        """The crates of a build with the selected features; see :mod:`.features`."""
        return features.installs(version, parts)

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The crate's name as a Rust path: ``use serde_json::...`` for ``serde-json``."""
        return ref.registry_name.replace("-", "_")

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The library's name, and its public items by their paths (:mod:`.import_names`)."""
        return await read_names(self, ref, version)

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All crates of the database dump."""
        return Listing(self.client, self.endpoints).names(cursor)

    async def feed_end(self) -> str:
        """The cursor after the newest version in the feed."""
        return await Listing(self.client, self.endpoints).end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Changes of a new dump, then versions published after it."""
        return Listing(self.client, self.endpoints).changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the crate's index file, and its manifest if the request is ``full`` without hints.

        ``expected`` is a version that the file must have.
        """
        ref, expected, fetched_at = request.ref, request.expected, now()
        url = self.endpoints.url("index", *index_path(ref.name))
        try:
            response = await self.client.get(url, max_bytes=MAX_INDEX, etag=request.etag)
        except ResourceNotFound as error:
            if expected is not None:
                raise StaleAnswer(f"missing, but {expected} was announced", url=url) from error
            raise PackageNotFound(ref.purl, url=url) from error
        if response.not_modified:
            if expected is not None and expected not in request.known:
                raise StaleAnswer(
                    f"the index file is unchanged, but version {expected} was announced", url=url
                )
            return NotModified(fetched_at)
        body = response.body
        releases, versions = await off_loop(len(body), self._read, ref, body, response.url)
        if expected is not None and expected not in releases:
            raise StaleAnswer(f"lacks {expected}, which was announced", url=url)
        latest = self.latest(versions)
        ref = reference(releases[versions[-1].name].name)  # as the registry spells it
        repository = None
        if request.hints is not None:
            repository = clean_repository_url(request.hints)
        elif request.full and latest:
            repository = await self._repository(releases[latest])
        return Package(
            ref=ref,
            vendor=None if repository is None else vendor_of(repository),
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            etag=response.etag,
        )

    @classmethod
    def _read(
        cls, ref: PackageRef, body: bytes, url: str
    ) -> tuple[dict[str, Release], tuple[Version, ...]]:
        releases = parse_index(body, ref, url)
        dates = {VersionName(name): release.release_date for name, release in releases.items()}
        versions = tuple(
            Version(
                name=name,
                purl=cls.version_purl(ref, name),
                release_date=dates[name],
                requirements=releases[name].requirements,
                yanked=releases[name].yanked,
                features=releases[name].features,
            )
            for name in cls.by_date(dates)
        )
        return releases, versions

    async def _repository(self, release: Release) -> str | None:
        """The repository's address; ``None`` if the crate file cannot be read now."""
        file_name = f"{release.name}-{release.vers}.crate"
        url = self.endpoints.url("crates", release.name, quote(file_name))
        try:
            file = await self.client.get_immutable(url, max_bytes=MAX_CRATE, sha256=release.cksum)
            links = await read_links(file.body, release.name, release.vers)
        except RegistryError as error:
            logger.warning(
                "repository_unknown",
                ecosystem=IDENTITY.name,
                package=release.name,
                version=release.vers,
                reason=str(error),
            )
            return None
        return clean_repository_url(links)
