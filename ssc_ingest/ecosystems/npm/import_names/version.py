"""Reads the import names of one version."""

import base64
import hashlib
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from ssc_ingest.archives.source import FileSource
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.npm.identity import document_path
from ssc_ingest.ecosystems.npm.import_names.archive import MAX_PACKED, Contents, list_archive
from ssc_ingest.ecosystems.npm.import_names.files import file_subpaths, is_left_out
from ssc_ingest.ecosystems.npm.import_names.manifest import (
    Exports,
    entries,
    parse_exports,
    specifiers,
)
from ssc_ingest.ecosystems.npm.import_names.types import described_package, is_types
from ssc_ingest.ecosystems.npm.packument import Manifest, parse_manifest
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedMetadata,
    PackageNotFound,
    ResourceForbidden,
    ResourceNotFound,
)
from ssc_ingest.models import PackageRef, VersionName

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_MANIFEST = 4 * 1024 * 1024
"""Maximum bytes of a version's document."""

_ALGORITHMS = ("sha512", "sha384", "sha256", "sha1")
"""Of digests, best first."""


class VersionNames:
    """Reads the import names of versions of one registry."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    async def read(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The import names of a version.

        One request for the version's document, and one for its archive if the document is not
        enough.

        Raises:
            PackageNotFound: the registry does not have the version, or its archive.
            RateLimited, RegistryUnavailable: try again later.
            MalformedArchive, MalformedMetadata, ResponseTooLarge: a retry cannot help.
        """
        name = ref.registry_name
        url = self._endpoints.url("registry", document_path(name), quote(version, safe=""))
        try:
            response = await self._client.get(
                url, max_bytes=MAX_MANIFEST, accept="application/json"
            )
            manifest = parse_manifest(response.body, name, url)
            exports = parse_exports(manifest.exports)
            if exports is not None and not exports.need_files:
                return specifiers(name, exports.subpaths(()))
            contents = await self._download(manifest.dist, url, is_types=is_types(name))
        except (ResourceNotFound, ResourceForbidden) as error:
            raise PackageNotFound(f"{ref.purl}@{version}", url=error.url) from error
        size = 100 * len(contents.paths)
        return await off_loop(size, _names, name, manifest, exports, contents)

    async def _download(self, dist: Any, url: str, *, is_types: bool) -> Contents:
        """List the version's archive, after a check of its digest."""
        address = dist.get("tarball") if isinstance(dist, dict) else None
        if not isinstance(address, str):
            raise MalformedMetadata("dist.tarball: missing", url=url)
        async with self._client.download(address, max_bytes=MAX_PACKED) as archive:
            await off_loop(archive.size, _check_digest, archive.file, dist, address)
            source = FileSource(archive.file, archive.size)
            return await list_archive(source, is_types=is_types)


def _names(
    package: str, manifest: Manifest, exports: Exports | None, contents: Contents
) -> frozenset[str]:
    if exports is None:
        subpaths = file_subpaths(contents.paths, entries(manifest))
    else:
        subpaths = exports.subpaths(f"./{path}" for path in contents.paths if not is_left_out(path))
    names = specifiers(package, subpaths) | contents.declared
    if not names and is_types(package):
        # All its declarations are global: they are those of the described package.
        return frozenset({described_package(package)})
    return names


def _check_digest(file: IO[bytes], dist: dict[str, Any], url: str) -> None:
    """Check a file against the best announced digest; an unknown algorithm counts as none.

    Raises:
        DigestMismatch: the content is another one.
    """
    announced = dist.get("integrity")
    digests = announced.split() if isinstance(announced, str) else []
    if isinstance(dist.get("shasum"), str):
        digests.append(f"sha1-{dist['shasum']}")
    for algorithm in _ALGORITHMS:
        wanted = {text.partition("-")[2].partition("?")[0] for text in digests
                  if text.startswith(f"{algorithm}-")}  # fmt: skip
        if wanted:
            found = hashlib.new(algorithm, usedforsecurity=False)
            file.seek(0)
            while piece := file.read(1024 * 1024):
                found.update(piece)
            if not wanted & {base64.b64encode(found.digest()).decode(), found.hexdigest()}:
                raise DigestMismatch("the archive does not have its announced digest", url=url)
            return
