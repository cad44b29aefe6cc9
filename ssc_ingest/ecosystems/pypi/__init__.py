"""PyPI, the Python Package Index.

Identity
    A project's name is matched by its PEP 503 form (``Ruamel.YAML`` is ``ruamel-yaml``), which
    is its purl; the graph's ``name`` is the project's own spelling in lower case.
Reading a package
    One request to the Simple JSON API (PEP 691) returns all versions and files; one small
    metadata file (PEP 658) per new version has its requirements. Without a readable one, they come
    from the JSON API, which describes the first file that was uploaded; where that has ``null``,
    from inside a file of the release, of which a part is read (:mod:`.release_reader`); those of
    the latest release may come from the project's JSON document. Without all of these they are
    unknown.
Facts
    What a constraint cannot say of a requirement (marker, extras, ``~=``) is in its ``declared``;
    what applies with an extra only is in the version's ``extra_requirements``. A version's
    ``requires_python`` is that of the file that the newest CPython on Linux would install; its
    licence is from its metadata. The project's status (archived, deprecated, quarantined) with its
    reason is the ``deprecated`` of every version.
Import names
    From the list of files in a release's wheels, or else from its source distribution, of which
    parts are read; :mod:`.import_names`.
Listing and changes
    One document has all projects with the serials of their last changes; :mod:`.listing`.
Rules
    A unique User-Agent and no bursts of thousands of requests. The XML-RPC API and the ``releases``
    part of the JSON API are not used. A project in quarantine counts as missing; archived and
    deprecated ones are read like all others (PEP 792).

https://docs.pypi.org/api/
"""

from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version as PEP440Version

from ssc_ingest.ecosystems.base import ChangesPage, Ecosystem, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.pypi import extras
from ssc_ingest.ecosystems.pypi.constraints import to_constraints
from ssc_ingest.ecosystems.pypi.fetch import ProjectReader
from ssc_ingest.ecosystems.pypi.identity import IDENTITY, project
from ssc_ingest.ecosystems.pypi.import_names import ReleaseNames
from ssc_ingest.ecosystems.pypi.listing import Listing
from ssc_ingest.ecosystems.pypi.versions import legacy_key, parse_version
from ssc_ingest.ecosystems.readers_range import ReadersRange
from ssc_ingest.models import Installable, Installed, Package, PackageRef, VersionName

__all__ = ["PyPI"]


class PyPI(Ecosystem):
    """The Python Package Index."""

    identity = IDENTITY
    range_class = ReadersRange("PypiVersionRange")
    default_parts = frozenset()
    reads_each_version = True
    reads_import_names = True
    requests_per_package = 11.0  # the page, and a metadata file for each of some ten versions

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The project of that name; see :func:`.identity.project`."""
        return project(name)

    @classmethod
    def advisory_name(cls, name: str) -> str:
        """The PEP 503 form; a name that no project can have stays as it is."""
        return canonicalize_name(name) if name.isascii() else name

    @classmethod
    def sort_key(cls, version: str) -> PEP440Version | None:
        """PEP 440 order; ``None`` for versions from before it."""
        return parse_version(version)

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """Alpha, beta, candidate and development releases."""
        parsed = parse_version(version)
        return parsed is not None and parsed.is_prerelease

    @classmethod
    def advisory_key(cls, version: str) -> Any:
        """PEP 440 order; before it, texts from before PEP 440 in the order of those days."""
        parsed = parse_version(version)
        return (0, legacy_key(version)) if parsed is None else (1, parsed)

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Version specifiers (PEP 440)."""
        return to_constraints(*texts)

    @classmethod
    def installs(cls, version: Installable, parts: frozenset[str]) -> list[Installed]:
        """The version's requirements and those of the selected extras; see :mod:`.extras`."""
        return extras.installs(version, parts)

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """``ruamel-yaml`` -> ``ruamel_yaml``."""
        return ref.name.replace("-", "_")

    @cached_property
    def _listing(self) -> Listing:
        return Listing(self.client, self.endpoints.url("index", ""))

    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All projects, in the order of their PEP 503 names; one request."""
        return self._listing.names(cursor)

    async def feed_end(self) -> str:
        """The current serial of the registry; one request."""
        return await self._listing.end()

    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Projects whose serial has grown; one request, an empty response if there are none."""
        return self._listing.changes(cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read a project: 1 request, and 1 per unknown version."""
        return await ProjectReader(self).read(request)

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """Read parts of the release's files: 1 request for the page, and mostly 1 to 3 per file."""
        return await ReleaseNames(self.client, self.endpoints).read(ref, version)
