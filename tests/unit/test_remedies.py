"""The nearest unaffected release; the upper bound of an audit."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.models import VersionName
from ssc_ingest.vulnerabilities.audit import upper_bound
from ssc_ingest.vulnerabilities.remedies import Release, Remedy, major_line, remedies

PYPI: type[Ecosystem] = ecosystem("pypi")


def releases(text: str) -> list[Release]:
    """``1.0* 1.1 1.2~``: ``*`` is affected, ``~`` is yanked."""
    return [
        Release(VersionName(word.rstrip("*~")), is_affected="*" in word, is_yanked="~" in word)
        for word in text.split()
    ]


@pytest.mark.parametrize(
    ("line", "version", "same_major", "overall"),
    [
        ("1.0 1.1* 1.2* 1.3 2.0", "1.1", "1.3", "1.3"),
        ("1.0 1.1* 2.0", "1.1", "1.0", "2.0"),
        ("1.0* 2.0", "1.0", None, "2.0"),
        ("0.9 1.0* 1.1*", "1.0", None, "0.9"),
        ("1.0* 1.1*", "1.0", None, None),
        ("1.0* 1.1rc1 1.1~ 1.2", "1.0", "1.2", "1.2"),
        ("2004d* 2004e 1.0", "2004d", None, "1.0"),
        ("1.0 1!1.0* 1!1.1", "1!1.0", "1!1.1", "1!1.1"),
    ],
)
def test_nearest(line: str, version: str, same_major: str | None, overall: str | None) -> None:
    """It is the next later release, or else the last earlier one; never a prerelease or yanked."""
    found = remedies(PYPI, releases(line))[VersionName(version)]
    assert (found.same_major, found.overall) == (same_major, overall)


def brute_force(line: list[Release], position: int, *, same_major: bool) -> VersionName | None:
    """Try all versions, nearest first."""
    mine = major_line(line[position].name)
    if same_major and mine is None:
        return None
    for place in (*range(position, len(line)), *range(position, -1, -1)):
        each: Release = line[place]
        if each.is_affected or each.is_yanked or PYPI.sort_key(each.name) is None:
            continue
        if PYPI.is_prerelease(each.name) or (same_major and major_line(each.name) != mine):
            continue
        return each.name
    return None


@given(
    names=st.lists(
        st.sampled_from(
            ["0.1", "1.0", "1.0.1", "1.1rc1", "1.1", "2.0a1", "2.0", "2.1", "10.0", "2004d", "x"]
        ),
        unique=True,
    ),
    marks=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=11, max_size=11),
)
def test_equal_to_brute_force(names: list[str], marks: list[tuple[bool, bool]]) -> None:
    """Every affected version, and no other, has the remedy that brute force finds."""
    ordered = PYPI.order((VersionName(name), None) for name in names)
    line = [
        Release(name, is_affected=affected, is_yanked=yanked)
        for name, (affected, yanked) in zip(ordered, marks, strict=False)
    ]
    found = remedies(PYPI, line)
    assert found.keys() == {each.name for each in line if each.is_affected}
    for position, each in zip(count(), line):
        if each.is_affected:
            assert found[each.name] == Remedy(
                brute_force(line, position, same_major=True),
                brute_force(line, position, same_major=False),
            )


@pytest.mark.parametrize(
    ("found", "examined", "of", "expected"),
    [
        (0, 1000, 10**6, 1 - 0.05 ** (1 / 1000)),
        (0, 1, 10, 0.95),
        (1, 100, 10**6, 0.0466),  # the tables of Clopper and Pearson, one-sided
        (5, 100, 10**6, 0.1022),
        (0, 100, 100, 0.0),
        (3, 100, 100, 0.03),
        (10, 10, 100, 1.0),
        (0, 0, 0, 0.0),
        (0, 0, 10, 1.0),
    ],
)
def test_bound(found: int, examined: int, of: int, expected: float) -> None:
    """If all were examined, the share is exact; if none was, it is unknown."""
    assert upper_bound(found, examined, of=of) == pytest.approx(expected, abs=5e-4)


@given(found=st.integers(0, 30), more=st.integers(1, 300))
def test_bounds_are_above_what_was_found(found: int, more: int) -> None:
    """Bounds exceed the share in the sample, and decrease with the size of the sample."""
    bound = upper_bound(found, found + more, of=10**6)
    assert found / (found + more) < bound <= 1.0
    assert upper_bound(found, 2 * (found + more), of=10**6) < bound + 1e-6
