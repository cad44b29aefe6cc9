"""Selects and orders the import names to store.

Readers put the names into search patterns for source code, one after the other
(docs/import-names.md): a name with another character than those of :data:`SAFE` would break the
pattern, and hide all names after it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

SAFE = re.compile(r"[A-Za-z0-9_@./:-]{1,300}")
"""A name that is safe in every pattern, with a length limit."""

_SEPARATOR = re.compile(r"::|[./]")


@dataclass(frozen=True, slots=True)
class Selected:
    """The names to store."""

    names: tuple[str, ...]
    """The top-level names first, then the others, each part sorted; no name twice."""
    unsafe: int = 0
    """Number of names left out because of their characters or length."""
    beyond: int = 0
    """Number of names left out because there are too many."""


def select(names: Iterable[str], most: int) -> Selected:
    """The names to store of all names that were found.

    A top-level name is one of which no parent is among the names: ``google.cloud`` of
    ``google.cloud.storage``, if there is no ``google``. If there are too many, names without a file
    extension come first (``lodash/merge`` before ``lodash/merge.js``), and of these the ones with
    the fewest parents.

    Args:
        names: in any order, with any characters.
        most: the maximum number of names.
    """
    found = set(names)
    safe = {name for name in found if SAFE.fullmatch(name)}
    depths = {name: _depth(name, safe) for name in safe}
    kept = sorted(safe, key=lambda name: (_has_extension(name, safe), depths[name], name))[:most]
    ordered = sorted(kept, key=lambda name: (depths[name] > 0, name))
    return Selected(tuple(ordered), len(found) - len(safe), len(safe) - len(kept))


def _depth(name: str, names: set[str]) -> int:
    """Number of parents among the names."""
    return sum(name[: match.start()] in names for match in _SEPARATOR.finditer(name))


def _has_extension(name: str, names: set[str]) -> bool:
    """Whether the name is a path with an extension, and the same path without it is a name."""
    folder, slash, file = name.rpartition("/")
    stem, dot, _ = file.rpartition(".")
    return bool(folder and dot) and f"{folder}{slash}{stem}" in names
