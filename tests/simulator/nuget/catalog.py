"""The catalog of NuGet.org: all events, in pages with times.

https://learn.microsoft.com/nuget/api/catalog-resource. The packages of the start were published in
commits of several packages, with one time each, which do not end at page ends; each edit is a
commit. Pages and items are in no order. Everything is generated on demand.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.history import BEGINNING, Event

CATALOG = "v3/catalog0"

LARGEST_PAGE = 550

SMALL_PAGE = 23
"""Items of a page in small universes, so that they have several too."""
SMALL = 10_000
"""Packages of the largest small universe."""

TOGETHER = 4
"""Packages of the start in one commit: divides neither size of pages."""

A_SECOND = 4
"""Commits that only the seventh digit of a second tells apart."""

ANY_VERSION = "1.0.0"
"""In plain universes the first version of every package, so that no package need be made."""

DETAILS, DELETE = "nuget:PackageDetails", "nuget:PackageDelete"


class Item(NamedTuple):
    """An event of one version."""

    sequence: int
    kind: str
    package: int
    version: str


def stamp(sequence: int) -> str:
    """The time of a commit without trailing zeros, in .NET's format."""
    moment = BEGINNING + timedelta(seconds=sequence // A_SECOND)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.838714{sequence % A_SECOND}".rstrip("0") + "Z"


class Catalog:
    """Index and pages of the shown events."""

    def __init__(self, shelf: Shelf, base_url: str) -> None:
        self.shelf = shelf
        self.url = f"{base_url}/{CATALOG}"
        self.size = LARGEST_PAGE if shelf.options.packages > SMALL else SMALL_PAGE
        self.edits = [item for event in shelf.history.feed for item in self._edit(event)]

    @property
    def count(self) -> int:
        """The number of all items."""
        return self.shelf.history.packages + len(self.edits)

    def index(self) -> Document:
        """All pages."""
        pages = [self._head(number) for number in range(-(-self.count // self.size))]
        Random(len(pages)).shuffle(pages)
        last = stamp(self.shelf.history.end)
        return Document.json(
            {
                "@id": f"{self.url}/index.json",
                "@type": ["CatalogRoot", "AppendOnlyCatalog", "Permalink"],
                "commitId": _commit(last),
                "commitTimeStamp": last,
                "count": len(pages),
                "nuget:lastCreated": last,
                "nuget:lastDeleted": last,
                "nuget:lastEdited": last,
                "items": pages,
                "@context": {"@vocab": "http://schema.nuget.org/catalog#"},
            }
        )

    def page(self, number: int) -> Document | None:
        """The page with that number, if there is one."""
        if not 0 <= number * self.size < self.count:
            return None
        items = [self._wire(item) for item in self._items(number)]
        Random(number).shuffle(items)
        return Document.json(
            {
                **self._head(number),
                "parent": f"{self.url}/index.json",
                "items": items,
                "@context": {"@vocab": "http://schema.nuget.org/catalog#"},
            }
        )

    def _head(self, number: int) -> dict[str, Any]:
        end = min(self.count, (number + 1) * self.size)
        last = stamp(self._sequence(end - 1))
        return {
            "@id": f"{self.url}/page{number}.json",
            "@type": "CatalogPage",
            "commitId": _commit(last),
            "commitTimeStamp": last,
            "count": end - number * self.size,
        }

    def _sequence(self, position: int) -> int:
        """The number of an item's commit, by the item's position."""
        packages = self.shelf.history.packages
        if position >= packages:
            return self.edits[position - packages].sequence
        last = min(packages - 1, position - position % TOGETHER + TOGETHER - 1)
        return self.shelf.history.first_sequence(last)

    def _items(self, number: int) -> Iterator[Item]:
        packages = self.shelf.history.packages
        for position in range(number * self.size, min(self.count, (number + 1) * self.size)):
            if position < packages:
                sequence = self._sequence(position)
                yield Item(sequence, DETAILS, position, self._versions(position)[-1])
            else:
                yield self.edits[position - packages]

    def _edit(self, event: Event) -> Iterator[Item]:
        """An item per version of an edit."""
        kind = DELETE if event.kind in {"delete", "delete-version"} else DETAILS
        versions = [event.version] if event.version else self._versions(event.package)
        if event.kind == "delete":
            changed = {
                e.version: e.kind == "publish"
                for e in self.shelf.history.shown
                if e.package == event.package and e.sequence < event.sequence and e.version
                and e.kind in {"publish", "delete-version"}
            }  # fmt: skip
            versions = [v for v in versions if changed.get(v, True)]
            versions += [v for v, is_there in changed.items() if is_there and v not in versions]
        for version in versions or [ANY_VERSION]:
            yield Item(event.sequence, kind, event.package, version)

    def _versions(self, index: int) -> list[str]:
        """The versions of a package at the start."""
        if self.shelf.options.plain and index < self.shelf.history.packages:
            return [ANY_VERSION]
        return [release.version for release in self.shelf.original(index).releases]

    def _wire(self, item: Item) -> dict[str, Any]:
        moment = stamp(item.sequence)
        name = self.shelf.name_of(item.package)
        folder = ".".join(re.findall(r"\d+", moment)[:6])
        return {
            "@id": f"{self.url}/data/{folder}/{name}.{item.version}.json".lower(),
            "@type": item.kind,
            "commitId": _commit(moment),
            "commitTimeStamp": moment,
            "nuget:id": name,
            "nuget:version": item.version,
        }


class CatalogDocument:
    """The index, or a page."""

    def __init__(self, shelf: Shelf, prefix: str, name: str, missing: Document) -> None:
        self.shelf, self.prefix, self.name, self.not_found = shelf, prefix, name, missing

    def __call__(self, headers: Mapping[str, str]) -> Document:
        """Answer a request with these headers."""
        catalog = Catalog(
            self.shelf, f"http://{headers.get('Host', 'simulator.invalid')}/{self.prefix}"
        )
        if self.name == "index":
            return catalog.index()
        number = self.name.removeprefix("page")
        page = catalog.page(int(number)) if number.isdecimal() and len(number) < 10 else None
        return page or self.not_found


def _commit(text: str) -> str:
    return str(uuid5(NAMESPACE_URL, text))
