"""The versions of a package that a constraint admits, as intervals of serial numbers.

The graph's readers evaluate constraints with univers, version by version. The result can change
only at a version that the constraint names. So all versions between two of these are evaluated
together, by univers' rules: a few bisections per constraint, even for a thousand versions. Versions
that are equal to one of these are evaluated by univers itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.models import ANY_VERSION, VersionName

Span = tuple[int, int]
"""The first and the last serial number of an interval."""

_Bound = tuple[str, Any, str]
"""Comparator, place in the order, and version, of a bound of a constraint."""


class Admission:
    """The versions of one package.

    Args:
        ecosystem: of the package.
        names: of all its versions, by serial number.
    """

    def __init__(self, ecosystem: type[Ecosystem], names: Sequence[VersionName]) -> None:
        self._ecosystem = ecosystem
        self._names = names

    def spans(self, constraints: str) -> list[Span]:
        """The admitted versions, as ascending spans that do not touch.

        Readers select all versions if ``constraints`` or a version cannot be parsed.
        """
        everything = [(0, len(self._names) - 1)] if self._names else []
        if constraints == ANY_VERSION or self._keys is None:
            return everything
        bounds = _bounds(self._ecosystem, constraints)
        if bounds is None:
            return everything
        spans: list[Span] = []
        try:
            for first, end in self._admitted(bounds, constraints, self._keys):
                if spans and spans[-1][1] == first - 1:
                    first = spans.pop()[0]  # noqa: PLW2901
                spans.append((first, end - 1))
        except Exception:  # noqa: BLE001 - whatever univers raises, readers take all versions
            return everything
        return spans

    def _admitted(
        self, bounds: Sequence[_Bound], constraints: str, keys: Sequence[Any]
    ) -> Iterator[tuple[int, int]]:
        """Half-open runs of serial numbers, ascending; some touch."""
        places = [(bisect_left(keys, key), bisect_right(keys, key)) for _, key, _ in bounds]
        named = {version for _, _, version in bounds}
        cuts = {0, len(keys)}
        for first, end in places:
            # Versions that tie in the order need not be equal for univers: 1.0.0 and 1.0.0+b.
            cuts.update(range(first, end + 1))
        for start, end in pairwise(sorted(cuts)):
            if any(first <= start < last for first, last in places):
                is_in = self._ask(constraints, start, is_named=self._names[start] in named)
            else:
                relations = [-1 if start < first else 1 for first, _ in places]
                is_in = _contains([bound[0] for bound in bounds], relations)
            if is_in:
                yield start, end

    def _ask(self, constraints: str, serial: int, *, is_named: bool) -> bool:
        """Whether univers admits one version."""
        kind = self._ecosystem.range_class
        if is_named:
            return _contains_named(kind, constraints, self._names[serial])
        return kind.version_class(self._names[serial]) in _parsed(kind, constraints)  # type: ignore[union-attr]

    @cached_property
    def _keys(self) -> list[Any] | None:
        """The versions' sort keys; ``None`` if readers cannot parse a version, or have no order."""
        if self._ecosystem.range_class is None:
            return None
        keys = [self._ecosystem.sort_key(name) for name in self._names]
        return None if None in keys else keys


_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "<": lambda relation: relation < 0,
    "<=": lambda relation: relation < 0,
    ">": lambda relation: relation > 0,
    ">=": lambda relation: relation > 0,
    "=": lambda _: False,
    "!=": lambda _: True,
}


def _contains(comparators: Sequence[str], relations: Sequence[int]) -> bool:
    """``contains_version`` of univers, for a version that is equal to none of the bounds.

    https://github.com/aboutcode-org/univers, ``version_constraint.py``; the rules of ``vers``.

    Args:
        comparators: of the constraints, in their order.
        relations: whether the version is below (-1) or above (1) the bound of each.

    Raises:
        ValueError: univers refuses this sequence.
    """
    pairs = list(zip(comparators, relations, strict=True))
    if len(pairs) > 1:
        pairs = [pair for pair in pairs if pair[0] not in {"=", "!="}]
    if not pairs:
        return False
    if len(pairs) == 1:
        ((comparator, relation),) = pairs
        return _COMPARISONS[comparator](relation)
    if pairs[0][0] in {"<", "<="} and pairs[0][1] < 0:
        return True
    for (comparator, relation), (following, relation_to_it) in pairwise(pairs):
        is_lower, closes = comparator in {">", ">="}, following in {"<", "<="}
        if is_lower and closes:
            if relation > 0 and relation_to_it < 0:
                return True
        elif is_lower or closes:
            raise ValueError(f"{comparator} before {following}")
    comparator, relation = pairs[-1]
    return comparator in {">", ">="} and relation > 0


@lru_cache(maxsize=65_536)
def _contains_named(kind: Any, constraints: str, version: str) -> bool:
    return kind.version_class(version) in _parsed(kind, constraints)


@lru_cache(maxsize=65_536)
def _parsed(kind: Any, constraints: str) -> Any:
    return kind.from_native(constraints)


@lru_cache(maxsize=65_536)
def _bounds(ecosystem: type[Ecosystem], constraints: str) -> tuple[_Bound, ...] | None:
    """The bounds of a constraint in univers' order; ``None`` if readers cannot read it."""
    try:
        parsed = _parsed(ecosystem.range_class, constraints)
        bounds = tuple(
            (each.comparator, ecosystem.sort_key(each.version.string), each.version.string)
            for each in parsed.constraints
        )
    except Exception:  # noqa: BLE001 - whatever univers raises, readers take all versions
        return None
    return bounds if all(key is not None for _, key, _ in bounds) else None


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
