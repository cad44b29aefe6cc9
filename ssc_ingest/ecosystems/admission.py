"""Finds the versions that a constraint accepts, as intervals of serial numbers.

The graph's readers evaluate constraints with univers, version by version. The result can change
only at a version in the constraint. So only versions equal to these, and one version of each
interval between them, are evaluated: a few evaluations per constraint, even for a thousand
versions.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.models import ANY_VERSION, VersionName

Span = tuple[int, int]
"""The first and the last serial number of an interval."""


class Admission:
    """The versions of one package.

    Args:
        ecosystem: of the package.
        names: all version names, by serial number.
    """

    def __init__(self, ecosystem: type[Ecosystem], names: Sequence[VersionName]) -> None:
        self._ecosystem = ecosystem
        self._names = names

    def spans(self, constraints: str) -> list[Span]:
        """The accepted versions, as ascending spans that do not touch.

        Readers select all versions if ``constraints`` or a version cannot be parsed.
        """
        everything = [(0, len(self._names) - 1)] if self._names else []
        kind = self._ecosystem.range_class
        if kind is None or constraints == ANY_VERSION or self._parsed is None:
            return everything
        try:
            parsed: Any = kind.from_native(constraints)
            spans: list[Span] = []
            for first, end in self._uniform(parsed):
                if self._parsed[first] not in parsed:
                    continue
                if spans and spans[-1][1] == first - 1:
                    first = spans.pop()[0]  # noqa: PLW2901
                spans.append((first, end - 1))
        except Exception:  # noqa: BLE001 - whatever univers raises, readers take all versions
            return everything
        return spans

    def _uniform(self, parsed: Any) -> Iterator[tuple[int, int]]:
        """Half-open ranges of serial numbers for which univers has the same result."""
        cuts = {0, len(self._names)}
        for constraint in parsed.constraints:
            key = self._ecosystem.sort_key(constraint.version.string)
            if key is None:
                cuts.update(range(len(self._names)))
            else:
                first, end = bisect_left(self._keys, key), bisect_right(self._keys, key)
                # Versions that tie in the order may differ for univers: 1.0.0 and 1.0.0+b.
                cuts.update(range(first, end + 1))
        yield from pairwise(sorted(cuts))

    @cached_property
    def _keys(self) -> list[Any]:
        return [self._ecosystem.sort_key(name) for name in self._names]

    @cached_property
    def _parsed(self) -> list[Any] | None:
        """The versions parsed by univers; ``None`` if one cannot be parsed."""
        kind = self._ecosystem.range_class
        try:
            return [kind.version_class(name) for name in self._names] if kind else None
        except Exception:  # noqa: BLE001 - see spans
            return None


def overlap(spans: Sequence[Span], others: Sequence[Span]) -> bool:
    """Whether two ascending lists of spans have a serial number in common."""
    mine, theirs = iter(spans), iter(others)
    one, other = next(mine, None), next(theirs, None)
    while one and other:
        if one[1] < other[0]:
            one = next(mine, None)
        elif other[1] < one[0]:
            other = next(theirs, None)
        else:
            return True
    return False


def spans_of(serials: Sequence[int]) -> list[Span]:
    """Serial numbers in ascending order as spans."""
    spans: list[Span] = []
    for serial in serials:
        if spans and serial <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], serial
        else:
            spans.append((serial, serial))
    return spans
