"""Intervals of versions, for registries whose ranges are intervals.

The registry defines and spells its versions; this module only compares them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Generic, Protocol, TypeVar


class Ordered(Protocol):
    """A position in a total order; equal positions may have different spellings."""

    def __lt__(self, other: Any, /) -> bool:
        """Whether this comes first."""


V = TypeVar("V", bound=Ordered)

# Without slots: with them, Python 3.11 cannot create an Interval[int](...) of a frozen class.


@dataclass(frozen=True)
class Bound(Generic[V]):
    """One end of an interval, or a hole in it; ``text`` is the spelling of the version."""

    text: str
    version: V
    inclusive: bool


@dataclass(frozen=True)
class Interval(Generic[V]):
    """The versions between two bounds, except for some; without bounds, all versions."""

    lower: Bound[V] | None = None
    upper: Bound[V] | None = None
    excluded: tuple[Bound[V], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the interval contains no version."""
        if self.lower is None or self.upper is None or self.lower.version < self.upper.version:
            return False
        return self.upper.version < self.lower.version or self.lower.version not in self

    @property
    def is_single(self) -> bool:
        """Whether it contains exactly one version."""
        if self.lower is None or self.upper is None or self.is_empty:
            return False
        return self.lower.version == self.upper.version

    @property
    def holes(self) -> tuple[Bound[V], ...]:
        """The excluded versions that lie between the bounds, ascending."""
        between = Interval(self.lower, self.upper)
        holes = [hole for hole in _unique(self.excluded) if hole.version in between]
        return tuple(sorted(holes, key=lambda hole: hole.version))

    def __contains__(self, version: V) -> bool:
        lower, upper = self.lower, self.upper
        return (
            (lower is None or lower.version < version or _is_at(lower, version))
            and (upper is None or version < upper.version or _is_at(upper, version))
            and all(version != hole.version for hole in self.excluded)
        )


def intersection(intervals: Sequence[Interval[V]]) -> Interval[V]:
    """The intersection of all intervals."""
    lowers = (each.lower for each in intervals)
    uppers = (each.upper for each in intervals)
    return Interval(
        reduce(partial(_tighter, upwards=True), lowers, None),
        reduce(partial(_tighter, upwards=False), uppers, None),
        _unique(hole for each in intervals for hole in each.excluded),
    )


def hull(intervals: Sequence[Interval[V]]) -> Interval[V]:
    """The smallest interval around all of them; gaps between them are filled."""
    intervals = [each for each in intervals if not each.is_empty] or intervals[:1]
    return Interval(
        reduce(partial(_wider, upwards=True), (each.lower for each in intervals)),
        reduce(partial(_wider, upwards=False), (each.upper for each in intervals)),
        _unique(
            hole
            for each in intervals
            for hole in each.excluded
            if not any(hole.version in other for other in intervals)
        ),
    )


def _is_at(bound: Bound[V], version: V) -> bool:
    return bound.inclusive and version == bound.version


def _tighter(one: Bound[V] | None, other: Bound[V] | None, *, upwards: bool) -> Bound[V] | None:
    """The bound that leaves fewer versions; lower bounds exclude ``upwards``."""
    if one is None or other is None:
        return one or other
    if one.version == other.version:
        return other if one.inclusive else one
    return one if (other.version < one.version) == upwards else other


def _wider(one: Bound[V] | None, other: Bound[V] | None, *, upwards: bool) -> Bound[V] | None:
    if one is None or other is None:
        return None
    if one.version == other.version:
        return one if one.inclusive else other
    return other if (other.version < one.version) == upwards else one


def _unique(holes: Iterable[Bound[V]]) -> tuple[Bound[V], ...]:
    unique: dict[V, Bound[V]] = {}
    for hole in holes:
        unique.setdefault(hole.version, hole)
    return tuple(unique.values())
