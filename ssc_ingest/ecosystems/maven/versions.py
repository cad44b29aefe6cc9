"""Maven's versions, in the order of the graph's readers.

The readers use ``MavenVersion`` of univers, a port of Maven's ``ComparableVersion``
(https://maven.apache.org/pom.html#Version_Order_Specification): a version is a tree of numbers,
qualifiers and, after a hyphen or between digit and letter, sub-lists. That comparison is not a
total order: ``1.foo < 1-alpha``, ``1-alpha < 1`` and ``1 < 1.foo``, and ``1-0.1`` and ``1-0.2`` are
both equal to ``1`` but not to each other. It fails if a qualifier after a dot is compared with a
hyphen (or a 0) at the same position.

So the tree is converted to a key in which "end of the version" ranks among the items. Items that
Maven sorts before the plain release (``-alpha``, ``-rc``, also ``.0.alpha``) rank below it, all
others above it, and each part is in the readers' order. Where the readers' comparison is
consistent, both orders agree.
"""

import re
from functools import lru_cache
from typing import Any

MAX_VERSION_LENGTH = 255
"""Maximum characters; the repository's file system has no longer names."""

_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[^0-9].*)?")

Key = tuple[tuple[Any, ...], ...]
"""Items ranked by kind, the last one is :data:`_END`; comparable with every other key."""

_QUALIFIERS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_RELEASE = _QUALIFIERS.index("")

# Kinds of items in ascending order. "Early" items make a version precede the plain release.
_EARLY_QUALIFIER, _EARLY_EMPTY, _EARLY_LIST, _EARLY_ZERO = range(4)
_END = (4,)
_EMPTY, _QUALIFIER, _LIST, _NUMBER = range(5, 9)


@lru_cache(maxsize=16_384)
def sort_key(version: str) -> Key | None:
    """The version's position in the order, or ``None`` for a text that is not a version."""
    if not version or len(version) > MAX_VERSION_LENGTH:
        return None
    from univers.versions import MavenVersion

    try:
        # The readers' own parser; its version is pinned.
        tree = MavenVersion(version).value._parsed  # noqa: SLF001
    except ValueError:  # InvalidVersion, or digits that int() does not take
        return None
    return _key(tree)


def _key(items: tuple[Any, ...]) -> Key:
    """Rank the items from the right, because the rank of a zero depends on the next item."""
    ranked: list[tuple[Any, ...]] = [_END]
    for item in reversed(items):
        following = ranked[-1]
        early = following < _END
        if isinstance(item, tuple):
            inner = _key(item)
            if inner[0] != _END:
                ranked.append((_EARLY_LIST if inner[0] < _END else _LIST, inner))
            elif following != _END:
                ranked.append((_EARLY_LIST if early else _LIST, inner))
        elif isinstance(item, str) and item != "":
            ranked.append(_rank_qualifier(item))
        elif item:
            ranked.append((_NUMBER, item))
        elif following != _END:  # no item: 1.0 is 1
            if isinstance(item, str):
                ranked.append((_EARLY_EMPTY if early else _EMPTY,))
            else:
                ranked.append((_EARLY_ZERO,) if early else (_NUMBER, 0))
    return tuple(reversed(ranked))


def _rank_qualifier(item: str) -> tuple[Any, ...]:
    if item not in _QUALIFIERS:
        return _QUALIFIER, len(_QUALIFIERS), item
    rank = _QUALIFIERS.index(item)
    return _EARLY_QUALIFIER if rank < _RELEASE else _QUALIFIER, rank, ""


def is_prerelease(version: str) -> bool:
    """Whether it has a qualifier that Maven sorts before the release.

    Maven sorts other qualifiers (``-preview``, ``-ea``) after the release; they count as releases.
    """
    key = sort_key(version)
    return key is not None and _has_early_qualifier(key)


def _has_early_qualifier(key: Key) -> bool:
    return any(
        item[0] == _EARLY_QUALIFIER
        or (item[0] in {_EARLY_LIST, _LIST} and _has_early_qualifier(item[1]))
        for item in key
    )


def is_date(version: str) -> bool:
    """Whether the version is a date: a numbering from Maven's first years."""
    return _DATE.fullmatch(version) is not None
