"""NuGet's version ranges, written as intervals for the graph's readers.

https://learn.microsoft.com/nuget/concepts/package-versioning#version-ranges. The readers
(``NugetVersionRange`` of univers 31.1.0) know only intervals:

======================  ==========================================================
``1.0``                 ``[1.0.0, )``: a bare version is a minimum
``[1.0,2.0)``           ``[1.0.0, 2.0.0)``, bounds normalised
``[1.0]``, ``[1.0, 1]`` ``[1.0.0]``
``(, )``, ``*``, empty  ``any``
``1.*``, ``1.2.*``      ``[1.0.0, 2.0.0)``, ``[1.2.0, 1.3.0)``: the versions to which it may float
``1.0.0-beta.*``        ``[1.0.0-beta.0, 1.0.0]``: prereleases from there on, and the release
``[1.*, 3.0)``          ``[1.0.0, 3.0.0)``: in an interval, floating is only a preference
``[2.0, 1.0]``, other   ``any``: NuGet refuses these
======================  ==========================================================

A package that is required for several target frameworks is installed in one version, which any of
the ranges may select. Equal ranges stay; different ones become the smallest interval around all.

The readers check a range by Maven's order before they evaluate it by NuGet's. Where the two
disagree (``[1.0.0-preview.2, 1.0.0-rc.1]`` is descending for Maven), the upper bound is omitted.
"""

import re
from dataclasses import replace
from functools import lru_cache

from ssc_ingest.ecosystems.intervals import Bound, Interval, hull
from ssc_ingest.ecosystems.nuget.versions import Version, normalize, parse_version
from ssc_ingest.models import ANY_VERSION

NO_VERSION = "(, 0.0.0-0)"
"""The constraint that no version satisfies: none is lower."""

MAX_RANGE_LENGTH = 1024
"""Maximum characters; a longer text means any version. Real ones are below 100."""

_INTERVAL = re.compile(r"([\[(])([^,\[\]()]*)(,[^,\[\]()]*)?([\])])")
_FLOATING = re.compile(r"((?:[0-9]+\.){0,3})\*(?:-(?:([0-9A-Za-z.-]*)\*)?)?")
_FLOATING_PRERELEASE = re.compile(r"([0-9]+(?:\.[0-9]+){0,3})-([0-9A-Za-z.-]*)\*")


@lru_cache(maxsize=16_384)
def to_constraints(*ranges: str) -> str:
    """The constraint for the graph: the smallest interval around the ranges."""
    intervals = [parse_range(text) for text in dict.fromkeys(ranges)]
    readable = [interval for interval in intervals if interval is not None]
    if len(readable) < len(intervals) or not readable:
        return ANY_VERSION
    return _spell(hull(readable))


def is_said_by(constraints: str, text: str) -> bool:
    """Whether a constraint is equal to a range.

    False if the constraint is wider, or if the range is floating (``*``).
    """
    interval = parse_range(text)
    said = parse_range("" if constraints == ANY_VERSION else constraints)
    return interval is not None and interval == said and "*" not in text


def parse_range(text: str) -> Interval[Version] | None:
    """The versions that a range admits, or ``None`` if it is invalid."""
    text = text.strip()
    if not text:
        return Interval()
    if len(text) > MAX_RANGE_LENGTH:
        return None
    if text[0] not in "[(":
        return _minimum(text)
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return None
    opening, low, high, closing = match.groups()
    if high is None:  # [1.0]; NuGet refuses (1.0) and [1.0)
        exact = _bound(low.strip(), inclusive=True)
        return Interval(exact, exact) if exact and opening + closing == "[]" else None
    return _between(low.strip(), high[1:].strip(), opening == "[", closing == "]")


def _minimum(text: str) -> Interval[Version] | None:
    if "*" in text:
        return _floating(text)
    lower = _bound(text, inclusive=True)
    return Interval(lower) if lower else None


def _between(
    low: str,
    high: str,
    low_inclusive: bool,  # noqa: FBT001 (in the order in which they are written)
    high_inclusive: bool,  # noqa: FBT001
) -> Interval[Version] | None:
    start: Interval[Version] | None = _minimum(low) if low else Interval()
    upper = _bound(high, inclusive=high_inclusive) if high else None
    if start is None or (high and upper is None):
        return None
    lower = start.lower and replace(start.lower, inclusive=low_inclusive)
    if lower and upper and upper.version < lower.version:
        return None
    if lower and upper and lower.version == upper.version and low_inclusive != high_inclusive:
        return None
    return Interval(lower, upper)


def _bound(text: str, *, inclusive: bool) -> Bound[Version] | None:
    name = normalize(text)
    version = parse_version(name)
    return Bound(name, version, inclusive) if version else None


def _floating(text: str) -> Interval[Version] | None:
    """The interval around the versions that ``FloatRange.Satisfies`` of NuGet.Versioning admits."""
    if match := _FLOATING_PRERELEASE.fullmatch(text):
        numbers, prefix = match.groups()
        lower = _bound(f"{numbers}-{_lowest_label(prefix)}", inclusive=True)
        upper = _bound(numbers, inclusive=True)
        return Interval(lower, upper) if lower else None
    match = _FLOATING.fullmatch(text)
    if match is None:
        return None
    numbers = match[1].split(".")[:-1]
    if not numbers:
        return Interval()
    label = "" if match[2] is None else f"-{_lowest_label(match[2])}"
    lower = _bound(".".join([*numbers, *["0"] * (3 - len(numbers))]) + label, inclusive=True)
    following = ".".join([*numbers[:-1], str(int(numbers[-1]) + 1)])
    return Interval(lower, _bound(following, inclusive=False)) if lower else None


def _lowest_label(prefix: str) -> str:
    """The lowest prerelease with a prefix, by NuGet's rules."""
    return f"{prefix}0" if not prefix or prefix.endswith(".") else prefix


def _spell(interval: Interval[Version]) -> str:
    lower, upper = interval.lower, interval.upper
    if interval.is_empty:
        return NO_VERSION
    if lower and interval.is_single:
        return f"[{lower.text}]"
    if lower is None and upper is None:
        return ANY_VERSION
    opening = "[" if lower and lower.inclusive else "("
    closing = "]" if upper and upper.inclusive else ")"
    text = f"{opening}{lower.text if lower else ''}, {upper.text if upper else ''}{closing}"
    return text if not (lower and upper) or _is_understood(text) else f"{opening}{lower.text}, )"


def _is_understood(text: str) -> bool:
    """Whether the readers evaluate both bounds of an interval correctly."""
    from univers.version_range import NugetVersionRange

    try:
        native = NugetVersionRange.from_native(text)  # type: ignore[no-untyped-call]
    except ValueError:
        return False
    return len(native.constraints) == 2  # noqa: PLR2004
