"""Maven's version requirements, parsed like Maven and written for the graph's readers.

A bare version is Maven's "soft requirement": an installation selects it unless a declaration nearer
to the root names another one. It becomes the set of that one version, ``[1.2]``. Brackets are sets
of intervals (https://maven.apache.org/pom.html#Dependency_Version_Requirement_Specification); they
are written in ascending order without overlap, the only form that univers' ``MavenVersionRange``
evaluates.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from ssc_ingest.ecosystems.maven.identity import is_version
from ssc_ingest.ecosystems.maven.versions import Key, sort_key
from ssc_ingest.models import ANY_VERSION

MAX_RANGE_LENGTH = 4096
"""Maximum characters; a longer text means any version."""

NEWEST = frozenset({"LATEST", "RELEASE"})
"""Words for the newest version at the time when Maven runs."""

_SET = re.compile(r"([\[(])([^\[\]()]*)([\])])")


class _Cut(NamedTuple):
    """A position between versions: directly before or directly after a version."""

    version: Key
    after: bool


class _Interval(NamedTuple):
    """All versions between two cuts (``None``: no bound), with a spelling of each bound."""

    lower: _Cut | None
    upper: _Cut | None
    lower_text: str
    upper_text: str

    def admits(self, version: Key) -> bool:
        """Whether a version is between the cuts."""
        place = _Cut(version, after=False)
        return (not self.lower or self.lower <= place) and (not self.upper or place < self.upper)

    def __str__(self) -> str:
        opening = "[" if self.lower and not self.lower.after else "("
        closing = "]" if self.upper and self.upper.after else ")"
        # The readers accept a "v" before a version, but not in a range.
        lower, upper = (text.lstrip("vV") for text in (self.lower_text, self.upper_text))
        if self.lower and self.upper and self.lower.version == self.upper.version:
            return f"[{lower}]"
        return f"{opening}{lower},{upper}{closing}"


def parse_range(text: str) -> list[_Interval] | None:
    """The versions that a requirement admits, or ``None`` if Maven would reject it."""
    text = text.strip()
    if len(text) > MAX_RANGE_LENGTH or text in NEWEST:
        return None
    if is_version(text):
        interval = _interval("[", text, text, "]")
        return [interval] if interval else None
    intervals = []
    position = 0
    while position < len(text):
        match = _SET.match(text, position)
        interval = _read_set(*match.groups()) if match else None
        if match is None or interval is None:
            return None
        intervals.append(interval)
        position = match.end()
        if rest := re.match(r"\s*,\s*|\s+", text[position:]):
            position += rest.end()
    return intervals or None


def is_range(text: str) -> bool:
    """Whether the text is a set of versions, in brackets."""
    return text.startswith(("[", "("))


def highest_admitted(text: str, versions: Sequence[str]) -> str | None:
    """The highest of these versions in a range; ``None`` if there is none.

    Also ``None`` for a range without an upper bound, which never names a parent in Maven.
    """
    intervals = parse_range(text)
    if not intervals or intervals[-1].upper is None:
        return None
    admitted = [
        (key, version)
        for version in versions
        if (key := sort_key(version)) and any(i.admits(key) for i in intervals)
    ]
    return max(admitted, default=(None, None))[1]


def _read_set(opening: str, inside: str, closing: str) -> _Interval | None:
    lower, comma, upper = (part.strip() for part in inside.partition(","))
    if not comma:
        exact = opening == "[" and closing == "]" and lower
        return _interval(opening, lower, lower, closing) if exact else None
    if "," in upper:
        return None
    return _interval(opening, lower, upper, closing)


def _interval(opening: str, lower: str, upper: str, closing: str) -> _Interval | None:
    """``None`` if a bound is not a version, or the interval is empty."""
    low = high = None
    if lower:
        key = sort_key(lower) if is_version(lower) else None
        if key is None:
            return None
        low = _Cut(key, after=opening == "(")
    if upper:
        key = sort_key(upper) if is_version(upper) else None
        if key is None:
            return None
        high = _Cut(key, after=closing == "]")
    if low and high and low >= high:
        return None
    return _Interval(low, high, lower, upper)


def _unite(intervals: Iterable[_Interval]) -> list[_Interval]:
    """The same versions as few disjoint intervals, ascending."""
    united: list[_Interval] = []
    for interval in sorted(intervals, key=lambda i: (i.lower is not None, i.lower or ())):
        last = united[-1] if united else None
        apart = last and last.upper and interval.lower and interval.lower > last.upper
        if last is None or apart:
            united.append(interval)
        elif last.upper and (interval.upper is None or interval.upper > last.upper):
            united[-1] = last._replace(upper=interval.upper, upper_text=interval.upper_text)
    return united


@lru_cache(maxsize=16_384)
def to_constraints(*requirements: str | None) -> str:
    """The constraint for the graph: the union of the requirements, ``any`` if one has no bound.

    A package that is declared several times (with different classifiers) has several requirements.
    ``None`` and texts that Maven rejects (an unresolved property) mean any version.
    """
    intervals: list[_Interval] = []
    for text in requirements:
        admitted = parse_range(text) if text else None
        if admitted is None:
            return ANY_VERSION
        intervals += admitted
    united = _unite(intervals)
    if not united or any(i.lower is None and i.upper is None for i in united):
        return ANY_VERSION
    return ",".join(map(str, united))
