"""A registry in memory, with a scripted listing and feed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from ssc_ingest.ecosystems.base import Change, ChangesPage, FetchRequest, NamesPage, NotModified
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import CursorExpired, PackageNotFound, StaleAnswer
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.models import Package, PackageRef, VersionName
from tests.integration.scripted import package_of, version_of


class NamesAgain(NamesPage):
    """A page whose names are also on other pages."""

    repeats: ClassVar[bool] = True


@dataclass
class Content:
    """The contents of the registry. Cursors are positions in ``names`` and in ``feed``."""

    names: list[str] = field(default_factory=list)
    page_size: int = 10
    tells_total: bool = True
    versions: dict[str, list[str]] = field(default_factory=dict)
    """Versions of packages that have others than ``1``."""
    etags: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    """Packages whose versions' requirements cannot be read."""
    stale: dict[str, int] = field(default_factory=dict)
    """How often a package is yet to be answered from an old cache."""
    feed: list[Change] = field(default_factory=list)
    first: int = 0
    """Where the feed begins: what came before is forgotten."""
    errors: list[Exception] = field(default_factory=list)
    """What listing and feed say instead of their next pages."""
    errors_from: int = 0
    """At which position in the names or in the feed that begins."""
    repeats: bool = False
    """Whether the listing says that it names packages again."""
    asked: dict[str, list[str]] = field(default_factory=dict)
    """Versions of each package that were last asked for, the oldest first."""
    imported: dict[str, frozenset[str] | Exception] = field(default_factory=dict)
    """Import names of packages, or what reading them raises; none of all others."""
    named: list[str] = field(default_factory=list)
    """Packages whose import names were read, in that order."""
    fetched: list[str] = field(default_factory=list)
    """Packages in the order in which they were asked for."""
    listings: int = 0
    """How often a listing was opened."""

    def say(self, position: int = 0) -> None:
        """Raise the next scripted error, if there is one."""
        if self.errors and position >= self.errors_from:
            raise self.errors.pop(0)


class Scripted(PyPI):
    """PyPI's names and versions, with scripted contents."""

    reads_import_names = False

    def __init__(self, client: RegistryClient, endpoints: Endpoints, content: Content) -> None:
        super().__init__(client, endpoints)
        self.content = content

    async def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """Pages of the names."""
        content = self.content
        content.listings += 1
        position = int(cursor or 0)
        while position < len(content.names):
            content.say(position)
            names = tuple(content.names[position : position + content.page_size])
            position += len(names)
            total = len(content.names) if content.tells_total else None
            page = NamesAgain if content.repeats else NamesPage
            yield page(names, str(position), total)

    async def feed_end(self) -> str:
        """The number of changes."""
        self.content.say()
        return str(len(self.content.feed))

    async def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Pages of the feed."""
        content = self.content
        position = int(cursor)
        if position < content.first:
            raise CursorExpired("the feed begins later")
        while position < len(content.feed):
            content.say(position)
            changes = tuple(content.feed[position : position + content.page_size])
            position += len(changes)
            yield ChangesPage(changes, str(position))

    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read the package, which requires nothing."""
        ref, etag, expected = request.ref, request.etag, request.expected
        content, name = self.content, ref.registry_name
        content.fetched.append(name)
        if name in content.deleted or name not in content.names:
            raise PackageNotFound(ref.purl)
        if expected and content.stale.get(name, 0) > 0:
            content.stale[name] -= 1
            raise StaleAnswer(f"{name} is older than {expected}")
        fetched_at = datetime.now(UTC)
        if etag and etag == content.etags.get(name):
            return NotModified(fetched_at)
        listed = [VersionName(version) for version in content.versions.get(name, ["1"])]
        asked = content.asked[name] = [each for each in listed if each not in request.known]
        is_unknown = name in content.unknown
        versions = tuple(
            version_of(
                ref,
                version,
                release_date=fetched_at,
                requirements=None if is_unknown or version not in asked else (),
                requirements_unknown=is_unknown and version in asked,
            )
            for version in listed
        )
        etag = content.etags.get(name)
        return package_of(ref, versions, fetched_at=fetched_at, etag=etag)


class Named(Scripted):
    """The same, with scripted import names."""

    reads_import_names = True

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """Read the scripted names."""
        del version
        self.content.named.append(ref.registry_name)
        found = self.content.imported.get(ref.registry_name, frozenset())
        if isinstance(found, Exception):
            raise found
        return found


def named(count: int, prefix: str = "package") -> list[str]:
    """Names in the form of PyPI's list."""
    return [f"{prefix}-{number:04}" for number in range(count)]
