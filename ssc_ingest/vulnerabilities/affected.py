"""Which versions of a package an advisory affects: OSV's evaluation, with the ecosystem's order.

https://ossf.github.io/osv-schema/#evaluation. A version is affected if an entry of the package
lists it, or if a range of such an entry contains it. All versions of a package are evaluated
together: they are sorted once, and each event of a range is a place among them. An advisory costs
a few bisections, whatever the number of versions.
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
"""Events that stand for no version: before everything, texts that are no versions included, and
without end."""

_TIES = {kind: rank for rank, kind in enumerate((INTRODUCED, LAST_AFFECTED, FIXED, LIMIT))}
"""The order of events that name one version."""

_MAX_SHOWN = 80
"""Characters of a bound that a problem repeats."""

Place = Any
"""What compares with the other places of one order."""

PlaceOf = Callable[[str], Place | None]
"""The place of a version in an order, ``None`` for a text that has none."""


@dataclass(frozen=True, slots=True)
class _Order:
    """Some versions in one order: the places ascending, and whose they are."""

    place_of: PlaceOf
    """Of a bound."""
    places: Sequence[Place]
    indexes: Sequence[int]
    """Of each place, the version's index in the line."""


class VersionLine:
    """The versions of one package, in the ecosystem's own order.

    Args:
        ecosystem: of the package.
        names: of the versions, each once.
    """

    def __init__(self, ecosystem: type[Ecosystem], names: Iterable[str]) -> None:
        self.ecosystem = ecosystem
        placed = [(ecosystem.advisory_key(name), name) for name in names]
        # Two sorts: equal places need not be equal objects.
        placed.sort(key=lambda pair: pair[1])
        placed.sort(key=lambda pair: pair[0])
        self.names = tuple(name for _, name in placed)
        """Ascending; an index into them stands for a version."""
        places = [place for place, _ in placed]
        self.own = _Order(self._bound, places, range(len(places)))

    @cached_property
    def semver(self) -> _Order:
        """Those that are complete semantic versions, in the order of those."""
        found = [(strict_version(name), index) for index, name in enumerate(self.names)]
        placed = sorted((place, index) for place, index in found if place is not None)
        return _Order(strict_version, [place for place, _ in placed], [i for _, i in placed])

    @cached_property
    def without_semver(self) -> _Order:
        """The others, in the ecosystem's own order."""
        others = sorted(set(range(len(self.names))) - set(self.semver.indexes))
        return _Order(self._bound, [self.own.places[index] for index in others], others)

    def equal(self, version: str) -> range:
        """The indexes of the versions that are the given one, in any spelling."""
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
    """What an advisory says about a line of versions."""

    affected: set[int] = field(default_factory=set)
    """Indexes of versions that have the vulnerability."""
    noticed: set[int] = field(default_factory=set)
    """Indexes of versions that the advisory warns of."""
    unusable: list[str] = field(default_factory=list)
    """What of the advisory cannot be evaluated for this package, in words; the rest counts."""


class _Unreadable(Exception):
    """A bound is no version."""


def evaluate(advisory: Advisory, name: str, line: VersionLine) -> Evaluation:
    """Evaluate an advisory for the package ``name`` (as its registry spells it).

    Entries of other packages, of other ecosystems and of other repositories of the same ecosystem
    (``Maven:https://...``) say nothing.
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
    """The entries that name a package."""
    wanted = ecosystem.advisory_name(name)
    return (
        entry
        for entry in advisory.affected
        if entry.ecosystem == ecosystem.identity.osv_name
        and ecosystem.advisory_name(entry.name) == wanted
    )


def _contained(item: Range, line: VersionLine) -> Iterator[set[int]]:
    """The versions in a range. Those that are no SemVer follow the ecosystem's order in any case.

    Raises:
        _Unreadable: the range cannot be used, or not for the versions that are still to come.
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
    """OSV's loop over the events in the order of their versions, for all versions at once."""
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
            elif runs:  # fixed in the version that was the last affected one
                runs[-1] = (runs[-1][0], min(runs[-1][1], end))
            start = None
    if start is not None:
        runs.append((start, len(places)))
    most = max(limits, default=len(places))
    return {order.indexes[i] for first, end in runs for i in range(first, min(end, most))}


def _sorted(events: Iterable[Event], place_of: PlaceOf) -> list[tuple[str, Place | None]]:
    """The events in their order, each with its place; ``None`` where there is no bound.

    Raises:
        _Unreadable: a bound is no version.
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
                f"a range cannot be used: {event.version[:_MAX_SHOWN]!r} is no version"
            )
    bounded.sort(key=lambda event: _TIES[event[0]])
    bounded.sort(key=lambda event: event[1])
    return [*unbounded, *bounded]
