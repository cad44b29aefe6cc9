"""Reads the metadata of releases from the first readable source.

=====================================  ============================================================
1. metadata file (PEP 658)             of the best file, then of other files
2. JSON API, document of the release   ``requires_dist`` may be ``null``: unknown
3. ``METADATA`` in a wheel             by ranges: its directory, then the member
4. ``PKG-INFO`` in an sdist            if its requirements are final
5. ``requires.txt`` in an sdist        its requirements are used but stay unknown, because they
                                       depend on the publisher's machine
6. JSON API, document of the project   of the latest release; an index without documents of
                                       releases may mix it with that of an earlier release
=====================================  ============================================================
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.pypi.archive_metadata import (
    MAX_METADATA,
    SourceFiles,
    requires_lines,
    source_metadata,
    wheel_metadata,
)
from ssc_ingest.ecosystems.pypi.headers import header_part
from ssc_ingest.ecosystems.pypi.metadata import (
    MAX_REQUIREMENTS,
    ReleaseMetadata,
    parse_json_document,
    parse_metadata_file,
    parse_source_metadata,
)
from ssc_ingest.ecosystems.pypi.requirements import Requirements, requirements_of
from ssc_ingest.ecosystems.pypi.simple_index import DistributionFile, MetadataFile, Release
from ssc_ingest.ecosystems.pypi.versions import parse_version
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedMetadata,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.remote_file import RemoteFile, TransferBudget
from ssc_ingest.http.request_scope import store_result, stored_result
from ssc_ingest.models import VersionName

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_DOCUMENT = 64 * 1024 * 1024
"""Maximum bytes of a JSON document; PyPI's largest pages (about 30,000 files) have 20 MB."""

MAX_WHOLE_FILE = 32 * 1024 * 1024
"""Maximum bytes of a file that is read as a whole, if its server does not support ranges."""

METADATA_FILES = 3
WHEELS = 2
SDISTS = 1
"""Maximum number of source distributions to try per release."""

VERSION_BUDGET = 16, 48 * 1024 * 1024
PACKAGE_BUDGET = 2000, 512 * 1024 * 1024
"""Maximum requests and bytes for reading inside files, per execution."""

_SDISTS = (".tar.gz", ".tgz", ".zip")

_Permanent = (DigestMismatch, MalformedMetadata, ResponseTooLarge)
"""Permanent errors of one document; another document may be readable."""


@dataclass(frozen=True, slots=True)
class Description:
    """The metadata of one release."""

    metadata: ReleaseMetadata
    requirements: Requirements | None
    """``None`` if they are unknown."""

    @property
    def is_known(self) -> bool:
        """Whether all requirements are known."""
        return self.requirements is not None and self.requirements.complete


Source = Callable[[], Awaitable[Description | None]]


