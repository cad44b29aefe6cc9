"""Chooses the files of a release, and reads their import names."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.pypi.import_names.sdist import sdist_names
from ssc_ingest.ecosystems.pypi.import_names.wheel import wheel_names
from ssc_ingest.ecosystems.pypi.release_reader import MAX_DOCUMENT, remote_file
from ssc_ingest.ecosystems.pypi.simple_index import (
    MEDIA_TYPE,
    DistributionFile,
    Release,
    parse_project_page,
)
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedArchive,
    MalformedMetadata,
    PackageNotFound,
    RegistryError,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.remote_file import TransferBudget
from ssc_ingest.models import PackageRef, VersionName

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

BUDGET = 24, 64 * 1024 * 1024
"""Maximum requests and bytes for reading inside the files of a release."""

MAX_FILES = 4
"""Maximum files of a release to try, if files are damaged."""

_SDISTS = (".tar.gz", ".tgz", ".zip")

_Permanent = (
    DigestMismatch,
    MalformedMetadata,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
)
"""Permanent errors of one file; another file may be readable."""


class ReleaseNames:
    """Reads the import names of releases of one index."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    async def read(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The import names of a release.

        Raises:
            PackageNotFound: the index does not have the release, or none of its files.
            RateLimited, RegistryUnavailable: try again later.
            MalformedArchive, MalformedMetadata, ResponseTooLarge: no file is readable; the error
                is that of the best one.
        """
        project = canonicalize_name(ref.registry_name)
        release = await self._release(ref, project, version)
        budget = TransferBudget(*BUDGET)
        failures: list[RegistryError] = []
        for group in list(_groups(release.files))[:MAX_FILES]:
            names: set[str] = set()
            readable = False
            for file in group:
                try:
                    names |= await self._names_in(file, project, budget)
                    readable = True
                except _Permanent as error:
                    failures.append(error)
            if readable:
                return frozenset(names)
        if not failures:
            raise MalformedArchive("no file of the release has a supported format")
        if isinstance(failures[0], ResourceNotFound | ResourceForbidden):
            raise PackageNotFound(ref.purl, url=failures[0].url) from failures[0]
        raise failures[0]

    async def _release(self, ref: PackageRef, project: str, version: VersionName) -> Release:
        url = self._endpoints.url("index", project, "")
        try:
            response = await self._client.get(url, max_bytes=MAX_DOCUMENT, accept=MEDIA_TYPE)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error
        body = response.body
        page = await off_loop(len(body), parse_project_page, body, response.url, project)
        for release in page.releases:
            if release.name == version and release.files:
                return release
        raise PackageNotFound(f"{ref.purl}@{version}", url=url)

    async def _names_in(
        self, file: DistributionFile, project: str, budget: TransferBudget
    ) -> set[str]:
        content = remote_file(self._client, file, budget)
        if file.filename.lower().endswith(_SDISTS):
            return await sdist_names(content, file.filename, project)
        return await wheel_names(content, project)


def _groups(files: Sequence[DistributionFile]) -> Iterator[list[DistributionFile]]:
    """Groups of files to read together, best first; ``files`` are best first."""
    wheels = [file for file in files if file.is_wheel]
    pure = [file for file in wheels if _is_pure(file.filename)]
    others = [file for file in wheels if file not in pure]
    if wheels:
        yield pure[:1] + others[:1]
    for file in (*pure[1:2], *others[1:2]):
        yield [file]
    for ending in (_SDISTS, (".egg",)):
        for file in files:
            if file.filename.lower().endswith(ending):
                yield [file]


def _is_pure(filename: str) -> bool:
    """Whether a wheel is for any platform."""
    try:
        _, _, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return all(tag.platform == "any" for tag in tags)
