"""Maven's own order of versions, which advisories use.

The specification is https://maven.apache.org/pom.html#Version_Order_Specification. A version is a
sequence of numbers and qualifiers. Dots, hyphens and changes between digits and letters separate
them, and a change counts as a hyphen. Empty parts are 0. Null values (0, ``final``, ``ga``,
``release``) are removed from the end, and before each hyphen.

Since Maven 3.8.7, the dot before a qualifier at the end, or before a qualifier with a number behind
it, counts as a hyphen, too: ``1.0.Beta1``, ``1.Beta1`` and ``1-beta-1`` are equal.

Before any other qualifier (``1.foo.1``) the dot stays, and there Maven's ``ComparableVersion`` is
no total order. So the end of a version ranks among the items here: items that Maven sorts before
the plain release (``-alpha``, also ``.0.alpha.1``) rank below it, all others above it. If Maven's
comparison is consistent, this order agrees with it.

Serial numbers follow another order, that of the graph's readers (:mod:`.versions`).
"""

import re
from functools import lru_cache

ComparableVersion = tuple[tuple[int, int | str], ...]
"""Items ranked by kind; the last one is :data:`_END`. Comparable with every other key."""

_PART = re.compile(r"([.-]?)(?:([0-9]+)|([^0-9.-]+)|)")
"""A separator (none at a change between digits and letters), then a number, text or nothing."""

_DIGIT = re.compile("[0-9]")

_QUALIFIERS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_RELEASE = _QUALIFIERS.index("")
_ALIASES = {"cr": "rc", "ga": "", "final": "", "release": ""}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
"""Before a digit."""

# Kinds of items in ascending order. "Early" items make a version precede the plain release.
_EARLY_QUALIFIER, _EARLY_HYPHEN, _EARLY_ZERO, _ENDS, _QUALIFIER, _HYPHEN, _NUMBER = range(7)
_END = (_ENDS, 0)
_NOTHING: frozenset[int | str] = frozenset({0, ""})

_Part = int | str | None
"""A number, a qualifier in its usual spelling, or ``None`` for a hyphen."""


@lru_cache(maxsize=32_768)
def comparable_version(version: str) -> ComparableVersion:
    """The version's position in the order; texts that are equal for Maven have equal positions.

    Raises:
        ValueError: a number has more digits than Python converts, which occurs in no version of the
            repository.
    """
    ranked: list[tuple[int, int | str]] = [_END]
    for part in reversed(_without_nothing(_parts(version.lower()))):
        ranked.append(_rank(part, is_early=ranked[-1] < _END))
    return tuple(reversed(ranked))


def _rank(part: _Part, *, is_early: bool) -> tuple[int, int | str]:
    """``is_early``: the next item is early; null values do not change that."""
    if part is None:
        return _EARLY_HYPHEN if is_early else _HYPHEN, 0
    if isinstance(part, int):
        return (_NUMBER, part) if part or not is_early else (_EARLY_ZERO, 0)
    if part not in _QUALIFIERS:
        return _QUALIFIER, f"{len(_QUALIFIERS)}{part}"
    rank = _QUALIFIERS.index(part)
    is_early = rank < _RELEASE or (rank == _RELEASE and is_early)
    return _EARLY_QUALIFIER if is_early else _QUALIFIER, f"{rank}"


def _parts(version: str) -> list[_Part]:
    """Numbers, qualifiers, and the hyphens between them."""
    parts: list[_Part] = []
    for match in _PART.finditer(version):
        separator, number, text = match.groups()
        if not match[0]:
            break  # the end
        if not parts and separator:
            parts.append(0)  # there is no item before the first separator
        value: int | str = int(number or 0) if text is None else _ALIASES.get(text, text)
        is_numbered = bool(_DIGIT.match(version, match.end()))
        if text in _SHORT and is_numbered:
            value = _SHORT[text]
        # https://issues.apache.org/jira/browse/MNG-7644
        is_hyphen = separator != "." or (text and (is_numbered or match.end() == len(version)))
        if parts and is_hyphen:
            parts.append(None)
        parts.append(value)
    return parts


def _without_nothing(parts: list[_Part]) -> list[_Part]:
    """Remove null values at the end and before each hyphen, and the hyphens before them."""
    kept: list[_Part] = []
    for part in reversed(parts):
        ends_list = not kept or kept[-1] is None
        if not (ends_list and (part is None or part in _NOTHING)):
            kept.append(part)
    return kept[::-1]
