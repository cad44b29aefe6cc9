"""From PEP 440 specifiers to the ``constraints`` that the graph's readers evaluate.

The readers (``PypiVersionRange`` of univers 31.1.0) know ``== != <= >= < >`` alone, and of
those only one lower bound, one upper bound and exclusions between them: two lower bounds are
an error there, ``==`` beside a bound is read as *or*, several ``!=`` without a bound select
nothing. So a specifier set is reduced to an interval, and the interval is what is written:

====================  ==========================================================
``>=1.2,<2``          ``>= 1.2, < 2``
``~=1.4.2``           ``>= 1.4.2, < 1.5``
``==1.19.*``          ``>= 1.19, < 1.20``
``===1.0``            ``== 1.0``
``!=1.2.*``           dropped: a hole cannot be written (``any`` if it was alone)
``!=1.5,!=1.6``       ``>= 0.dev0, != 1.5, != 1.6``
``>=1,>=2,<=3,<4``    ``>= 2, <= 3``
``>=2,<1``            ``< 0.dev0``, which selects nothing, as the original
====================  ==========================================================

Against PEP 440 this differs at the edges of an interval alone: ``< 2`` admits ``2.0rc1``,
``>= 1.2`` from ``==1.2.*`` leaves out ``1.2rc1``, ``> 1`` admits ``1.post1``; and local
versions (``1.0+cpu``, which PyPI does not accept) are compared like others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial, reduce

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ssc_ingest.models import ANY_VERSION

LOWEST = "0.dev0"
"""No version is lower than this one."""

MAX_LENGTH = 4096
"""Characters of a specifier set; a longer text is not evaluated but means any version."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of an interval; ``text`` is the version as its author wrote it."""

    text: str
    version: Version
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """The versions between two bounds, but for some; without bounds, all versions."""

    lower: Bound | None = None
    upper: Bound | None = None
    excluded: tuple[Bound, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no version can be in it."""
        if self.lower is None or self.upper is None or self.lower.version < self.upper.version:
            return False
        if self.lower.version > self.upper.version:
            return True
        point = self.lower.version
        return not (self.lower.inclusive and self.upper.inclusive) or any(
            hole.version == point for hole in self.excluded
        )

    def __contains__(self, version: Version) -> bool:
        lower, upper = self.lower, self.upper
        return (
            (lower is None or version > lower.version or _is_at(lower, version))
            and (upper is None or version < upper.version or _is_at(upper, version))
            and all(version != hole.version for hole in self.excluded)
        )

    def __str__(self) -> str:
        if self.is_empty:
            return f"< {LOWEST}"
        lower, upper = self.lower, self.upper
        if lower and upper and lower.version == upper.version:
            return f"== {lower.text}"
        bounds = Interval(lower, upper)
        excluded = [hole for hole in self.excluded if hole.version in bounds]
        clauses = [f"!= {hole.text}" for hole in sorted(excluded, key=lambda hole: hole.version)]
        if upper:
            clauses.insert(0, f"{'<=' if upper.inclusive else '<'} {upper.text}")
        if lower:
            clauses.insert(0, f"{'>=' if lower.inclusive else '>'} {lower.text}")
        elif not upper and len(excluded) > 1:
            clauses.insert(0, f">= {LOWEST}")
        return ", ".join(clauses) or ANY_VERSION


ALL = Interval()


@lru_cache(maxsize=16_384)
def to_constraints(*texts: str) -> str:
    """The constraint for the graph: the smallest interval around specifier sets given as texts.

    ``any`` if one of them is none.
    """
    try:
        intervals = [interval_of(_specifiers(text)) for text in texts]
    except InvalidSpecifier:
        return ANY_VERSION
    return str(hull(intervals)) if intervals else ANY_VERSION


def _specifiers(text: str) -> SpecifierSet:
    if len(text) > MAX_LENGTH:
        raise InvalidSpecifier(f"{len(text)} characters")
    # Old metadata have them in parentheses.
    return SpecifierSet(text.strip().removeprefix("(").removesuffix(")"))


def interval_of(specifiers: SpecifierSet) -> Interval:
    """The interval that satisfies all specifiers of a requirement."""
    # A set has no order; of equal bounds (1.0, 1.0.0) the text must not depend on the process.
    clauses = [_clause(specifier) for specifier in sorted(specifiers, key=str)]
    return intersection(clauses)


def intersection(intervals: Sequence[Interval]) -> Interval:
    """The versions that are in all of them."""
    return Interval(
        reduce(partial(_tighter, direction=1), (each.lower for each in intervals), None),
        reduce(partial(_tighter, direction=-1), (each.upper for each in intervals), None),
        _unique(hole for each in intervals for hole in each.excluded),
    )


def hull(intervals: Sequence[Interval]) -> Interval:
    """The smallest interval around all of them; gaps between them are filled."""
    intervals = [each for each in intervals if not each.is_empty] or intervals[:1]
    return Interval(
        reduce(partial(_wider, direction=1), (each.lower for each in intervals)),
        reduce(partial(_wider, direction=-1), (each.upper for each in intervals)),
        _unique(
            hole
            for each in intervals
            for hole in each.excluded
            if not any(hole.version in other for other in intervals)
        ),
    )


def _clause(specifier: Specifier) -> Interval:
    operator, text = specifier.operator, specifier.version
    if text.endswith(".*"):
        prefix = text.removesuffix(".*")
        return ALL if operator == "!=" else _series(prefix, Version(prefix).release)
    try:
        version = Version(text)
    except InvalidVersion:
        return ALL  # only "===" may have such text, and the readers could not parse it
    bound = Bound(text, version, inclusive="=" in operator)
    match operator:
        case "~=":
            interval = _series(text, version.release[:-1])
        case "!=":
            interval = Interval(excluded=(bound,))
        case "<" | "<=":
            interval = Interval(upper=bound)
        case ">" | ">=":
            interval = Interval(lower=bound)
        case _:  # "==", "==="
            interval = Interval(bound, bound)
    return interval


def _series(text: str, prefix: tuple[int, ...]) -> Interval:
    """From a version up to where the last number of a prefix goes up: 1.19 -> below 1.20."""
    lower = Bound(text, Version(text), inclusive=True)
    epoch = f"{lower.version.epoch}!" if lower.version.epoch else ""
    upper = epoch + ".".join(map(str, (*prefix[:-1], prefix[-1] + 1)))
    return Interval(lower, Bound(upper, Version(upper), inclusive=False))


def _is_at(bound: Bound, version: Version) -> bool:
    return bound.inclusive and version == bound.version


def _tighter(one: Bound | None, other: Bound | None, *, direction: int) -> Bound | None:
    """The bound that leaves fewer versions; ``direction`` is 1 for lower bounds, -1 for upper."""
    if one is None or other is None:
        return one or other
    if one.version == other.version:
        return other if one.inclusive else one
    return one if (one.version > other.version) == (direction > 0) else other


def _wider(one: Bound | None, other: Bound | None, *, direction: int) -> Bound | None:
    if one is None or other is None:
        return None
    if one.version == other.version:
        return one if one.inclusive else other
    return other if (one.version > other.version) == (direction > 0) else one


def _unique(holes: Iterable[Bound]) -> tuple[Bound, ...]:
    unique: dict[Version, Bound] = {}
    for hole in holes:
        unique.setdefault(hole.version, hole)
    return tuple(unique.values())
