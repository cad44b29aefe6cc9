"""npm.

Metadata: one request returns everything, ``GET <registry>/<name>`` (the full document; the short
form for installations has neither dates nor links). With an ETag, an unchanged package costs an
empty response. Names are case-sensitive; a package with capitals in its name costs one more request
(:mod:`.lower_case`).

Requirements: ``dependencies`` and ``optionalDependencies`` without bundled ones. Tags, URLs, git
references and paths become ``any``, because they name no version. ``npm:`` aliases name the real
package. Ranges: :mod:`.ranges`. Peer dependencies must be installed by the package's users: they
are a fact of the version, no requirement.

Latest: the version of the tag ``latest``, which an installation selects even if it is not the
highest; without that tag, the highest stable one.

Gone: a package without any version left (``time.unpublished``) cannot be installed and counts as
missing. Versions that are only in ``time`` were unpublished; the graph keeps them.

Yanked: npm has no yanked versions. An installation still selects a deprecated version.

Import names: the specifiers of ``exports`` are in the document; other packages cost a request for
the version's manifest and one for its archive, :mod:`.import_names`.

Listing and changes: the feed of a replica, :mod:`.feed`.

Politeness: no limit is published; a few requests a second.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.licenses import license_facts
from ssc_ingest.ecosystems.lower_case import graph_name
from ssc_ingest.ecosystems.npm import facts
from ssc_ingest.ecosystems.npm.aliases import resolve_alias
from ssc_ingest.ecosystems.npm.feed import Feed
from ssc_ingest.ecosystems.npm.identity import IDENTITY, document_path, reference, scope
from ssc_ingest.ecosystems.npm.import_names import VersionNames, names_without_download
from ssc_ingest.ecosystems.npm.packument import Manifest, Packument, parse_packument
from ssc_ingest.ecosystems.npm.ranges import to_constraints
from ssc_ingest.ecosystems.npm.requirements import RequirementReader
from ssc_ingest.ecosystems.readers_range import ReadersRange
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.semver import SemVer, own_order, parse_version
from ssc_ingest.ecosystems.wire import log_skipped
from ssc_ingest.errors import InvalidName, PackageNotFound, ResourceNotFound
from ssc_ingest.http.responses import Response
from ssc_ingest.models import NOT_AVAILABLE, Package, PackageRef, Version, VersionName, now

MAX_DOCUMENT = 100 * 1024 * 1024
"""Bytes; the largest documents of the registry have 25 to 50 MB, and they grow."""

JSON = "application/json"

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+(?:#\S*)?")
"""``owner/name#commit`` in place of a range."""


class Npm(Ecosystem):
    """The npm registry, or a mirror that speaks its protocol."""

    identity = IDENTITY
    range_class = ReadersRange("NpmVersionRange")
    reads_import_names = True
    requests_per_package = 1.0

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The package of that exact name; names that differ in case are different packages."""
        return reference(name)

    @classmethod
    def manifest_entry(cls, name: str, constraints: str) -> tuple[PackageRef, str]:
        """An alias leads to the real package and has the range behind its name."""
        target, range_ = resolve_alias(name, constraints)
        if REPOSITORY.fullmatch(range_):
            raise InvalidName(f"{name!r} comes from the GitHub repository {range_}, not from npm")
        return super().manifest_entry(target, range_)

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
        """Ranges, as node-semver reads them."""
        return to_constraints(*texts)

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The package's name, as in ``require('@scope/name')``."""
        return ref.registry_name

    @cached_property
    def _feed(self) -> Feed:
        url = self.endpoints.url
        return Feed(self.client, database=url("replicate"), changes=url("changes"))

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All packages, in the order of their last change; a request per 10,000, and one more."""
        return self._feed.names(cursor)

    async def feed_end(self) -> str:
        """The number of the registry's last change; one request."""
        return await self._feed.end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Packages that changed or were deleted; a request per 10,000, and one more."""
        return self._feed.changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the package's document, which has everything."""
        ref, fetched_at = request.ref, now()
        response = await self._get(ref, ref.registry_name, request.etag)
        if response.not_modified:
            return NotModified(fetched_at)
        size = len(response.body)
        package = await off_loop(size, self._read, ref, response, fetched_at)
        name = await graph_name(ref.registry_name, lambda name: self._get(ref, name))
        return replace(package, ref=replace(ref, name=name))

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """Read the version's manifest, and its archive unless ``exports`` have all names."""
        return await VersionNames(self.client, self.endpoints).read(ref, version)

    async def _get(self, ref: PackageRef, name: str, etag: str | None = None) -> Response:
        url = self.endpoints.url("registry", document_path(name))
        try:
            return await self.client.get(url, max_bytes=MAX_DOCUMENT, accept=JSON, etag=etag)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error

    @classmethod
    def _read(cls, ref: PackageRef, response: Response, fetched_at: datetime) -> Package:
        packument = parse_packument(response.body, ref.registry_name, response.url)
        if packument.is_unpublished:
            raise PackageNotFound(ref.purl, url=response.url)
        log_skipped(cls.identity.name, ref.purl, packument.skipped)
        versions = cls._versions(ref, packument)
        tags = facts.dist_tags(packument.tags, packument.versions)
        latest = VersionName(tags["latest"]) if "latest" in tags else cls.latest(versions)
        # Mirrors omit fields that the registry copies from the latest version to the top level.
        sources = (packument, packument.versions[latest]) if latest else (packument,)
        repository = clean_repository_url(text for links in sources for text in links.addresses())
        return Package(
            ref=ref,
            vendor=vendor_of(repository, fallback=scope(ref) or NOT_AVAILABLE),
            repository_url=repository,
            versions=versions,
            latest=latest,
            fetched_at=fetched_at,
            etag=response.etag,
            dist_tags=facts.dist_tags_json(tags),
            import_names=cls._import_names(ref, packument.versions[latest]) if latest else (),
        )

    @classmethod
    def _import_names(cls, ref: PackageRef, manifest: Manifest) -> tuple[str, ...]:
        """The names that need no download; empty if others are needed."""
        return tuple(sorted(names_without_download(ref.registry_name, manifest) or ()))

    @classmethod
    def _versions(cls, ref: PackageRef, packument: Packument) -> tuple[Version, ...]:
        dates = {VersionName(name): packument.release_date(name) for name in packument.versions}
        reader = RequirementReader(ref.registry_name)
        versions = tuple(
            cls._version(ref, name, dates[name], packument.versions[name], reader)
            for name in cls.by_date(dates)
        )
        reader.report()
        return versions

    @classmethod
    def _version(
        cls,
        ref: PackageRef,
        name: VersionName,
        date: datetime | None,
        manifest: Manifest,
        reader: RequirementReader,
    ) -> Version:
        license_, license_spdx = license_facts(
            facts.license_text(manifest.license, manifest.licenses)
        )
        return Version(
            name=name,
            purl=cls.version_purl(ref, name),
            release_date=date,
            requirements=reader.read(manifest),
            engines=facts.engines(manifest.engines),
            os=facts.platforms(manifest.os),
            cpu=facts.platforms(manifest.cpu),
            license=license_,
            license_spdx=license_spdx,
            deprecated=facts.deprecated(manifest.deprecated),
            peer_requirements=reader.peers(manifest),
        )
