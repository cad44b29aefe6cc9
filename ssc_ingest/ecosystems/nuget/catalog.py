"""The documents of NuGet's catalog: an index of pages, and pages of what happened to packages.

https://learn.microsoft.com/nuget/api/catalog-resource. A page's items and an index's pages stand in
no order; what orders them is their time of commit. Many items share one, and seven digits of a
second tell them apart, which a ``datetime`` does not have: moments are text here, in one form that
sorts by time (:func:`normalize_stamp`).

The server makes these documents, so what the specification requires must be there and have the
right type, and lists must have as many entries as they say.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.nuget.versions import normalize
from ssc_ingest.ecosystems.wire import WireModel, malformed
from ssc_ingest.errors import RegistryUnavailable

DETAILS, DELETE = "nuget:PackageDetails", "nuget:PackageDelete"
"""What an item says: the version came or changed in some way; it was taken away."""

DIGITS = 9
"""Of a second's fraction in the form that sorts; NuGet.org writes up to seven."""

MAX_ID_LENGTH = 1000
"""Characters; ids have at most 100, and what cannot be one is left out by who asked."""

MAX_VERSION_LENGTH = 256

_WRITTEN = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:Z|[+-]00:00)?", re.ASCII
)
_NORMAL = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}\.\d{{{DIGITS}}}", re.ASCII)

Document = TypeVar("Document", "CatalogIndex", "CatalogPage")


def normalize_stamp(text: str) -> str:
    """A moment in UTC, in the one form that sorts by time.

    ``2020-09-10T10:12:24.301149Z`` is ``2020-09-10T10:12:24.301149000``: .NET leaves zeros away at
    the end.

    Raises:
        ValueError: it is no such moment.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:50]!r} is no moment in UTC")
    datetime.fromisoformat(match[1])  # also: no month 13
    return f"{match[1]}.{(match[2] or '').ljust(DIGITS, '0')}"


def check_stamp(text: str) -> str:
    """The text itself, if it is a moment in the form that sorts.

    Raises:
        ValueError: it is not.
    """
    if not _NORMAL.fullmatch(text):
        raise ValueError(f"{text[:50]!r} is no normalised moment")
    datetime.fromisoformat(text[:19])
    return text


def moment_of(stamp: str) -> datetime:
    """The whole second of a stamp, for measuring how long ago it was."""
    return datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)


def stamp_of(moment: datetime) -> str:
    """An aware moment as a stamp."""
    return normalize_stamp(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}")


WrittenStamp = Annotated[str, Field(max_length=40), AfterValidator(normalize_stamp)]
"""As a document has it; normalised when it has been read."""


class Item(WireModel):
    """Something that happened to one version."""

    kind: str = Field(alias="@type", max_length=100)
    stamp: WrittenStamp = Field(alias="commitTimeStamp")
    id: str = Field(alias="nuget:id", max_length=MAX_ID_LENGTH)
    version: str = Field(alias="nuget:version", max_length=MAX_VERSION_LENGTH)


class CatalogPage(WireModel):
    """At most some hundred items."""

    stamp: WrittenStamp = Field(alias="commitTimeStamp")
    count: int
    items: tuple[Item, ...]


class PageEntry(WireModel):
    """Where a page is, and when it last got an item."""

    url: str = Field(alias="@id", max_length=2000)
    stamp: WrittenStamp = Field(alias="commitTimeStamp")


class CatalogIndex(WireModel):
    """All pages: tens of thousands."""

    url: str = Field("", alias="@id", max_length=2000)
    stamp: WrittenStamp = Field(alias="commitTimeStamp")
    count: int
    items: tuple[PageEntry, ...]


def parse(model: type[Document], body: bytes, url: str) -> Document:
    """The catalog's index, or one of its pages.

    Raises:
        MalformedMetadata: not such a document.
        RegistryUnavailable: it has fewer entries than it says.
    """
    try:
        document = model.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error, url, "catalog") from error
    if len(document.items) < document.count:
        raise RegistryUnavailable(
            f"{len(document.items)} entries of {document.count} that it says it has", url=url
        )
    return document


@dataclass(frozen=True, slots=True)
class Announced:
    """The version that a change expects, as text: the version and the time of its commit."""

    version: str
    stamp: str | None

    @classmethod
    def read(cls, text: str) -> "Announced":
        """The inverse of ``str``; the time may be absent."""
        version, _, stamp = text.partition(" ")
        try:
            return cls(version, check_stamp(stamp))
        except ValueError:
            return cls(version, None)

    def __str__(self) -> str:
        return f"{self.version} {self.stamp}" if self.stamp else self.version

    def is_among(self, versions: Iterable[str]) -> bool:
        """Whether it is one of these, in any spelling."""
        wanted = normalize(self.version).lower()
        return any(normalize(version).lower() == wanted for version in versions)


def names_of(items: Iterable[Item]) -> tuple[str, ...]:
    """The packages of some items, each once, spelled as in its newest one.

    Deletions name none: what was deleted was published before.
    """
    newest = {item.id.lower(): item.id for item in _by_time(items) if item.kind != DELETE}
    return tuple(newest.values())


def changes_of(items: Iterable[Item]) -> tuple[Change, ...]:
    """One change for each package that the items are about, in the order of their newest items.

    A deletion takes away one version, so whether the package is still there is for its own
    document to say; a version that was announced before is still expected, unless it is that one.
    """
    newest: dict[str, tuple[Item, Announced | None]] = {}
    for item in _by_time(items):
        _, announced = newest.pop(item.id.lower(), (None, None))
        if item.kind == DETAILS:
            announced = Announced(item.version, item.stamp)
        elif item.kind == DELETE and announced and announced.is_among([item.version]):
            announced = None
        newest[item.id.lower()] = item, announced
    return tuple(
        Change(item.id, expected=str(announced) if announced else None)
        for item, announced in newest.values()
    )


def _by_time(items: Iterable[Item]) -> list[Item]:
    """The oldest first; of one moment, deletions last: a version that is gone is not expected."""
    return sorted(items, key=lambda item: (item.stamp, item.kind == DELETE))
