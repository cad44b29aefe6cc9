"""The order of versions and sets of them, compared with univers, which the graph's readers use."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from univers.versions import InvalidVersion, SemverVersion

from ssc_ingest.ecosystems.semver import (
    BOTTOM,
    NO_VERSION,
    TOP,
    Alternative,
    Cut,
    Interval,
    SemVer,
    intersect,
    parse_version,
    spell,
    understood,
    unite,
)
from ssc_ingest.models import ANY_VERSION
from tests.unit.semver_readers import PRERELEASES, RELEASES, selected

number = st.integers(0, 3).map(str)
identifier = st.sampled_from(["0", "1", "10", "2", "alpha", "beta", "rc", "x", "Z", "-", "a-1"])
prerelease = st.lists(identifier, min_size=1, max_size=3).map(lambda parts: "-" + ".".join(parts))
complete = st.builds(
    "{}.{}.{}{}{}".format,
    number,
    number,
    number,
    st.just("") | prerelease,
    st.sampled_from(["", "", "+build", "+1.2"]),
)
loose = st.one_of(
    complete,
    st.builds("v{}".format, complete),
    st.builds("{}.{}".format, number, number),
    st.builds("{}.{}.{}.{}".format, number, number, number, number),
    st.builds("{}{}".format, complete, st.sampled_from(["beta", "_1", "-01", "-", "+", "-a..b"])),
    st.text("0123.-+vxab ", max_size=12),
    st.text(max_size=6),
)


def readers_version(text: str) -> SemverVersion | None:
    """The version parsed by the readers, or ``None``."""
    try:
        return SemverVersion(text)
    except InvalidVersion:
        return None


@given(loose, loose)
def test_order_is_that_of_the_readers(first: str, second: str) -> None:
    """Two versions compare as in univers, and are unparsable together."""
    a, b = parse_version(first), parse_version(second)
    c, d = readers_version(first), readers_version(second)
    assert (a is None, b is None) == (c is None, d is None)
    if a and b and c and d:
        assert (a < b, a > b) == (c < d, c > d)


@given(st.lists(complete, max_size=8))
def test_order_is_total_and_stable(versions: list[str]) -> None:
    """The result equals univers' own sorting; ties keep their order."""
    keys = {version: parse_version(version) for version in versions}
    ours = sorted(versions, key=lambda v: keys[v] or SemVer(0, 0, 0))
    assert ours == sorted(versions, key=SemverVersion)


@given(complete)
def test_version_survives_being_written(version: str) -> None:
    """A written version is read back equal, without build metadata."""
    parsed = parse_version(version)
    assert parsed is not None
    assert str(parsed) == version.partition("+")[0]
    assert parse_version(str(parsed)) == parsed
    assert parsed.is_prerelease == ("-" in version.partition("+")[0])


def test_order_of_the_specification() -> None:
    """The example of semver.org, section 11, ascends."""
    prereleases = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    ascending = [*(f"1.0.0-{label}" for label in prereleases), "1.0.0", "2.0.0", "2.1.0", "2.1.1"]
    keys = [parse_version(version) for version in ascending]
    assert all(a and b and a < b for a, b in itertools.pairwise(keys))


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("1.2", "1.2.0"),
        ("1", "1.0.0"),
        ("v1.0.0", "1.0.0"),
        ("1.0.0.1", "1.0.0"),
        ("1.0.0+build", "1.0.0"),
        ("01.2.3", "1.2.3"),
        ("1.0.0beta", "1.0.0-beta"),
        (" 1.0.0 ", "1.0.0"),
        ("1.0.0-", "1.0.0"),
    ],
)
def test_incomplete_versions_have_a_place(text: str, same_as: str) -> None:
    """Incomplete and odd versions equal a complete one."""
    assert parse_version(text) == parse_version(same_as) is not None


@pytest.mark.parametrize(
    "text", ["", "latest", "=1.0.0", "-1.0.0", "1.0.0-01", "1.0.0-a..b", "x.1", "9" * 5000]
)
def test_other_texts_have_no_place(text: str) -> None:
    """Texts that univers cannot parse have no key and come before all versions."""
    assert parse_version(text) is None


versions = st.sampled_from([v for text in (*RELEASES, *PRERELEASES) if (v := parse_version(text))])
cuts = st.builds(Cut, versions, st.booleans()) | st.sampled_from([BOTTOM, TOP])
intervals = (
    st.tuples(cuts, cuts)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda p: Interval(*sorted(p)))
)


def lies_in(version: str, interval: Interval | None) -> bool:
    """Whether the version lies between the cuts."""
    parsed = parse_version(version)
    assert parsed is not None
    place = (parsed, False)
    return interval is not None and interval.lower <= place < interval.upper


@given(st.lists(intervals, max_size=4))
def test_spelling_selects_what_is_in_the_intervals(parts: list[Interval]) -> None:
    """The readers select exactly the versions of the union."""
    constraint = spell([Alternative(interval) for interval in parts], " ")
    inside = {v for v in (*RELEASES, *PRERELEASES) if any(lies_in(v, i) for i in parts)}
    assert selected(constraint, (*RELEASES, *PRERELEASES)) == inside


@given(st.lists(intervals, max_size=4))
def test_union_is_disjoint_and_ascending(parts: list[Interval]) -> None:
    """The intervals neither overlap nor touch, and contain the same versions."""
    united = unite(parts)
    assert all(a.upper < b.lower for a, b in itertools.pairwise(united))
    assert unite(united) == united
    for version in RELEASES:
        assert any(lies_in(version, i) for i in parts) == any(lies_in(version, i) for i in united)


@given(st.lists(intervals, min_size=1, max_size=3))
def test_intersection_holds_what_is_in_all(parts: list[Interval]) -> None:
    """A version is in the intersection if it is in each interval."""
    both = intersect(parts)
    for version in RELEASES:
        assert lies_in(version, both) == all(lies_in(version, i) for i in parts)


def test_nothing_and_everything() -> None:
    """The extremes are no version and every version."""
    assert spell([], " ") == NO_VERSION
    assert selected(NO_VERSION, (*RELEASES, *PRERELEASES, "0.0.0-0")) == set()
    assert spell([Alternative(Interval(BOTTOM, TOP))], " ") == ANY_VERSION


def test_spelling_that_the_readers_misread_is_not_kept() -> None:
    """A prerelease that ends in ``.x`` becomes any version."""
    version = parse_version("1.0.0-rc.x")
    assert version is not None
    point = Interval(Cut(version, after=False), Cut(version, after=True))
    assert understood("=1.0.0-rc.x", point, " ") is None
    assert spell([Alternative(point)], " ") == ANY_VERSION
