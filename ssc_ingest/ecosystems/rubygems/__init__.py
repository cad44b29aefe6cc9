"""RubyGems.

Metadata: one request to the compact index, ``/info/NAME``, returns all versions with their
requirements. With an ETag, an unchanged gem costs an empty response. The JSON API has dates and
links that the index lacks (:mod:`.fetch`). A new version costs two requests, a changed gem without
a new version one. Names are case-sensitive; a gem with capitals costs one more request
(:mod:`.lower_case`).

Versions: builds for several platforms are one version, named by the number. Its requirements are
those of the platform ``ruby``, otherwise those of all builds, with the smallest interval around
requirements that differ. Its date is that of the first build.

Requirements: runtime dependencies, the only ones in the index. Ranges: :mod:`.requirements`. The
requirements and runtimes (Ruby, RubyGems) of each build: :mod:`.builds`.

Licences: from documents of the API that are read anyway.

Import names: from the gem file, by the files on its load path; two requests (:mod:`.import_names`).

Listing: ``/names``, one request and some 3 MB, in the list's own order. A listing restarts if its
list was replaced; gems that were already listed then cost no request.

Changes: a range request for the bytes added to ``/versions``. It costs one conditional request
without changes, otherwise two. If the list was rebuilt, as at the start of each month, all gems are
reported with the digests of their files, which are also their ETags; so no cursor expires.
:mod:`.listing`. A gem whose versions were all yanked between the last read of the old list and its
replacement is not reported; a staleness run finds it.

A response is stale if the gem's file does not have the MD5 that the list has announced. The file
may also be newer than the list, which cannot be distinguished; the caller accepts it after some
attempts.

Yanked: a yanked version is no longer in the file. If the graph has it, the version keeps its data
and is marked as yanked, until the file has it again. A gem whose versions were all yanked cannot be
installed, and counts as missing.

Politeness: the API accepts 10 requests a second from one address; to collect everything, the
operator recommends the dumps of the database.
https://guides.rubygems.org/rubygems-org-rate-limits/
"""

from collections.abc import AsyncIterator
from typing import ClassVar

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.readers_range import ReadersRange
from ssc_ingest.ecosystems.rubygems.fetch import GemReader
from ssc_ingest.ecosystems.rubygems.identity import IDENTITY, reference
from ssc_ingest.ecosystems.rubygems.import_names import read_names
from ssc_ingest.ecosystems.rubygems.listing import Listing
from ssc_ingest.ecosystems.rubygems.requirements import to_constraints
from ssc_ingest.ecosystems.rubygems.versions import GemVersion, parse_version
from ssc_ingest.models import Package, PackageRef, VersionName

__all__ = ["RubyGems"]


class RubyGems(Ecosystem):
    """RubyGems.org, or a mirror with a compact index."""

    identity = IDENTITY
    range_class = ReadersRange("GemVersionRange")
    requests_per_package: ClassVar[float] = 2.5
    reads_import_names: ClassVar[bool] = True

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
        """Whether the version contains letters."""
        parsed = parse_version(version)
        return parsed is not None and parsed.is_prerelease

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Requirements, their clauses joined by commas or as the index joins them."""
        return to_constraints(*(text.replace(",", "&") for text in texts))

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The gem's name, as in ``require 'rspec-core'``."""
        return ref.registry_name

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The paths that ``require`` finds, and the gem's constants (:mod:`.import_names`)."""
        return await read_names(self, ref, version)

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All gems that have, or had, a version."""
        return Listing(self.client, self.endpoints).names(cursor)

    async def feed_end(self) -> str:
        """The cursor at the current end of the list of versions."""
        return await Listing(self.client, self.endpoints).end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The gems that were added to the list of versions, or all if it was rebuilt."""
        return Listing(self.client, self.endpoints).changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the gem's file of the index, and the API's data for new versions."""
        return await GemReader(self).read(request)
