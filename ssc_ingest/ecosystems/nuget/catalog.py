"""The documents of NuGet's catalog: an index of pages, and pages of events of packages.

https://learn.microsoft.com/nuget/api/catalog-resource. The items of a page and the pages of an
index are ordered only by their commit times. Many items share one. Commits may differ in the
seventh decimal of a second, which a ``datetime`` does not have. So times are text here, in a form
that sorts by time (:func:`normalize_stamp`).

The server generates these documents. So every required field must be present with the right type,
and lists must have as many entries as announced. An unreadable event is skipped and logged.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.nuget.versions import normalize
from ssc_ingest.ecosystems.wire import (
    Entry,
    Unreadable,
    WireModel,
    log_skipped,
    read_json,
    unreadable,
)
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable

DETAILS, DELETE = "nuget:PackageDetails", "nuget:PackageDelete"
"""Kinds of items: a version was published or changed; a version was deleted."""

DIGITS = 9
"""Digits of a second's fraction in a normalised stamp; NuGet.org writes up to seven."""

MAX_ID_LENGTH = 1000
"""Maximum characters; ids have at most 100. The caller skips invalid ids."""

MAX_VERSION_LENGTH = 256

_WRITTEN = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:Z|[+-]00:00)?", re.ASCII
)
_NORMAL = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}\.\d{{{DIGITS}}}", re.ASCII)

Document = TypeVar("Document", "CatalogIndex", "CatalogPage")


def normalize_stamp(text: str) -> str:
    """Normalise a time in UTC to the form that sorts by time.

    ``2020-09-10T10:12:24.301149Z`` is ``2020-09-10T10:12:24.301149000``: .NET omits trailing
    zeros.

    Raises:
        ValueError: the text is not a time in UTC.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:50]!r} is not a time in UTC")
    datetime.fromisoformat(match[1])  # also: no month 13
    return f"{match[1]}.{(match[2] or '').ljust(DIGITS, '0')}"


def check_stamp(text: str) -> str:
    """The text itself, if it is a normalised stamp.

    Raises:
        ValueError: the text is not a normalised stamp.
    """
    if not _NORMAL.fullmatch(text):
        raise ValueError(f"{text[:50]!r} is not a normalised time")
    datetime.fromisoformat(text[:19])
    return text


def moment_of(stamp: str) -> datetime:
    """The whole second of a stamp, to compute its age."""
    return datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)


def stamp_of(moment: datetime) -> str:
    """Convert an aware time to a stamp."""
    return normalize_stamp(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}")


WrittenStamp = Annotated[str, Field(max_length=40), AfterValidator(normalize_stamp)]
"""A stamp in documents, normalised by the parser."""


class Item(WireModel):
    """An event of one version."""

    kind: str = Field(alias="@type", max_length=100)
    stamp: WrittenStamp = Field(alias="commitTimeStamp")
    id: str = Field(alias="nuget:id", max_length=MAX_ID_LENGTH)
    version: str = Field(alias="nuget:version", max_length=MAX_VERSION_LENGTH)


class CatalogPage(WireModel):
    """At most some hundred items."""

    stamp: WrittenStamp = Field(alias="commitTimeStamp")
    count: int
    entries: tuple[Entry[Item], ...] = Field(alias="items")

    @property
    def items(self) -> list[Item]:
        """The readable items."""
        return [entry for entry in self.entries if not isinstance(entry, Unreadable)]


class PageEntry(WireModel):
    """The address of a page, and the time of its last item."""

    url: str = Field(alias="@id", max_length=2000)
    stamp: WrittenStamp = Field(alias="commitTimeStamp")


class CatalogIndex(WireModel):
    """All pages: tens of thousands."""

    url: str = Field("", alias="@id", max_length=2000)
    stamp: WrittenStamp = Field(alias="commitTimeStamp")
    count: int
    entries: tuple[PageEntry, ...] = Field(alias="items")

    @property
    def items(self) -> tuple[PageEntry, ...]:
        """The entries of all pages."""
        return self.entries


def parse(model: type[Document], body: bytes, url: str) -> Document:
    """The catalog's index, or one of its pages.

    Raises:
        MalformedMetadata: the body is not a document of the catalog, or has no readable entry.
        RegistryUnavailable: the document has fewer entries than announced.
    """
    document = read_json(model, body, url, "catalog")
    if len(document.entries) < document.count:
        raise RegistryUnavailable(
            f"{len(document.entries)} entries of {document.count} announced", url=url
        )
    skipped = unreadable(document.entries)
    if skipped and len(skipped) == len(document.entries):
        raise MalformedMetadata(f"catalog: items.{skipped[0]}", url=url)
    log_skipped("nuget", "catalog", skipped)
    return document


@dataclass(frozen=True, slots=True)
class Announced:
    """The version that a change expects, and the time of its commit."""

    version: str
    stamp: str | None

    @classmethod
    def read(cls, text: str) -> "Announced":
        """Parse the result of ``str``; the time may be absent."""
        version, _, stamp = text.partition(" ")
        try:
            return cls(version, check_stamp(stamp))
        except ValueError:
            return cls(version, None)

    def __str__(self) -> str:
        return f"{self.version} {self.stamp}" if self.stamp else self.version

    def is_among(self, versions: Iterable[str]) -> bool:
        """Whether it is one of these, in any spelling."""
        name = normalize(self.version).lower()
        return any(normalize(version).lower() == name for version in versions)


def names_of(items: Iterable[Item]) -> tuple[str, ...]:
    """The packages of some items, each once, in the spelling of its newest item.

    Deletions are skipped, because a deleted version was published before.
    """
    newest = {item.id.lower(): item.id for item in _by_time(items) if item.kind != DELETE}
    return tuple(newest.values())


def changes_of(items: Iterable[Item]) -> tuple[Change, ...]:
    """One change per package of the items, in the order of their newest items.

    A deletion removes one version, so only the package's own document says whether the package
    still exists. An announced version is expected, unless it was deleted later.
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
    """Oldest first; deletions last among equal times, because a deleted version is not expected."""
    return sorted(items, key=lambda item: (item.stamp, item.kind == DELETE))
