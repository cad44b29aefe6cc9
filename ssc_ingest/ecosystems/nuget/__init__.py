"""NuGet.

Metadata: one request to the registration (the hive with SemVer 2 versions) returns a package's
index, which has all versions or, for packages with many, the addresses of pages: one request each.
With an ETag, an unchanged package costs an empty response. Registrations lack a package's
repository. If the latest version is new, or a caller named the package, one more request reads it
from that version's nuspec. Without a readable nuspec, the project's URL is used; after a temporary
failure, the graph keeps its value. (:mod:`.fetch`)

Addresses: base URLs are settings, because a service index would cost a request for facts that
hardly ever change. If a mirror copied an index from another host, its pages' addresses are mapped
to the configured host.

Vendor: the repository's owner, otherwise the first author.

Versions: names are normalised, so that a release has one name (:mod:`.versions`).

Requirements: those of all target frameworks. Ranges and their union: :mod:`.ranges`. Which groups
there are, and which of them name a package: :mod:`.requirements`.

Facts: licence (an SPDX expression, or else an address), and the note of a deprecated version with
the package to use instead.

Yanked: unlisted versions, which can still be installed but are not offered. NuGet.org drops their
publication dates.

Gone: 404, 410 and 451; and a package without any version left.

Import names: the public namespaces of the assemblies for one target framework, by their metadata
(:mod:`.import_names`, :mod:`.assembly`).

Listing and feed: the catalog, which has every publication, change and deletion of a version
(:mod:`.feed`). Registrations are generated from it, some minutes later. So a registration without
an announced version is stale, unless it is so much newer that the version must have been deleted. A
stale registration is not recognised if a version was only unlisted or changed.

Politeness: the operator states no limit for these static documents.
https://learn.microsoft.com/nuget/api/overview
"""

from collections.abc import AsyncIterator

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.nuget.feed import Feed
from ssc_ingest.ecosystems.nuget.fetch import RegistrationReader
from ssc_ingest.ecosystems.nuget.identity import IDENTITY, reference
from ssc_ingest.ecosystems.nuget.import_names import ImportNamesReader
from ssc_ingest.ecosystems.nuget.ranges import to_constraints
from ssc_ingest.ecosystems.nuget.versions import Version as NuGetVersion
from ssc_ingest.ecosystems.nuget.versions import normalize, own_order, parse_version
from ssc_ingest.ecosystems.readers_range import ReadersRange
from ssc_ingest.models import Package, PackageRef, VersionName

__all__ = ["NuGet"]


class NuGet(Ecosystem):
    """NuGet.org, or another source with version 3 of the protocol."""

    identity = IDENTITY
    reads_import_names = True
    range_class = ReadersRange("NugetVersionRange")
    requests_per_package = 2.1

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The package of that id, in upper or lower case."""
        return reference(name)

    @classmethod
    def advisory_name(cls, name: str) -> str:
        """The id in lower case, as far as it is ASCII."""
        return name.lower() if name.isascii() else name

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
    def own_order(cls, version: str) -> NuGetVersion | None:
        """NuGet's own order, which has a place for ``1.0.0-beta.01`` as well."""
        return own_order(version)

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
        """The package's id, as in ``using Newtonsoft.Json;``."""
        return ref.registry_name

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """List the catalog from its beginning; an id is repeated for each of its commits."""
        return Feed(self.client, self.endpoints).names(cursor)

    async def feed_end(self) -> str:
        """The time of the catalog's last commit."""
        return await Feed(self.client, self.endpoints).end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The catalog's changes after the cursor."""
        return Feed(self.client, self.endpoints).changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the package's index and pages, and its nuspec if that may have changed."""
        return await RegistrationReader(self).read(request)

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The namespaces of the release's public types: 2 requests, or 3 for a large package."""
        return await ImportNamesReader(self.client, self.endpoints).read(ref, version)
