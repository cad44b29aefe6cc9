"""Finds the versions that an advisory affects, by OSV's algorithm and the ecosystem's order.

https://ossf.github.io/osv-schema/#evaluation. A version is affected if an entry of the package
lists it, or if a range of such an entry contains it. All versions of a package are sorted once and
evaluated together. An advisory costs a few bisections, regardless of the number of versions.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.semver import strict_version
from ssc_ingest.vulnerabilities.advisory import (
    FIXED,
    INTRODUCED,
    LAST_AFFECTED,
    LIMIT,
    Advisory,
    Affected,
    Event,
    Range,
)

_UNBOUNDED = {(INTRODUCED, "0"), (LIMIT, "*")}
"""Events without a version: the start before all versions, including unparsable ones, and no
end."""

_TIES = {kind: rank for rank, kind in enumerate((INTRODUCED, LAST_AFFECTED, FIXED, LIMIT))}
"""The order of events with the same version."""

_MAX_SHOWN = 80
"""Maximum length of a bound in the text of a problem."""

Place = Any
"""A sort key; comparable only within one order."""

PlaceOf = Callable[[str], Place | None]
"""The sort key of a version; ``None`` for an unparsable one."""


@dataclass(frozen=True, slots=True)
class _Order:
    """Versions in one order: their ascending sort keys and their indexes."""

    place_of: PlaceOf
    """The sort key of a bound."""
    places: Sequence[Place]
    indexes: Sequence[int]
    """For each sort key, the index of its version in :attr:`VersionLine.names`."""


class VersionLine:
    """The versions of one package, in the ecosystem's own order.

    Args:
        ecosystem: of the package.
        names: of the versions, each once.
    """

    def __init__(self, ecosystem: type[Ecosystem], names: Iterable[str]) -> None:
        self.ecosystem = ecosystem
        placed = [(ecosystem.advisory_key(name), name) for name in names]
        # Two sorts: equal sort keys need not be equal objects.
        placed.sort(key=lambda pair: pair[1])
        placed.sort(key=lambda pair: pair[0])
        self.names = tuple(name for _, name in placed)
        """Ascending; an index into them stands for a version."""
        places = [place for place, _ in placed]
        self.own = _Order(self._bound, places, range(len(places)))

    @cached_property
    def semver(self) -> _Order:
        """The complete semantic versions, in SemVer's order."""
        found = [(strict_version(name), index) for index, name in enumerate(self.names)]
        placed = sorted((place, index) for place, index in found if place is not None)
        return _Order(strict_version, [place for place, _ in placed], [i for _, i in placed])

    @cached_property
    def without_semver(self) -> _Order:
        """All other versions, in the ecosystem's own order."""
        others = sorted(set(range(len(self.names))) - set(self.semver.indexes))
        return _Order(self._bound, [self.own.places[index] for index in others], others)

    def equal(self, version: str) -> range:
        """The indexes of all versions equal to a given one, in any spelling."""
        index = self._by_name.get(version)
        if index is not None:
            place = self.own.places[index]
            if self.ecosystem.own_order(version) is None:
                return range(index, index + 1)
        elif (place := self._bound(version)) is None:
            return range(0)
        places = self.own.places
        return range(bisect_left(places, place), bisect_right(places, place))

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def _bound(self, version: str) -> Place | None:
        is_version = self.ecosystem.own_order(version) is not None
        return self.ecosystem.advisory_key(version) if is_version else None


@dataclass(slots=True)
class Evaluation:
    """The result of an advisory for the versions of a package."""

    affected: set[int] = field(default_factory=set)
    """Indexes of the vulnerable versions."""
    noticed: set[int] = field(default_factory=set)
    """Indexes of the versions with a warning."""
    unusable: list[str] = field(default_factory=list)
    """Descriptions of the parts that cannot be evaluated for this package; the other parts
    count."""


class _Unreadable(Exception):
    """A bound is not a version."""


def evaluate(advisory: Advisory, name: str, line: VersionLine) -> Evaluation:
    """Evaluate an advisory for the package ``name`` (as its registry spells it).

    Entries of other packages, ecosystems and repositories (``Maven:https://...``) are ignored.
    """
    found = Evaluation()
    for entry in entries_of(advisory, line.ecosystem, name):
        target = found.noticed if entry.is_notice else found.affected
        for version in entry.versions:
            target.update(line.equal(version))
        if entry.problem:
            found.unusable.append(entry.problem)
        for item in entry.ranges:
            try:
                for contained in _contained(item, line):
                    target.update(contained)
            except _Unreadable as error:
                found.unusable.append(str(error))
    return found


def entries_of(advisory: Advisory, ecosystem: type[Ecosystem], name: str) -> Iterable[Affected]:
    """The entries of a package."""
    wanted = ecosystem.advisory_name(name)
    return (
        entry
        for entry in advisory.affected
        if entry.ecosystem == ecosystem.identity.osv_name
        and ecosystem.advisory_name(entry.name) == wanted
    )


def _contained(item: Range, line: VersionLine) -> Iterator[set[int]]:
    """The versions in a range. Versions that are not SemVer always follow the ecosystem's order.

    Raises:
        _Unreadable: the range is unusable, for all versions or for the remaining ones.
    """
    if item.problem:
        raise _Unreadable(f"a range cannot be used: {item.problem}")
    is_semver = item.is_semver and all(
        (event.kind, event.version) in _UNBOUNDED or strict_version(event.version) is not None
        for event in item.events
    )
    if not is_semver:
        yield _walk(item.events, line.own)
        return
    yield _walk(item.events, line.semver)
    if line.without_semver.indexes:
        yield _walk(item.events, line.without_semver)


def _walk(events: Iterable[Event], order: _Order) -> set[int]:
    """OSV's loop over the sorted events, for all versions at once."""
    places = order.places
    runs: list[tuple[int, int]] = []
    start: int | None = None
    limits: list[int] = []
    for kind, place in _sorted(events, order.place_of):
        before = 0 if place is None else bisect_left(places, place)
        if kind == INTRODUCED:
            start = before if start is None else start
        elif kind == LIMIT:
            limits.append(len(places) if place is None else before)
        else:
            end = bisect_right(places, place) if kind == LAST_AFFECTED else before
            if start is not None:
                runs.append((start, end))
            elif runs:  # fixed in the last affected version
                runs[-1] = (runs[-1][0], min(runs[-1][1], end))
            start = None
    if start is not None:
        runs.append((start, len(places)))
    most = max(limits, default=len(places))
    return {order.indexes[i] for first, end in runs for i in range(first, min(end, most))}


def _sorted(events: Iterable[Event], place_of: PlaceOf) -> list[tuple[str, Place | None]]:
    """The sorted events, each with its sort key; ``None`` for an event without a bound.

    Raises:
        _Unreadable: a bound is not a version.
    """
    unbounded: list[tuple[str, Place | None]] = []
    bounded: list[tuple[str, Place]] = []
    for event in events:
        if (event.kind, event.version) in _UNBOUNDED:
            unbounded.append((event.kind, None))
        elif (place := place_of(event.version)) is not None:
            bounded.append((event.kind, place))
        else:
            raise _Unreadable(
                f"a range cannot be used: {event.version[:_MAX_SHOWN]!r} is not a version"
            )
    bounded.sort(key=lambda event: _TIES[event[0]])
    bounded.sort(key=lambda event: event[1])
    return [*unbounded, *bounded]
