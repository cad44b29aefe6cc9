"""Finding the parents and bills of materials of POMs; a few of them serve very many packages.

All workers share them (:class:`ssc_ingest.http.document_cache.DocumentCache`), and each process
keeps the most recently used ones in parsed form. A POM that is missing or unreadable contributes
nothing; a host that does not respond is an error as usual.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from copy import copy
from weakref import WeakValueDictionary

from ssc_ingest.ecosystems.maven.identity import Coordinates
from ssc_ingest.ecosystems.maven.pom.effective import EffectivePom
from ssc_ingest.ecosystems.maven.pom.model import Declaration, Key, Pom

MAX_LINEAGE = 32
"""Parents of one POM; the longest lineages of the repository have about ten."""

MAX_IMPORT_DEPTH = 16
"""Bills of materials in a chain of imports."""

MAX_IMPORTS = 500
"""Bills of materials that are searched for one POM."""

Reader = Callable[[Coordinates], Awaitable[Pom | None]]


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
    """What the POMs of one package inherit; requests each document once."""

    def __init__(self, read: Reader, poms: ParsedPoms) -> None:
        """``read`` returns a parent or bill of materials, or ``None`` if there is no such POM."""
        self._read = read
        self._poms = poms
        self._locks: WeakValueDictionary[Coordinates, asyncio.Lock] = WeakValueDictionary()
        self._missing: set[Coordinates] = set()
        self.is_complete = True
        """Whether every POM that was needed here exists."""

    def for_one_pom(self) -> "Inheritance":
        """A copy with its own ``is_complete``; it shares what was found and what is missing."""
        one = copy(self)
        one.is_complete = True
        return one

    @property
    def missing(self) -> frozenset[Coordinates]:
        """Coordinates of POMs that were referred to and not found."""
        return frozenset(self._missing)

    async def of(self, coordinates: Coordinates, pom: Pom) -> EffectivePom:
        """The POM with its parents, up to the first that is missing or closes a circle."""
        relatives = {coordinates: pom}
        while (reference := pom.parent) and len(relatives) <= MAX_LINEAGE:
            # The reference is resolved before inheritance: only the child's own values count in it.
            child = EffectivePom({coordinates: pom})
            coordinates = Coordinates(*map(child.interpolate, reference))
            found = None if coordinates in relatives else await self._find(coordinates)
            if found is None:
                break
            relatives[coordinates] = pom = found
        return EffectivePom(relatives)

    async def complete(self, pom: EffectivePom) -> list[Declaration]:
        """The POM's dependencies with the versions and scopes that are managed for them.

        The management of the POM and its parents comes first. Bills of materials are read in
        order, only for a dependency that lacks a version; the first that manages it wins.
        """
        completed = []
        for declaration in pom.dependencies:
            managed = pom.managed(declaration.key)
            if managed is None and not declaration.version:
                budget = [MAX_IMPORTS]
                managed = await self._imported(pom, declaration.key, (pom.coordinates,), budget)
            if managed:
                declaration = declaration._replace(  # noqa: PLW2901
                    version=declaration.version or managed.version,
                    scope=declaration.scope or managed.scope,
                )
            completed.append(declaration)
        return completed

    async def _imported(
        self, pom: EffectivePom, key: Key, trail: tuple[Coordinates, ...], budget: list[int]
    ) -> Declaration | None:
        """The entry of the first bill of materials that manages the dependency."""
        if len(trail) > MAX_IMPORT_DEPTH:
            return None
        for coordinates in pom.imports:
            budget[0] -= 1
            found = None
            if budget[0] >= 0 and coordinates not in trail:
                found = await self._find(coordinates)
            if found is None:
                continue
            bill = await self.of(coordinates, found)
            managed = bill.managed(key) or await self._imported(
                bill, key, (*trail, coordinates), budget
            )
            if managed:
                return managed
        return None

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
