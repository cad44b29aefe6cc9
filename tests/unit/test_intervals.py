"""Intervals of versions, tested with whole numbers: contents, intersection and hull."""

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.intervals import Bound, Interval, hull, intersection

LINE = range(-1, 11)
"""Every number that the intervals below can tell apart, and one on each side."""

bounds = st.builds(
    lambda n, inclusive: Bound(str(n), n, inclusive), st.integers(0, 9), st.booleans()
)
intervals = st.builds(
    Interval[int], st.none() | bounds, st.none() | bounds, st.lists(bounds, max_size=3).map(tuple)
)


def members(interval: Interval[int]) -> set[int]:
    """The numbers in an interval, by the definition of a bound."""
    low, high = interval.lower, interval.upper
    return {
        number
        for number in LINE
        if (low is None or number > low.version or (low.inclusive and number == low.version))
        and (high is None or number < high.version or (high.inclusive and number == high.version))
        and number not in {hole.version for hole in interval.excluded}
    }


@given(intervals)
def test_what_is_in_an_interval(interval: Interval[int]) -> None:
    """Membership, and the properties that are used for spelling."""
    assert {number for number in LINE if number in interval} == members(interval)
    if interval.is_empty:
        assert not members(interval)
    if interval.is_single:
        assert len(members(interval)) == 1
    between = members(Interval(interval.lower, interval.upper))
    assert [hole.version for hole in interval.holes] == sorted(
        between & {hole.version for hole in interval.excluded}
    )


@given(st.lists(intervals, max_size=4))
def test_intersection_is_what_is_in_all(several: list[Interval[int]]) -> None:
    """An intersection is exact; without intervals, it contains everything."""
    expected = set(LINE)
    for each in several:
        expected &= members(each)
    assert members(intersection(several)) == expected


@given(st.lists(intervals, min_size=1, max_size=4))
def test_hull_is_around_all(several: list[Interval[int]]) -> None:
    """Nothing is lost, no smaller interval would do, and only shared holes stay."""
    around = hull(several)
    union = set[int]().union(*map(members, several))
    assert union <= members(around)
    possible = [each for each in several if not each.is_empty]
    ends = [each.lower for each in possible]
    if possible and None not in ends:
        assert around.lower in ends
    assert all(hole.version not in union for hole in around.excluded)
