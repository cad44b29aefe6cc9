"""Cargo's version requirements, read as Cargo reads them.

https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html. A bare version is a caret
requirement; several comparators are separated by commas and must all hold. As in older versions of
Cargo, spaces may replace commas.
"""

import re
from functools import lru_cache

from ssc_ingest.ecosystems.semver import (
    BUILD,
    NUMBER,
    PRERELEASE,
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

MAX_RANGE_LENGTH = 4096
"""Maximum characters; a longer text means any version. Cargo accepts 32 comparators."""

MAX_NUMBER = (1 << 64) - 1
"""Cargo's numbers have 64 bits."""

_CONJUNCTION = ", "
_COMPARATOR = re.compile(
    rf"(?P<operator>[<>]=?|=|~|\^)?"
    rf"(?:[*xX]|(?P<major>{NUMBER})"
    rf"(?:\.(?:[*xX](?:\.[*xX])?|(?P<minor>{NUMBER})"
    rf"(?:\.(?:[*xX]|(?P<patch>{NUMBER})(?:-(?P<prerelease>{PRERELEASE}))?(?:{BUILD})?))?))?)"
)
_SPACE_AFTER_OPERATOR = re.compile(r"([<>]=?|=|~|\^)\s+")
_BUILD = re.compile(BUILD)


def parse_range(text: str) -> Alternative | None:
    """The versions that a requirement admits, or ``None`` if it is invalid."""
    if len(text) > MAX_RANGE_LENGTH:
        return None
    comparators = _SPACE_AFTER_OPERATOR.sub(r"\1", text.replace(",", " ")).split()
    intervals, texts, versions = [], [], []
    for comparator in comparators:
        match = _COMPARATOR.fullmatch(comparator)
        if match is None:
            return None
        numbers = match.group("major", "minor", "patch")
        try:
            version = Partial.read(numbers, match["prerelease"], largest=MAX_NUMBER)
        except OverflowError:
            return None
        wildcard = version.patch is None and match[0][-1] in "*xX"
        operator = match["operator"] or ("=" if wildcard else "^")
        intervals.append(desugar(operator, version))
        versions.append(version)
        texts.append(_BUILD.sub("", match[0] if match["operator"] else operator + match[0]))
    if not intervals:
        return None
    interval = intersect(intervals)
    return Alternative(
        interval, understood(" ".join(texts), interval, _CONJUNCTION), named(versions)
    )


@lru_cache(maxsize=16_384)
def to_constraints(*ranges: str) -> str:
    """The constraint for the graph: the union of the ranges, ``any`` if one is not a range.

    A crate that is declared several times, for example for different targets, has several ranges,
    and each may select another version.
    """
    alternatives = [parse_range(text) for text in ranges]
    if any(alternative is None for alternative in alternatives):
        return ANY_VERSION
    return spell((a for a in alternatives if a is not None), _CONJUNCTION)


@lru_cache(maxsize=16_384)
def says_all(constraints: str, text: str) -> bool:
    """Whether a constraint of the graph selects the same versions for Cargo as that range."""
    if constraints == text:
        return True
    original = parse_range(text)
    written = parse_range("*" if constraints == ANY_VERSION else constraints)
    return original is not None and written is not None and equivalent((original,), (written,))
