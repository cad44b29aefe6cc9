"""Semantic versions and ranges, as npm and crates.io write them and as the graph stores them.

Versions are ordered as the graph's readers order them: with ``SemverVersion`` of univers, which
is Semantic Versioning 2.0.0 (https://semver.org/#spec-item-11) on complete versions and lenient
on others (``1.2`` is ``1.2.0``, ``v1.0.0`` is ``1.0.0``, ``1.0.0.1`` ties with ``1.0.0``).

A range is parsed to intervals of that order and written as a constraint that the readers'
``NpmVersionRange`` evaluates to the same versions. That class sorts the bounds of all alternatives
together, so alternatives must not overlap, and it supports partial versions only in some positions.
A maintainer's spelling that it evaluates correctly is kept.

Two differences from the package managers are accepted. They accept a prerelease only if the
range names one of the same ``major.minor.patch``; the readers accept every prerelease between the
bounds. And a version that differs from a bound of an interval only in its build metadata
(``1.2.0+1`` in ``^1.2.0``) lies outside for the readers.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ssc_ingest.models import ANY_VERSION

NO_VERSION = "<0.0.0-0"
"""The constraint that no version satisfies, as node-semver spells it."""

_RELEASE: tuple[tuple[int, int | str], ...] = ((2, ""),)


class SemVer(NamedTuple):
    """A version without its build metadata, which does not affect the order.

    Identifiers of a prerelease are ranked: numbers (0) before texts (1) before none at all (2).
    """

    major: int
    minor: int
    patch: int
    prerelease: tuple[tuple[int, int | str], ...] = _RELEASE

    @property
    def is_prerelease(self) -> bool:
        """Whether it has a prerelease part."""
        return self.prerelease != _RELEASE

    @property
    def release(self) -> "SemVer":
        """The version without its prerelease part."""
        return SemVer(self.major, self.minor, self.patch)

    def __str__(self) -> str:
        numbers = f"{self.major}.{self.minor}.{self.patch}"
        if not self.is_prerelease:
            return numbers
        return f"{numbers}-{'.'.join(str(value) for _, value in self.prerelease)}"


def _identifiers(parts: Iterable[str]) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)


NUMBER = r"(?:0|[1-9][0-9]*)"
IDENTIFIER = rf"(?:{NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
PRERELEASE = rf"{IDENTIFIER}(?:\.{IDENTIFIER})*"
BUILD = r"\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"

_COMPLETE = re.compile(rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({PRERELEASE}))?(?:{BUILD})?")


def parse_version(text: str) -> SemVer | None:
    """The version's position in the order of univers' ``SemverVersion``, or ``None``.

    Complete versions are parsed here, several times faster than by that class.
    """
    try:
        if match := _COMPLETE.fullmatch(text):
            major, minor, patch, prerelease = match.groups()
            identifiers = _identifiers(prerelease.split(".")) if prerelease else _RELEASE
            return SemVer(int(major), int(minor), int(patch), identifiers)
        from univers.versions import SemverVersion

        value = SemverVersion(text).value
    except ValueError:  # InvalidVersion, or a number of more than 4300 digits
        return None
    identifiers = _identifiers(value.prerelease) if value.prerelease else _RELEASE
    return SemVer(value.major, value.minor, value.patch, identifiers)


_OWN = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+)(?:\.([0-9]+)(?:\.[0-9]+)*)?)?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.+-]*)?"
)


@lru_cache(maxsize=32_768)
def own_order(text: str) -> SemVer | None:
    """The version's position in Semantic Versioning's order, or ``None`` for other texts.

    Lenient as the tools are that read advisories: a leading ``v``, missing numbers (0), leading
    zeros and further numbers (which do not count) are accepted. Unlike univers, it does not find
    versions in texts such as ``1.2, 1.3``.
    """
    match = _OWN.fullmatch(text)
    if match is None:
        return None
    try:
        major, minor, patch = (int(number or 0) for number in match.group(1, 2, 3))
        prerelease = _identifiers(match[4].split(".")) if match[4] else _RELEASE
    except ValueError:  # a number with more digits than Python converts
        return None
    return SemVer(major, minor, patch, prerelease)


def strict_version(text: str) -> SemVer | None:
    """The position of a complete semantic version (https://semver.org), or ``None``."""
    return own_order(text) if _COMPLETE.fullmatch(text) else None


class Cut(NamedTuple):
    """A position between versions: directly before or directly after a version."""

    version: SemVer
    after: bool


class Interval(NamedTuple):
    """All versions between two cuts; never empty."""

    lower: Cut
    upper: Cut


ZERO = Cut(SemVer(0, 0, 0), after=False)
BOTTOM = Cut(SemVer(0, 0, 0, ((0, 0),)), after=False)
TOP = Cut(SemVer(1 << 64, 0, 0), after=True)  # crates.io's numbers have 64 bits, npm's 53
EVERYTHING = Interval(BOTTOM, TOP)


MAX_PART_LENGTH = 256
"""Characters of a number or prerelease in a range; node-semver's limit on a whole version."""


class Partial(NamedTuple):
    """A version in a range; its last numbers may be missing or wildcards (``None``)."""

    major: int | None
    minor: int | None
    patch: int | None
    prerelease: str | None = None

    @classmethod
    def read(
        cls, numbers: Iterable[str | None], prerelease: str | None, *, largest: int
    ) -> "Partial":
        """Create from the texts of its parts; numbers after a wildcard are wildcards, too.

        Raises:
            OverflowError: a number is greater than ``largest``, or a part is too long.
        """
        if prerelease and len(prerelease) > MAX_PART_LENGTH:
            raise OverflowError(f"a prerelease of {len(prerelease)} characters")
        read: list[int | None] = []
        for text in numbers:
            if text is None or not text.isdecimal() or None in read:
                read.append(None)
            elif len(text) > MAX_PART_LENGTH or int(text) > largest:
                raise OverflowError(f"{text[:MAX_PART_LENGTH]} is greater than {largest}")
            else:
                read.append(int(text))
        major, minor, patch = read
        return cls(major, minor, patch, prerelease)

    @property
    def lowest(self) -> SemVer:
        """The version itself, with 0 for missing numbers."""
        numbers = (self.major or 0, self.minor or 0, self.patch or 0)
        if self.patch is None or not self.prerelease:
            return SemVer(*numbers)
        return SemVer(*numbers, _identifiers(self.prerelease.split(".")))

    @property
    def following(self) -> SemVer:
        """The first version after all of the same minor, or major, number: ``1.2`` -> ``1.3.0``."""
        major = self.major or 0
        return SemVer(major + 1, 0, 0) if self.minor is None else SemVer(major, self.minor + 1, 0)

    @property
    def incompatible(self) -> SemVer:
        """The first version that a caret excludes: the leftmost number that is not 0 goes up."""
        if self.major or self.minor is None:
            return SemVer((self.major or 0) + 1, 0, 0)
        if self.minor or self.patch is None:
            return SemVer(0, self.minor + 1, 0)
        return SemVer(0, 0, self.patch + 1)


def desugar(operator: str, version: Partial) -> Interval | None:
    """The versions that one comparator admits; ``None`` if it admits none.

    Operators are those that npm and Cargo share: ``=``, ``>``, ``>=``, ``<``, ``<=``, ``~``
    and ``^``. https://github.com/npm/node-semver#ranges,
    https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html
    """
    if version.major is None:
        return None if operator in {"<", ">"} else EVERYTHING
    first = Cut(version.lowest, after=False)
    following = Cut(version.following, after=False)
    last = following if version.patch is None else Cut(version.lowest, after=True)
    bounds = {
        "=": (first, last),
        ">": (last, TOP),
        ">=": (first, TOP),
        "<": (BOTTOM, first),
        "<=": (BOTTOM, last),
        "~": (first, following),
        "^": (first, Cut(version.incompatible, after=False)),
    }
    lower, upper = bounds[operator]
    return Interval(lower, upper) if lower < upper else None


def intersect(intervals: Iterable[Interval | None]) -> Interval | None:
    """The versions that lie in all intervals; ``None`` if there are none."""
    lower, upper = EVERYTHING
    for interval in intervals:
        if interval is None:
            return None
        lower, upper = max(lower, interval.lower), min(upper, interval.upper)
    return Interval(lower, upper) if lower < upper else None


def unite(intervals: Iterable[Interval]) -> list[Interval]:
    """The same versions as few disjoint intervals, ascending."""
    united: list[Interval] = []
    for interval in sorted(intervals):
        if united and interval.lower <= united[-1].upper:
            previous = united.pop()
            united.append(Interval(previous.lower, max(previous.upper, interval.upper)))
        else:
            united.append(interval)
    return united


class Alternative(NamedTuple):
    """One of the sets that a range joins with "or".

    ``interval`` is ``None`` if the set is empty; ``text`` is a spelling of it that the graph's
    readers understand, or ``None`` if the interval has to be spelled out. ``named`` are the
    releases for which a bound names a prerelease: the package managers accept prereleases of these
    releases only.
    """

    interval: Interval | None
    text: str | None = None
    named: frozenset[SemVer] = frozenset()


def named(versions: Iterable[Partial]) -> frozenset[SemVer]:
    """The releases for which a bound names a prerelease."""
    return frozenset(v.lowest.release for v in versions if v.lowest.is_prerelease)


def equivalent(some: Iterable[Alternative], others: Iterable[Alternative]) -> bool:
    """Whether package managers take the same versions for two ranges; ``False`` also in doubt."""
    a, b = ([each for each in side if each.interval is not None] for side in (some, others))
    if {(each.interval, each.named) for each in a} == {(each.interval, each.named) for each in b}:
        return True
    if any(each.named for each in (*a, *b)):
        return False
    return unite(each.interval for each in a if each.interval) == unite(
        each.interval for each in b if each.interval
    )


_COMPLETE_BOUND = rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-{PRERELEASE})?"
_PARTIAL_BOUND = rf"{NUMBER}(?:\.{NUMBER}(?:\.{NUMBER})?)?"
_LOWER = rf"(?:>=?{_COMPLETE_BOUND}|>={_PARTIAL_BOUND})"
_UPPER = rf"(?:<=?{_COMPLETE_BOUND}|<{_PARTIAL_BOUND})"
_UNDERSTOOD = re.compile(
    rf"\^(?:{_COMPLETE_BOUND}|(?!0\.0){NUMBER}\.{NUMBER}|[1-9][0-9]*)"
    rf"|~{_PARTIAL_BOUND}|{NUMBER}(?:\.{NUMBER})?\.x|={_COMPLETE_BOUND}"
    rf"|{_LOWER}|{_UPPER}|{_LOWER} {_UPPER}|{_UPPER} {_LOWER}"
    rf"|{_PARTIAL_BOUND} - {_PARTIAL_BOUND}"
)


