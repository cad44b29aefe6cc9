"""Versions of gems, in the order of ``Gem::Version``, which is that of the graph's readers.

A version is a sequence of numbers and words; a word makes it a prerelease. Sequences are compared
item by item, and a missing item is 0. A word comes before any number, and words are compared by
their characters. So ``1.0.b1 < 1.0.rc < 1 = 1.0 < 1.0.1``. ``1.0-a`` is read as ``1.0.pre.a``.
https://docs.ruby-lang.org/en/master/Gem/Version.html
"""

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering
from itertools import dropwhile, takewhile, zip_longest

# Without "-", which precedes a platform in the registry.
NUMBER = r"[0-9]+(?:\.[0-9A-Za-z]+)*"

_VERSION = re.compile(rf"{NUMBER}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+")


@total_ordering
@dataclass(frozen=True, slots=True)
class GemVersion:
    """A version's position in the order; equal ones have equal ``canonical`` segments."""

    canonical: tuple[int | str, ...]

    @property
    def is_prerelease(self) -> bool:
        """Whether it contains a word."""
        return any(isinstance(segment, str) for segment in self.canonical)

    def __lt__(self, other: "GemVersion") -> bool:
        for mine, theirs in zip_longest(self.canonical, other.canonical, fillvalue=0):
            if mine == theirs:
                continue
            if isinstance(mine, int) and isinstance(theirs, int):
                return mine < theirs
            if isinstance(mine, str) and isinstance(theirs, str):
                return mine < theirs
            return isinstance(mine, str)
        return False


@lru_cache(maxsize=32_768)
def parse_version(text: str) -> GemVersion | None:
    """The version, or ``None`` for a text that is not a version.

    A leading ``v`` and blanks are ignored, as the graph's readers do.
    """
    text = "".join(text.split()).lstrip("vV")
    if not _VERSION.fullmatch(text):
        return None
    try:
        segments = _segments(text)
    except ValueError:  # a number with more digits than Python converts
        return None
    numbers = list(takewhile(lambda segment: isinstance(segment, int), segments))
    rest = segments[len(numbers) :]
    return GemVersion((*_without_zeros(numbers), *_without_zeros(rest)))


def successor(text: str) -> str:
    """The end of ``~>`` of a valid version: ``1.2.3`` -> ``1.3``, ``1.2.a`` -> ``2``.

    https://docs.ruby-lang.org/en/master/Gem/Version.html#method-i-bump
    """
    numbers = list(takewhile(lambda segment: isinstance(segment, int), _segments(text)))
    kept = numbers[:-1] or numbers
    return ".".join(map(str, (*kept[:-1], int(kept[-1]) + 1)))


def _segments(text: str) -> list[int | str]:
    parts = _SEGMENT.findall(text.replace("-", ".pre."))
    return [int(part) if part.isdigit() else part for part in parts]


def _without_zeros(segments: list[int | str]) -> list[int | str]:
    """``1.0.0`` and ``1`` are one version."""
    return list(dropwhile(lambda segment: segment == 0, reversed(segments)))[::-1]
