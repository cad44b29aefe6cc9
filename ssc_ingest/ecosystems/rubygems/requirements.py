"""Gems' version requirements, read as ``Gem::Requirement`` does, for the graph's readers.

https://guides.rubygems.org/patterns/#declaring-dependencies,
https://docs.ruby-lang.org/en/master/Gem/Requirement.html. The readers (``GemVersionRange`` of
univers 31.1.0) support the same notation, but only one lower bound, one upper bound and exclusions
between them. They ignore the prerelease of a ``~>``. So requirements are reduced to an interval:

==========================  ==========================================================
``~> 1.2``                  unchanged
``< 3&>= 1.8``              ``>= 1.8, < 3``
``!= 1.3.0&~> 1.1``         ``~> 1.1, != 1.3.0``
``>= 1.0&~> 1.2``           ``>= 1.2, < 2``
``~> 1.2.0.rc1``            ``>= 1.2.0.rc1, < 1.3``
``>= 0``                    ``any``
``!= 1.5&!= 1.6``           ``>= 0.A, != 1.5, != 1.6``
``> 2&< 1``                 ``< 0.A``, which selects nothing, like the original
==========================  ==========================================================

An invalid requirement means any version. This differs from RubyGems only in prereleases:
``~> 1.2`` admits ``2.0.a`` here, since the readers accept every version below 2; and ``>= 0``
admits prereleases of version 0, which RubyGems admits only if no other version exists.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from ssc_ingest.ecosystems.intervals import Bound, Interval, hull, intersection
from ssc_ingest.ecosystems.rubygems.versions import GemVersion, parse_version, successor
from ssc_ingest.models import ANY_VERSION

LOWEST = "0.A"
"""No version of a real gem is lower than this one."""

MAX_REQUIREMENT_LENGTH = 4096
"""Maximum characters; a longer text means any version."""

_LOWEST = GemVersion(("A",))
_ZERO = GemVersion(())
_CLAUSE = re.compile(r"(=|!=|>=?|<=?|~>)?\s*([0-9A-Za-z.-]+)")


class Range(NamedTuple):
    """The versions that a requirement admits; ``pessimistic``: one ``~>`` expresses them."""

    interval: Interval[GemVersion]
    pessimistic: str | None = None


@lru_cache(maxsize=16_384)
def to_constraints(*requirements: str) -> str:
    """The constraint for the graph: the smallest interval around the requirements.

    A version whose builds for different platforms differ has several requirements.
    """
    ranges = [parse_requirement(text) for text in dict.fromkeys(requirements)]
    readable = [each for each in ranges if each is not None]
    if len(readable) < len(ranges):
        return ANY_VERSION
    if len(readable) == 1:
        return _spell(readable[0])
    return _spell(Range(hull([each.interval for each in readable])))


def spelled(text: str) -> str:
    """A requirement of the index as gemspecs write it: ``< 3&>= 1.8`` -> ``< 3, >= 1.8``."""
    return ", ".join(clause.strip() for clause in text.split("&"))


def is_said_by(constraints: str, text: str) -> bool:
    """Whether a constraint fully expresses a requirement.

    It does not if it is wider. It also does not if only the requirement has a ``~>``, which
    excludes prereleases of its upper bound.
    """
    own = parse_requirement(text)
    said = Range(Interval())
    if constraints != ANY_VERSION:
        said = parse_requirement(constraints.replace(", ", "&")) or said
    return (
        own is not None
        and (own.interval.lower, own.interval.upper) == (said.interval.lower, said.interval.upper)
        and own.interval.holes == said.interval.holes
        and ("~>" in text) == ("~>" in constraints)
    )


def parse_requirement(text: str) -> Range | None:
    """The versions that satisfy all clauses, joined by ``&``; ``None`` for other text."""
    if len(text) > MAX_REQUIREMENT_LENGTH:
        return None
    intervals = []
    pessimistic: set[str] = set()
    others = False
    for clause in text.split("&"):
        match = _CLAUSE.fullmatch(clause.strip())
        version = match and parse_version(match[2])
        if not match or version is None or not match[2][0].isdigit():
            return None
        operator = match[1] or "="
        intervals.append(_interval(operator, match[2], version))
        if operator == "~>" and not version.is_prerelease:
            pessimistic.add(match[2])
        elif operator != "!=" and intervals[-1] != Interval():
            others = True
    alone = len(pessimistic) == 1 and not others
    return Range(intersection(intervals), pessimistic.pop() if alone else None)


def _interval(operator: str, text: str, version: GemVersion) -> Interval[GemVersion]:
    bound = Bound(text, version, inclusive="=" in operator)
    match operator:
        case "~>":
            end = successor(text)
            upper = Bound(end, parse_version(end) or _ZERO, inclusive=False)
            lower = None if version == _ZERO else Bound(text, version, inclusive=True)
            return Interval(lower, upper)
        case "!=":
            return Interval(excluded=(bound,))
        case "<" | "<=":
            return Interval(upper=bound)
        case ">=" if version == _ZERO:
            return Interval()
        case ">" | ">=":
            return Interval(lower=bound)
        case _:
            return Interval(bound, bound)


def _spell(range_: Range) -> str:
    interval = range_.interval
    lower, upper, holes = interval.lower, interval.upper, interval.holes
    if lower is None and upper is None:
        holes = tuple(hole for hole in holes if not hole.version < _LOWEST)
    if interval.is_empty:
        return f"< {LOWEST}"
    if lower and interval.is_single:
        return f"= {lower.text}"
    clauses = [f"!= {hole.text}" for hole in holes]
    if range_.pessimistic:
        return ", ".join((f"~> {range_.pessimistic}", *clauses))
    if upper:
        clauses.insert(0, f"{'<=' if upper.inclusive else '<'} {upper.text}")
    if lower:
        clauses.insert(0, f"{'>=' if lower.inclusive else '>'} {lower.text}")
    elif not upper and len(holes) > 1:
        clauses.insert(0, f">= {LOWEST}")
    return ", ".join(clauses) or ANY_VERSION
