"""The fictitious registry of toys: the smallest complete ecosystem.

Tests install this one file beside the program, like another distribution; it is also a template for
authors of an ecosystem. Its registry is :mod:`tests.toy.registry`.

Metadata: one document per package has all versions and their requirements. Listing: names in
alphabetical order, a page after a name. Feed: every change has a serial, a page after a serial.

Import names: those of each version are in the document.

Gone: 404. Politeness: no limits.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC
from typing import TypeVar

from pydantic import AwareDatetime, Field, NonNegativeInt, ValidationError

from ssc_ingest.ecosystems.base import (
    Change,
    ChangesPage,
    Ecosystem,
    FetchRequest,
    Identity,
    NamesPage,
    NotModified,
)
from ssc_ingest.ecosystems.endpoints import Endpoint
from ssc_ingest.ecosystems.wire import WireModel, malformed
from ssc_ingest.errors import (
    CursorExpired,
    InvalidName,
    MalformedMetadata,
    PackageNotFound,
    ResourceNotFound,
    StaleAnswer,
)
from ssc_ingest.http.responses import Response
from ssc_ingest.models import (
    ANY_VERSION,
    NOT_AVAILABLE,
    Package,
    PackageRef,
    Purl,
    Requirement,
    Version,
    VersionName,
    now,
)

MAX_DOCUMENT = 1024 * 1024
"""Bytes of the largest package, or of a page."""

_NAME = re.compile(r"[a-z][a-z-]{0,29}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_RANGE = re.compile(r"(?:==|>=|<) [1-9][0-9]{0,8}")


class _Release(WireModel):
    """One version; ``requires`` has a range by the name of the package."""

    released: AwareDatetime
    requires: dict[str, str] = Field(default_factory=dict)
    withdrawn: bool = False
    imports: frozenset[str] = frozenset()


class _Document(WireModel):
    """A package."""

    name: str
    serial: NonNegativeInt
    maker: str = NOT_AVAILABLE
    releases: dict[str, _Release]


class _Listing(WireModel):
    """A page of names; the last one is empty."""

    names: tuple[str, ...]
    total: NonNegativeInt


class _Event(WireModel):
    """A line of the feed."""

    name: str
    serial: NonNegativeInt
    deleted: bool = False


class _Feed(WireModel):
    """A page of the feed; the last one is empty. ``serial`` is that of the newest change."""

    events: tuple[_Event, ...]
    serial: NonNegativeInt


Wire = TypeVar("Wire", bound=WireModel)


class Toy(Ecosystem):
    """The registry of toys."""

    reads_import_names = True
    identity = Identity(
        name="toy",
        title="Toys",
        label="ToyPackage",
        purl_type="toy",
        osv_name="Toys",
        endpoints=(
            Endpoint(
                key="api", url="https://toys.example", rate=10, about="packages, names, changes"
            ),
        ),
    )

    @classmethod
    def ref(cls, name: str) -> PackageRef:
        """The toy of that name, in upper or lower case."""
        lower = name.lower()
        if not _NAME.fullmatch(lower):
            raise InvalidName(f"{name[:40]!r} cannot be a toy: up to 30 letters and hyphens")
        return PackageRef(
            ecosystem=cls.identity.name,
            label=cls.identity.label,
            purl=Purl(f"pkg:{cls.identity.purl_type}/{lower}"),
            name=lower,
            registry_name=lower,
        )

    @classmethod
    def sort_key(cls, version: str) -> int | None:
        """Versions are numbers."""
        return int(version) if _VERSION.fullmatch(version) else None

    @classmethod
    def is_prerelease(cls, version: str) -> bool:
        """No toy is a prerelease."""
        del version
        return False

    @classmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The name with underscores."""
        return ref.name.replace("-", "_")

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """A range is copied; different ranges become any."""
        ranges = {text if _RANGE.fullmatch(text) else ANY_VERSION for text in texts}
        return ranges.pop() if len(ranges) == 1 else ANY_VERSION

    async def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All toys; the cursor is the last name of a page."""
        while True:
            page = await self._page("names", cursor or "", _Listing)
            if not page.names:
                return
            cursor = page.names[-1]
            yield NamesPage(page.names, cursor, page.total)

    async def feed_end(self) -> str:
        """The newest serial."""
        newest = await self._page("changes", "newest", _Feed)
        return str(newest.serial)

    async def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Changes after the serial that is the cursor."""
        while True:
            try:
                page = await self._page("changes", cursor, _Feed)
            except ResourceNotFound as error:
                raise CursorExpired("the feed no longer goes back so far", url=error.url) from error
            if not page.events:
                return
            cursor = str(page.events[-1].serial)
            latest = {event.name: event for event in page.events}
            changes = tuple(
                Change(event.name, deleted=event.deleted, expected=str(event.serial))
                for event in latest.values()
            )
            yield ChangesPage(changes, cursor)

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the toy's document."""
        ref, expected, fetched_at = request.ref, request.expected, now()
        response = await self._read(ref, etag=request.etag)
        if response.not_modified:
            return NotModified(fetched_at)
        document = _document(ref, response)
        if expected and document.serial < int(expected):
            raise StaleAnswer(
                f"serial {document.serial}, but {expected} was announced", url=response.url
            )
        versions = self._versions(ref, document)
        return Package(
            ref=ref,
            vendor=document.maker,
            repository_url=NOT_AVAILABLE,
            versions=versions,
            latest=self.latest(versions),
            fetched_at=fetched_at,
            etag=response.etag,
        )

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """Read them from the toy's document; other registries read the files of the version."""
        response = await self._read(ref)
        release = _document(ref, response).releases.get(version)
        if release is None:
            raise PackageNotFound(self.version_purl(ref, version), url=response.url)
        return release.imports

    async def _read(self, ref: PackageRef, *, etag: str | None = None) -> Response:
        url = self.endpoints.url("api", "packages", ref.registry_name)
        try:
            return await self.client.get(url, max_bytes=MAX_DOCUMENT, etag=etag)
        except ResourceNotFound as error:
            raise PackageNotFound(ref.purl, url=url) from error

    def _versions(self, ref: PackageRef, document: _Document) -> tuple[Version, ...]:
        releases = {VersionName(name): release for name, release in document.releases.items()}
        dates = {name: release.released.astimezone(UTC) for name, release in releases.items()}
        return tuple(
            Version(
                name=name,
                purl=self.version_purl(ref, name),
                release_date=dates[name],
                requirements=tuple(
                    Requirement(self.ref(required), self.constraints(range_))
                    for required, range_ in releases[name].requires.items()
                ),
                yanked=releases[name].withdrawn,
            )
            for name in self.by_date(dates)
        )

    async def _page(self, kind: str, after: str, model: type[Wire]) -> Wire:
        url = self.endpoints.url("api", kind) + f"?after={after}"
        return _parse(model, await self.client.get(url, max_bytes=MAX_DOCUMENT))


def _document(ref: PackageRef, response: Response) -> _Document:
    document = _parse(_Document, response)
    if document.name != ref.registry_name or not document.releases:
        raise MalformedMetadata(f"not a document of {ref.purl}", url=response.url)
    return document


def _parse(model: type[Wire], response: Response) -> Wire:
    try:
        return model.model_validate_json(response.body)
    except ValidationError as error:
        raise malformed(error, response.url) from error
