"""npm's ranges, read as npm reads them: node-semver in loose mode.

https://github.com/npm/node-semver#range-grammar. In loose mode, an invalid comparator is ignored
if another one of its alternative is valid, ``1.2.3beta`` is ``1.2.3-beta``, and ``v`` or ``=`` may
precede any version.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from ssc_ingest.ecosystems.semver import (
    BUILD,
    EVERYTHING,
    Alternative,
    Interval,
    Partial,
    desugar,
    intersect,
    spell,
    understood,
)
from ssc_ingest.models import ANY_VERSION

MAX_RANGE_LENGTH = 8192
"""Characters; a longer text is not evaluated but means any version. Real ones are below 1,000."""

MAX_NUMBER = (1 << 53) - 1
"""node-semver refuses greater ones (``Number.MAX_SAFE_INTEGER``)."""

# "++" and "(?>" do not backtrack, so that no text takes more than linear time.
_X = r"[0-9]++|[xX*]"
_IDENTIFIER = r"(?>[0-9]*[A-Za-z-][0-9A-Za-z-]*|[0-9]+)"
_PRERELEASE = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*"
_VERSION = rf"[v= ]*({_X})(?:\.({_X})(?:\.({_X})(?:-?({_PRERELEASE}))?)?)?"  # four groups
_COMPARATOR = re.compile(rf"([<>]=?|=|~>?|\^)?{_VERSION}")
_HYPHEN = re.compile(rf"{_VERSION} - {_VERSION}")
_BUILD = re.compile(BUILD)
_SPACE_AFTER_OPERATOR = re.compile(r"([<>]=?|=|~>?|\^) ")
_NUMBER_AFTER_WILDCARD = re.compile(r"(?:[<>]=?)?[v=]*(?:(?:[0-9]+|[xX*])\.)?[xX*]\.[0-9]")


def parse_range(text: str) -> list[Alternative] | None:
    """The alternatives of a range, or ``None`` for any other text (tag, URL, path ...)."""
    if len(text) > MAX_RANGE_LENGTH:
        return None
    try:
        alternatives = [_alternative(part) for part in text.split("||")]
    except OverflowError:
        return None
    return [a for a in alternatives if a is not None] or None


@lru_cache(maxsize=16_384)
def to_constraints(*ranges: str) -> str:
    """The constraint for the graph: the union of the ranges, ``any`` if one is not a range."""
    alternatives: list[Alternative] = []
    for text in ranges:
        parsed = parse_range(text)
        if parsed is None:
            return ANY_VERSION
        alternatives.extend(parsed)
    return spell(alternatives, " ")


def _alternative(text: str) -> Alternative | None:
    """One side of ``||``, or ``None`` if nothing in it is valid."""
    text = _BUILD.sub("", " ".join(text.split()))
    if not text:
        return Alternative(EVERYTHING)
    if match := _HYPHEN.fullmatch(text):
        low, high = _partial(match.groups()[:4]), _partial(match.groups()[4:])
        interval = intersect((desugar(">=", low), desugar("<=", high)))
        return Alternative(interval, understood(text, interval, " "))
    comparators = _SPACE_AFTER_OPERATOR.sub(r"\1", text).split()
    intervals = [interval for c in comparators for interval in _comparator(c)]
    if not intervals:
        return None
    interval = intersect(intervals)
    return Alternative(interval, understood(" ".join(comparators), interval, " "))


def _comparator(text: str) -> list[Interval | None]:
    """The comparator's versions; an empty list for a text that node-semver ignores."""
    match = _COMPARATOR.fullmatch(text)
    if match is None or _NUMBER_AFTER_WILDCARD.match(text):
        return []
    operator = (match[1] or "=").replace("~>", "~")
    return [desugar(operator, _partial(match.groups()[1:]))]


def _partial(parts: Sequence[str | None]) -> Partial:
    return Partial.read(parts[:3], parts[3], largest=MAX_NUMBER)
