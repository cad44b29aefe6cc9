"""NuGet's ranges become constraints that select the versions that NuGet's VersionRange admits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.nuget.ranges import (
    MAX_RANGE_LENGTH,
    NO_VERSION,
    parse_range,
    to_constraints,
)
from ssc_ingest.ecosystems.nuget.versions import normalize
from tests.properties import examples
from tests.unit.hostile import assert_linear, calls
from tests.unit.nuget_readers import selected, version, versions

POOL = (
    "0.9.0", "1.0.0-0", "1.0.0-alpha", "1.0.0-beta", "1.0.0-beta.1", "1.0.0-rc", "1.0.0", "1.0.0.5",
    "1.0.1", "1.2.0", "1.2.3-beta", "1.2.3", "1.2.3.1", "1.2.4", "1.3.0", "2.0.0-rc.1", "2.0.0",
    "2.1.0", "3.0.0",
)  # fmt: skip
"""Versions in ascending order, enough to distinguish the ranges below."""


def between(first: str, last: str) -> set[str]:
    """The versions of the pool between two versions."""
    return {*POOL[POOL.index(first) : POOL.index(last) + 1]}


CASES = [
    # https://learn.microsoft.com/nuget/concepts/package-versioning#version-ranges, its table
    ("1.0", "[1.0.0, )", between("1.0.0", "3.0.0")),
    ("(1.0,)", "(1.0.0, )", between("1.0.0.5", "3.0.0")),
    ("[1.0]", "[1.0.0]", {"1.0.0"}),
    ("(,1.0]", "(, 1.0.0]", between("0.9.0", "1.0.0")),
    ("(,1.0)", "(, 1.0.0)", between("0.9.0", "1.0.0-rc")),
    ("[1.0,2.0]", "[1.0.0, 2.0.0]", between("1.0.0", "2.0.0")),
    ("(1.0,2.0)", "(1.0.0, 2.0.0)", between("1.0.0.5", "2.0.0-rc.1")),
    ("[1.0,2.0)", "[1.0.0, 2.0.0)", between("1.0.0", "2.0.0-rc.1")),
    # the page's examples of references in nuspecs
    ("[1,3)", "[1.0.0, 3.0.0)", between("1.0.0", "2.1.0")),
    ("[1.3.2,1.5)", "[1.3.2, 1.5.0)", set()),
    ("(1.2.3,)", "(1.2.3, )", between("1.2.3.1", "3.0.0")),
    # as registrations have them
    ("[1.2.3, )", "[1.2.3, )", between("1.2.3", "3.0.0")),
    ("[1.2.3, 2.0.0)", "[1.2.3, 2.0.0)", between("1.2.3", "2.0.0-rc.1")),
    ("[1.2.3, 1.2.3]", "[1.2.3]", {"1.2.3"}),
    ("[1.2, 1.2.0.0]", "[1.2.0]", {"1.2.0"}),
    ("(, 2.0.0]", "(, 2.0.0]", between("0.9.0", "2.0.0")),
    # "If the range property is excluded or an empty string: (, )", registration's dependency
    ("", "any", {*POOL}),
    ("(, )", "any", {*POOL}),
    ("(,)", "any", {*POOL}),
    # normalised bounds, four numbers, prereleases, build metadata
    ("01.00", "[1.0.0, )", between("1.0.0", "3.0.0")),
    ("[1.0.0.5, 1.2.3.1]", "[1.0.0.5, 1.2.3.1]", between("1.0.0.5", "1.2.3.1")),
    ("[1.0.0-beta, )", "[1.0.0-beta, )", between("1.0.0-beta", "3.0.0")),
    ("[1.0.0-BETA, 1.0.1)", "[1.0.0-BETA, 1.0.1)", between("1.0.0-beta", "1.0.0.5")),
    ("[1.0.0+build, 2.0.0+x)", "[1.0.0, 2.0.0)", between("1.0.0", "2.0.0-rc.1")),
    ("[1.0.0,2.0.0-rc.1)", "[1.0.0, 2.0.0-rc.1)", between("1.0.0", "1.3.0")),
    (" [ 1.0 , 2.0 ) ", "[1.0.0, 2.0.0)", between("1.0.0", "2.0.0-rc.1")),
    # Floating: FloatRange.Satisfies of NuGet.Versioning, by the part that floats. What it lets
    # in is inside; prereleases, of which some float out, are all inside.
    ("*", "any", {*POOL}),
    ("*-*", "any", {*POOL}),
    ("1.*", "[1.0.0, 2.0.0)", between("1.0.0", "2.0.0-rc.1")),
    ("1.2.*", "[1.2.0, 1.3.0)", between("1.2.0", "1.2.4")),
    ("1.2.3.*", "[1.2.3, 1.2.4)", between("1.2.3", "1.2.3.1")),
    ("1.*-*", "[1.0.0-0, 2.0.0)", between("1.0.0-0", "2.0.0-rc.1")),
    ("1.2.*-beta*", "[1.2.0-beta, 1.3.0)", between("1.2.0", "1.2.4")),
    ("1.0.0-beta*", "[1.0.0-beta, 1.0.0]", between("1.0.0-beta", "1.0.0")),
    ("1.0.0-beta.*", "[1.0.0-beta.0, 1.0.0]", between("1.0.0-beta.1", "1.0.0")),
    # in an interval, floating is a preference and not a bound
    ("[1.*, 3.0)", "[1.0.0, 3.0.0)", between("1.0.0", "2.1.0")),
    ("[1.2.*, )", "[1.2.0, )", between("1.2.0", "3.0.0")),
    ("(1.*, 2.0]", "(1.0.0, 2.0.0]", between("1.0.0.5", "2.0.0")),
    ("[*, 2.0]", "(, 2.0.0]", between("0.9.0", "2.0.0")),
    # Nothing is between equal bounds that are both exclusive (VersionRange.TryParse lets it pass)
    ("(1.0, 1.0)", NO_VERSION, set()),
    # Maven's order, by which the readers check, takes these for descending or for one version
    ("[1.0.0-preview.2, 1.0.0-rc.1]", "[1.0.0-preview.2, )", between("1.0.0-rc", "3.0.0")),
    ("1.0.0-*", "[1.0.0-0, )", between("1.0.0-0", "3.0.0")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "constraint", "expected"), CASES, ids=[case[0] for case in CASES])
def test_constraints_select_what_nuget_admits(
    text: str, constraint: str, expected: set[str]
) -> None:
    """The readers select the versions that the cited rules admit; expected values are by hand."""
    assert to_constraints(text) == constraint
    assert selected(constraint, POOL) == expected


def test_there_are_enough_cases() -> None:
    """There are at least thirty cases, without duplicates."""
    assert len({case[0] for case in CASES}) == len(CASES) >= 30


@pytest.mark.parametrize(
    "text",
    # the table's "(1.0): invalid", and what VersionRange.TryParse returns false for
    ["(1.0)", "[1.0)", "(1.0]", "[2.0, 1.0]", "[1.0, 1.0)", "(1.0, 1.0]", "[1.0", "1.0]", "[]",
     "()", "[,,]", "[1,2,3]", "[1.0,2.0],[3.0,)", "1.0,2.0", ">= 1.0", "^1.0", "~1.0", "latest",
     "x", ",", "[1.0, *]", "[1.0, 2.*)", "1.*.3", "**", "1.2.3.4.*", "1.2.3.4.5", "1.0.0-*beta",
     "é", "\x00", "[1.0.0-beta.01, )", "[" + "1" * 5000 + ", )", "1" * (MAX_RANGE_LENGTH + 1)],
)  # fmt: skip
def test_what_is_no_range_is_any(text: str) -> None:
    """NuGet rejects it, or the readers could not compare its bounds."""
    assert to_constraints(text) == "any"


def test_target_frameworks_are_covered() -> None:
    """Equal ranges stay; different ones become the smallest interval around all."""
    assert to_constraints("[6.0.0, )", "[6.0.0, )") == "[6.0.0, )"
    assert to_constraints("[6.0.0, )", "[4.7.0, )", "[4.7.0, )") == "[4.7.0, )"
    assert to_constraints("[1.0.0]", "[2.0.0, 3.0.0)") == "[1.0.0, 3.0.0)"
    assert to_constraints("(, 1.0.0]", "[2.0.0]") == "(, 2.0.0]"
    assert to_constraints("(1.0.0, 2.0.0)", "[1.0.0, 2.0.0]") == "[1.0.0, 2.0.0]"
    assert to_constraints("(1.0.0, 1.0.0)", "[2.0.0]") == "[2.0.0]"
    assert to_constraints("[1.0.0]", "(, )") == "any"
    assert to_constraints("[1.0.0, )", "(, 2.0.0)") == "any"
    assert to_constraints("[1.0.0]", "nonsense") == "any"


@pytest.mark.parametrize(
    "parts",
    [
        ("", "1.", ""),
        ("[", "1.", ",)"),
        ("", "[", ""),
        ("1.0.0-", "a.", "*"),
        ("", ",", ""),
        ("", " ", ""),
        ("", "*", ""),
        ("1.*-", "-", ""),
        ("[1.0", " ", "!"),
    ],
)
def test_hostile_ranges_take_linear_time(parts: tuple[str, str, str]) -> None:
    """Adversarial texts are parsed in linear time; longer texts are not parsed."""
    assert_linear(parse_range, parts, MAX_RANGE_LENGTH)
    too_long = "x" * (MAX_RANGE_LENGTH + 1)
    assert calls(parse_range, too_long * 250) == calls(parse_range, too_long)


class Wanted:
    """A range with its bounds, by NuGet's rule: VersionRangeBase.Satisfies."""

    def __init__(self, low: str, high: str, opening: str, closing: str) -> None:
        self.low, self.high, self.opening, self.closing = low, high, opening, closing
        self.text = f"{opening}{low}, {high}{closing}"

    def __repr__(self) -> str:
        return self.text

    def admits(self, text: str) -> bool:
        """Whether the version is above the lower bound and below the upper one."""
        number = version(text)
        above = not self.low or (
            number > version(self.low) or (number == version(self.low) and self.opening == "[")
        )
        below = not self.high or (
            number < version(self.high) or (number == version(self.high) and self.closing == "]")
        )
        return above and below

    @property
    def is_refused(self) -> bool:
        """Whether NuGet rejects it: descending, or equal bounds of which one is exclusive."""
        if not (self.low and self.high):
            return False
        if version(self.low) == version(self.high):
            return f"{self.opening}{self.closing}" in {"[)", "(]"}
        return bool(version(self.low) > version(self.high))


