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
    Partial,
    desugar,
    equivalent,
    intersect,
    named,
    spell,
    understood,
)
from ssc_ingest.models import ANY_VERSION

MAX_RANGE_LENGTH = 8192
"""Maximum characters; a longer text means any version. Real ones are below 1,000."""

MAX_NUMBER = (1 << 53) - 1
"""node-semver rejects greater numbers (``Number.MAX_SAFE_INTEGER``)."""

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


@lru_cache(maxsize=16_384)
def says_all(constraints: str, text: str) -> bool:
    """Whether a constraint of the graph selects the same versions for npm as that range."""
    if constraints == text:
        return True
    original = parse_range(text)
    written = parse_range("" if constraints == ANY_VERSION else constraints)
    return original is not None and written is not None and equivalent(original, written)


def _alternative(text: str) -> Alternative | None:
    """One side of ``||``, or ``None`` if nothing in it is valid."""
    text = _BUILD.sub("", " ".join(text.split()))
    if not text:
        return Alternative(EVERYTHING)
    if match := _HYPHEN.fullmatch(text):
        low, high = _partial(match.groups()[:4]), _partial(match.groups()[4:])
        interval = intersect((desugar(">=", low), desugar("<=", high)))
        return Alternative(interval, understood(text, interval, " "), named((low, high)))
    texts = _SPACE_AFTER_OPERATOR.sub(r"\1", text).split()
    comparators = [found for each in texts if (found := _comparator(each))]
    if not comparators:
        return None
    interval = intersect(desugar(operator, version) for operator, version in comparators)
    spelled = understood(" ".join(texts), interval, " ")
    return Alternative(interval, spelled, named(version for _, version in comparators))


def _comparator(text: str) -> tuple[str, Partial] | None:
    """The comparator's operator and version; ``None`` for a text that node-semver ignores."""
    match = _COMPARATOR.fullmatch(text)
    if match is None or _NUMBER_AFTER_WILDCARD.match(text):
        return None
    return (match[1] or "=").replace("~>", "~"), _partial(match.groups()[1:])


def _partial(parts: Sequence[str | None]) -> Partial:
    return Partial.read(parts[:3], parts[3], largest=MAX_NUMBER)
