"""Converts PEP 440 specifiers to the ``constraints`` for the graph's readers.

The readers (``PypiVersionRange`` of univers 31.1.0) support only ``== != <= >= < >``, with one
lower bound, one upper bound and exclusions between them. Two lower bounds are an error there,
``==`` beside a bound means *or*, and several ``!=`` without a bound select nothing. So a specifier
set is reduced to an interval, and the interval is written:

====================  ==========================================================
``>=1.2,<2``          ``>= 1.2, < 2``
``~=1.4.2``           ``>= 1.4.2, < 1.5``
``==1.19.*``          ``>= 1.19, < 1.20``
``===1.0``            ``== 1.0``
``!=1.2.*``           dropped: a hole cannot be written (``any`` if it was alone)
``!=1.5,!=1.6``       ``>= 0.dev0, != 1.5, != 1.6``
``>=1,>=2,<=3,<4``    ``>= 2, <= 3``
``>=2,<1``            ``< 0.dev0``, which selects nothing, like the original
====================  ==========================================================

This differs from PEP 440 only at the edges of an interval: ``< 2`` admits ``2.0rc1``,
``>= 1.2`` from ``==1.2.*`` leaves out ``1.2rc1``, ``> 1`` admits ``1.post1``; and local
versions (``1.0+cpu``, which PyPI does not accept) are compared like others.
"""

from functools import lru_cache
from typing import TypeAlias

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ssc_ingest.ecosystems.intervals import Bound, Interval, hull, intersection
from ssc_ingest.models import ANY_VERSION

LOWEST = "0.dev0"
"""No version is lower than this one."""

MAX_LENGTH = 4096
"""Maximum characters of a specifier set; a longer text means any version."""


SpecifierInterval: TypeAlias = Interval[Version]

ALL: SpecifierInterval = Interval()


@lru_cache(maxsize=16_384)
def to_constraints(*texts: str) -> str:
    """The constraint for the graph: the smallest interval around specifier sets given as texts.

    ``any`` if one of them is not a specifier set.
    """
    try:
        intervals = [interval_of(_specifiers(text)) for text in texts]
    except InvalidSpecifier:
        return ANY_VERSION
    return spell(hull(intervals)) if intervals else ANY_VERSION


def _specifiers(text: str) -> SpecifierSet:
    if len(text) > MAX_LENGTH:
        raise InvalidSpecifier(f"{len(text)} characters")
    # Old metadata has parentheses around them.
    return SpecifierSet(text.strip().removeprefix("(").removesuffix(")"))


def interval_of(specifiers: SpecifierSet) -> SpecifierInterval:
    """The interval that satisfies all specifiers of a requirement."""
    # Sorted, since a set has no order: the spelling of equal bounds (1.0, 1.0.0) must be stable.
    clauses = [_clause(specifier) for specifier in sorted(specifiers, key=str)]
    return intersection(clauses)


def _clause(specifier: Specifier) -> SpecifierInterval:
    operator, text = specifier.operator, specifier.version
    if text.endswith(".*"):
        prefix = text.removesuffix(".*")
        return ALL if operator == "!=" else _series(prefix, Version(prefix).release)
    try:
        version = Version(text)
    except InvalidVersion:
        return ALL  # only "===" may have such a text, and the readers could not parse it
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


def _series(text: str, prefix: tuple[int, ...]) -> SpecifierInterval:
    """From a version up to the next value of its prefix's last number: 1.19 -> below 1.20."""
    lower = Bound(text, Version(text), inclusive=True)
    epoch = f"{lower.version.epoch}!" if lower.version.epoch else ""
    upper = epoch + ".".join(map(str, (*prefix[:-1], prefix[-1] + 1)))
    return Interval(lower, Bound(upper, Version(upper), inclusive=False))


def spell(interval: SpecifierInterval) -> str:
    """The interval in the notation of the graph's readers."""
    if interval.is_empty:
        return f"< {LOWEST}"
    lower, upper, holes = interval.lower, interval.upper, interval.holes
    if lower and interval.is_single:
        return f"== {lower.text}"
    clauses = [f"!= {hole.text}" for hole in holes]
    if upper:
        clauses.insert(0, f"{'<=' if upper.inclusive else '<'} {upper.text}")
    if lower:
        clauses.insert(0, f"{'>=' if lower.inclusive else '>'} {lower.text}")
    elif not upper and len(holes) > 1:
        clauses.insert(0, f">= {LOWEST}")
    return ", ".join(clauses) or ANY_VERSION
