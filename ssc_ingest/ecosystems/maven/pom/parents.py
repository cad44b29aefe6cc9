"""Finds the parents and bills of materials of POMs, which many packages use.

All workers share them (:class:`ssc_ingest.http.document_cache.DocumentCache`), and each process
keeps the most recently used ones in parsed form. A POM that is missing or unreadable contributes
nothing; a host that does not respond is an error as usual.

A parent may be named by a range: it is the highest listed version in the range. As in Maven, a
range without an upper bound names no parent, and a range never names a bill of materials.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from copy import copy
from weakref import WeakValueDictionary

from ssc_ingest.ecosystems.maven.constraints import highest_admitted, is_range
from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.effective import EffectivePom
from ssc_ingest.ecosystems.maven.pom.model import Declaration, Pom

MAX_LINEAGE = 32
"""Maximum parents of one POM; the longest lineages have about ten."""

MAX_IMPORTS = 500
"""Maximum bills of materials read for one POM."""

Reader = Callable[[Coordinates], Awaitable[Pom | None]]
Lister = Callable[[str], Awaitable[Sequence[str]]]


class ParsedPoms:
    """A cache of a process's parsed POMs, bounded by their size; drops the least recently used."""

    def __init__(self, capacity: int = 100_000) -> None:
        """``capacity`` is counted in declarations and properties, of some 300 bytes each."""
        self._poms: OrderedDict[Coordinates, Pom] = OrderedDict()
        self._capacity = capacity
        self._weight = 0

    def get(self, coordinates: Coordinates) -> Pom | None:
        """The POM, if it is cached."""
        if coordinates not in self._poms:
            return None
        self._poms.move_to_end(coordinates)
        return self._poms[coordinates]

    def put(self, coordinates: Coordinates, pom: Pom) -> None:
        """Cache the POM."""
        if coordinates in self._poms:
            return
        self._poms[coordinates] = pom
        self._weight += pom.weight
        while self._weight > self._capacity:
            _, oldest = self._poms.popitem(last=False)
            self._weight -= oldest.weight


class Inheritance:
    """The inherited POMs of one package; requests each document once."""

    def __init__(self, read: Reader, versions_of: Lister, poms: ParsedPoms) -> None:
        """``read`` returns a parent or bill of materials, or ``None`` if there is no such POM.

        ``versions_of`` returns the versions that are listed of a package ``group:artifact``.
        """
        self._read = read
        self._versions_of = versions_of
        self._poms = poms
        self._lists: dict[str, Sequence[str]] = {}
        self._locks: WeakValueDictionary[Coordinates, asyncio.Lock] = WeakValueDictionary()
        self._missing: set[Coordinates] = set()
        self.is_complete = True
        """Whether all POMs that were needed exist."""

    def for_one_pom(self) -> "Inheritance":
        """A copy with its own ``is_complete`` and shared documents."""
        one = copy(self)
        one.is_complete = True
        return one

    @property
    def missing(self) -> frozenset[Coordinates]:
        """Coordinates of referenced POMs that were not found."""
        return frozenset(self._missing)

    async def of(self, coordinates: Coordinates, pom: Pom) -> EffectivePom:
        """The POM with its parents, up to the first that is missing or closes a circle."""
        relatives = {coordinates: pom}
        while (reference := pom.parent) and len(relatives) <= MAX_LINEAGE:
            # The reference is resolved before inheritance, so only the child's own values count.
            child = EffectivePom({coordinates: pom})
            coordinates = await self._newest(Coordinates(*map(child.interpolate, reference)))
            found = None if coordinates in relatives else await self._find(coordinates)
            if found is None:
                break
            relatives[coordinates] = pom = found
        return EffectivePom(relatives)

    async def complete(self, pom: EffectivePom) -> list[Declaration]:
        """The POM's dependencies, completed from dependency management.

        Management supplies version, scope and exclusions. That of the POM and its parents comes
        first. Bills of materials are read in order, until no dependency lacks a version; the first
        that manages a dependency wins. A dependency with a version takes scope and exclusions from
        a bill of materials only if that is read for another dependency.
        """
        declared = pom.dependencies
        managed = {declaration.key: pom.managed(declaration.key) for declaration in declared}
        open_keys = {d.key for d in declared if not managed[d.key]}
        lacking = {d.key for d in declared if not d.version} & open_keys
        if lacking:
            async for bill in self.bills(pom):
                for key in list(open_keys):
                    if found := bill.managed(key):
                        managed[key] = found[:1]
                        open_keys.remove(key)
                if not lacking & open_keys:
                    break
        return [_completed(declaration, managed[declaration.key]) for declaration in declared]

    async def bills(self, pom: EffectivePom) -> AsyncIterator[EffectivePom]:
        """Direct and indirect imports, in order of precedence, each once."""
        seen = {pom.coordinates}
        imports = [pom.imports]
        while imports and len(seen) <= MAX_IMPORTS:
            if (coordinates := next(imports[-1], None)) is None:
                imports.pop()
            elif coordinates not in seen:
                seen.add(coordinates)
                if found := await self._find(coordinates):
                    bill = await self.of(coordinates, found)
                    yield bill
                    imports.append(bill.imports)

    async def _newest(self, coordinates: Coordinates) -> Coordinates:
        """Replace a range by its highest listed version, if there is one."""
        group, artifact, version = coordinates
        if not (is_range(version) and coordinates._replace(version="0").are_usable):
            return coordinates
        name = f"{group}:{artifact}"
        async with self._locks.setdefault(coordinates._replace(version=""), asyncio.Lock()):
            if name not in self._lists:
                self._lists[name] = await self._versions_of(name)
        return coordinates._replace(version=highest_admitted(version, self._lists[name]) or version)

    async def _find(self, coordinates: Coordinates) -> Pom | None:
        if not coordinates.are_usable:
            return None
        lock = self._locks.setdefault(coordinates, asyncio.Lock())
        async with lock:
            found = None if coordinates in self._missing else await self._get(coordinates)
            if found is None:
                self._missing.add(coordinates)
                self.is_complete = False
            return found

    async def _get(self, coordinates: Coordinates) -> Pom | None:
        found = self._poms.get(coordinates)
        if found is None and (found := await self._read(coordinates)):
            self._poms.put(coordinates, found)
        return found


def _completed(declaration: Declaration, managed: Sequence[Declaration]) -> Declaration:
    for entry in managed:
        declaration = declaration._replace(
            version=declaration.version or entry.version,
            scope=declaration.scope or entry.scope,
            exclusions=declaration.exclusions or entry.exclusions,
            managed=declaration.managed or bool(entry.version and not declaration.version),
        )
    return declaration