def understood(text: str, interval: Interval | None, conjunction: str) -> str | None:
    """The text, if the graph's readers evaluate this spelling to the interval; otherwise ``None``.

    ``text`` has single spaces between comparators and no others. The accepted spellings were
    found by running univers 31.1.0.
    """
    if interval is None or not _UNDERSTOOD.fullmatch(text) or _has_lookalike(text):
        return None
    (low, _), (high, _) = interval
    if low == high and not text.startswith("="):
        return None  # two bounds on one version would be read as "below or above it"
    first, space, second = text.partition(" ")
    return _conjoin(first, second, conjunction) if space and "- " not in second else text


def _has_lookalike(text: str) -> bool:
    """Whether a prerelease ends in ``.x``, a wildcard for univers: ``1.0.0-rc.x``."""
    return any(bound.endswith(".x") and "-" in bound for bound in text.split())


def _conjoin(first: str, second: str, conjunction: str) -> str:
    # For univers, a comma after a prerelease is part of it.
    return (" " if "-" in first else conjunction).join((first, second))


def spell(alternatives: Iterable[Alternative], conjunction: str) -> str:
    """The constraint that the graph's readers evaluate to the union of the alternatives.

    ``conjunction`` stands between a lower and an upper bound: ``" "`` or ``", "``.
    """
    possible = [a for a in dict.fromkeys(alternatives) if a.interval is not None]
    intervals = sorted(a.interval for a in possible if a.interval is not None)
    united = unite(intervals)
    if not united:
        return NO_VERSION
    if len(united) == 1 and united[0].lower <= ZERO and united[0].upper == TOP:
        return ANY_VERSION
    texts = [a.text for a in possible if a.text is not None]
    disjoint = all(a.upper <= b.lower for a, b in pairwise(intervals))
    if len(texts) == len(possible) and disjoint:
        return " || ".join(texts)
    spelled = " || ".join(_spell_interval(interval, conjunction) for interval in united)
    return ANY_VERSION if _has_lookalike(spelled) else spelled


def _spell_interval(interval: Interval, conjunction: str) -> str:
    (low, above_low), (high, up_to_high) = interval
    lower, upper = f"{'>' if above_low else '>='}{low}", f"{'<=' if up_to_high else '<'}{high}"
    if low == high:
        return f"={low}"
    if interval.lower == BOTTOM:
        return upper
    return lower if interval.upper == TOP else _conjoin(lower, upper, conjunction)