bounds = versions | st.just("")
wanted_ranges = st.builds(Wanted, bounds, bounds, st.sampled_from("[("), st.sampled_from("])"))


@given(wanted_ranges, st.lists(versions, max_size=20))
@examples(3)
def test_constraints_select_what_the_rule_admits(wanted: Wanted, pool: list[str]) -> None:
    """Exactly, unless the upper bound had to be omitted for the readers."""
    constraint = to_constraints(wanted.text)
    if wanted.is_refused:
        assert constraint == "any"
        return
    pool = [*pool, *POOL]
    found = selected(constraint, pool)
    admitted = {text for text in pool if wanted.admits(text)}
    if wanted.high and constraint.endswith(", )"):
        assert admitted <= found
        same = [normalize(v).partition("-")[0] for v in (wanted.low, wanted.high)]
        assert same[0] == same[1], "only bounds that differ in their prerelease are misread"
    else:
        assert found == admitted


@given(st.lists(wanted_ranges, min_size=1, max_size=4), st.lists(versions, max_size=20))
def test_all_target_frameworks_are_covered(wanted: list[Wanted], pool: list[str]) -> None:
    """The readers select every version that one of the ranges admits."""
    pool = [*pool, *POOL]
    found = selected(to_constraints(*(each.text for each in wanted)), pool)
    assert {t for t in pool if any(w.admits(t) for w in wanted if not w.is_refused)} <= found


@given(wanted_ranges)
def test_rewriting_twice_changes_nothing(wanted: Wanted) -> None:
    """Translating a constraint again returns the same constraint."""
    constraint = to_constraints(wanted.text)
    assert constraint == "any" or to_constraints(constraint) == constraint


@given(st.text(max_size=30) | st.text("0123.*-ab[](), +", max_size=30))
def test_any_text_gives_a_constraint_that_readers_parse(text: str) -> None:
    """For any text in a registration, the readers can evaluate the constraint."""
    selected(to_constraints(text), POOL)