class ReleaseReader:
    """Reads the releases of one project."""

    def __init__(
        self,
        client: "RegistryClient",
        endpoints: Endpoints,
        project: str,
        latest: VersionName | None,
    ) -> None:
        """``project``: normalized name; ``latest``: the release of the project's document."""
        self._client = client
        self._endpoints = endpoints
        self._project = project
        self._latest = latest
        self._budget = TransferBudget(*PACKAGE_BUDGET)

    async def describe(self, release: Release) -> Description | None:
        """The metadata of a release; ``None`` if no source is readable.

        Raises:
            RateLimited, RegistryUnavailable: try again later.
        """
        best: Description | None = None
        for source in self._sources(release):
            try:
                found = await source()
            except _Permanent:
                continue
            best = _better(best, found)
            if best and best.is_known:
                break
        return best

    def _sources(self, release: Release) -> Iterator[Source]:
        for metadata in release.metadata_files[:METADATA_FILES]:
            yield partial(self._from_metadata_file, metadata)
        yield partial(self._from_json, release.name)
        budget = TransferBudget(*VERSION_BUDGET, self._budget)
        wheels = [file for file in release.files if file.is_wheel]
        for file in wheels[:WHEELS]:
            yield partial(self._from_wheel, file, budget)
        sdists = [file for file in release.files if file.filename.lower().endswith(_SDISTS)]
        for file in sdists[:SDISTS]:
            yield partial(self._from_sdist, file, budget)
        if release.name == self._latest:
            yield partial(self._from_project, release.name)

    async def _from_metadata_file(self, file: MetadataFile) -> Description | None:
        try:
            document = await self._client.get_immutable(
                file.url, max_bytes=MAX_METADATA, sha256=file.sha256, reduce=header_part
            )
        except (ResourceForbidden, ResourceNotFound):
            return None
        body = document.body
        return await off_loop(len(body), _read_metadata_file, body, file.url)

    async def _from_json(self, version: VersionName) -> Description | None:
        path = (self._project, quote(version, safe=""), "json")
        return await self._from_json_at(self._endpoints.url("json", *path), version)

    async def _from_project(self, version: VersionName) -> Description | None:
        url = self._endpoints.url("json", self._project, "json")
        return await self._from_json_at(url, version)

    async def _from_json_at(self, url: str, version: VersionName) -> Description | None:
        """The metadata from a JSON document, if it describes this version."""
        try:
            document = await self._client.get_immutable(url, max_bytes=MAX_DOCUMENT)
        except (ResourceForbidden, ResourceNotFound):
            return None
        body = document.body
        return await off_loop(len(body), _read_json_document, body, url, version)

    async def _from_wheel(
        self, file: DistributionFile, budget: TransferBudget
    ) -> Description | None:
        async def read() -> bytes:
            wheel = remote_file(self._client, file, budget)
            return header_part(await wheel_metadata(wheel, self._project))

        found = await self._inside(file, read)
        if not found:
            return None
        return await off_loop(len(found), _read_metadata_file, found, file.url)

    async def _from_sdist(
        self, file: DistributionFile, budget: TransferBudget
    ) -> Description | None:
        async def read() -> bytes:
            sdist = remote_file(self._client, file, budget)
            found = await source_metadata(sdist, file.filename, self._project, _is_enough)
            return found.pack()

        found = await self._inside(file, read)
        if not found:
            return None
        files = SourceFiles.unpack(found)
        return await off_loop(len(found), _read_source_files, files, self._project, file.url)

    async def _inside(self, file: DistributionFile, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """The metadata inside a file, kept for the next execution; empty if there is none."""
        found = stored_result(file.url)
        if found is None:
            try:
                found = await read()
            except (ResourceForbidden, ResourceNotFound, *_Permanent):
                found = b""
            store_result(file.url, found)
        return found


def _better(one: Description | None, other: Description | None) -> Description | None:
    """The first description, with the requirements of the other one if they are more complete."""
    if one is None or other is None:
        return one or other
    if other.is_known or one.requirements is None:
        return replace(one, requirements=other.requirements)
    return one


def _is_enough(pkg_info: bytes) -> bool:
    try:
        return parse_source_metadata(pkg_info, "").requires_dist is not None
    except MalformedMetadata:
        return False


def _read_metadata_file(body: bytes, url: str) -> Description:
    metadata = parse_metadata_file(body, url)
    return _describe(metadata)


def _read_json_document(body: bytes, url: str, version: VersionName) -> Description | None:
    about, metadata = parse_json_document(body, url)
    if about != version and (about is None or parse_version(about) != parse_version(version)):
        return None
    return _describe(metadata)


def _read_source_files(files: SourceFiles, project: str, url: str) -> Description:
    """Raises MalformedMetadata if ``PKG-INFO`` is invalid and ``requires.txt`` is missing."""
    metadata = ReleaseMetadata(project, None)
    if files.pkg_info is not None:
        try:
            metadata = parse_source_metadata(files.pkg_info, url)
        except MalformedMetadata:
            if files.requires is None:
                raise
    if metadata.requires_dist is None and files.requires is not None:
        taken = requirements_of(requires_lines(files.requires)[:MAX_REQUIREMENTS])
        return Description(metadata, replace(taken, complete=False))
    return _describe(metadata)


def _describe(metadata: ReleaseMetadata) -> Description:
    lines = metadata.requires_dist
    return Description(metadata, None if lines is None else requirements_of(lines))


def remote_file(
    client: "RegistryClient", file: DistributionFile, budget: TransferBudget
) -> RemoteFile:
    """A file of a release, read in parts within the budget."""
    return RemoteFile(
        client,
        file.url,
        budget=budget,
        max_whole=MAX_WHOLE_FILE,
        size=file.size,
        sha256=file.sha256,
    )
