"""Gems' requirements become constraints that select what Gem::Requirement admits."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.rubygems.requirements import (
    LOWEST,
    MAX_REQUIREMENT_LENGTH,
    parse_requirement,
    to_constraints,
)
from ssc_ingest.ecosystems.rubygems.versions import parse_version
from tests.properties import examples
from tests.unit.gem_readers import admitted, releases, selected, versions
from tests.unit.hostile import assert_linear, calls

POOL = (
    "0.9", "1.0", "1.0.1", "1.1", "1.2.0.rc1", "1.2", "1.2.3", "1.2.9", "1.2.10", "1.3.0", "1.9",
    "2.0.a", "2.0", "2.0.1", "2.1", "3.0.pre", "3.0",
)  # fmt: skip
"""Versions in ascending order, enough to distinguish the requirements below."""


def between(first: str, last: str, *without: str) -> set[str]:
    """The versions of the pool between two versions."""
    return {*POOL[POOL.index(first) : POOL.index(last) + 1]} - {*without}


CASES = [
    # Operators: https://docs.ruby-lang.org/en/master/Gem/Requirement.html, OPS
    ("= 1.2.3", "= 1.2.3", {"1.2.3"}),
    ("1.2.3", "= 1.2.3", {"1.2.3"}),
    ("= 1.2.0", "= 1.2.0", {"1.2"}),
    ("=1.2", "= 1.2", {"1.2"}),
    ("= 1.2.0.rc1", "= 1.2.0.rc1", {"1.2.0.rc1"}),
    ("!= 1.2.9", "!= 1.2.9", between("0.9", "3.0", "1.2.9")),
    ("> 1.2", "> 1.2", between("1.2.3", "3.0")),
    (">= 1.2", ">= 1.2", between("1.2", "3.0")),
    ("< 1.2", "< 1.2", between("0.9", "1.2.0.rc1")),
    ("<= 1.2", "<= 1.2", between("0.9", "1.2")),
    ("<= 1.2.0.rc1", "<= 1.2.0.rc1", between("0.9", "1.2.0.rc1")),
    ("> 0", "> 0", {*POOL}),
    (">= 2.0.a", ">= 2.0.a", between("2.0.a", "3.0")),
    # Gem::Requirement.default: "the default requirement matches any version"
    (">= 0", "any", {*POOL}),
    (">= 0.0.0", "any", {*POOL}),
    (">= 0&< 2", "< 2", between("0.9", "2.0.a")),
    # The pessimistic operator drops the last number and raises the one before: https://guides.rubygems.org/patterns/
    ("~> 1.2", "~> 1.2", between("1.2", "1.9")),
    ("~> 1.2.0", "~> 1.2.0", between("1.2", "1.2.10")),
    ("~> 1.2.3", "~> 1.2.3", between("1.2.3", "1.2.10")),
    ("~> 1", "~> 1", between("1.0", "1.9")),
    ("~> 1.0", "~> 1.0", between("1.0", "1.9")),
    ("~>1.2.3", "~> 1.2.3", between("1.2.3", "1.2.10")),
    ("~> 2.0.a", ">= 2.0.a, < 3", between("2.0.a", "2.1")),
    ("~> 1.2.0.rc1", ">= 1.2.0.rc1, < 1.3", between("1.2.0.rc1", "1.2.10")),
    # Several clauses must all hold; the index joins them with "&"
    ("< 2&>= 1.2", ">= 1.2, < 2", between("1.2", "2.0.a")),
    ("< 3.0&>= 1.2.3", ">= 1.2.3, < 3.0", between("1.2.3", "3.0.pre")),
    ("> 1.2&<= 2.0", "> 1.2, <= 2.0", between("1.2.3", "2.0")),
    ("!= 1.2.9&~> 1.2", "~> 1.2, != 1.2.9", between("1.2", "1.9", "1.2.9")),
    ("!= 1.2.3&!= 1.2.9&~> 1.2.0", "~> 1.2.0, != 1.2.3, != 1.2.9", {"1.2", "1.2.10"}),
    ("!= 1.9&>= 1.3", ">= 1.3, != 1.9", between("1.3.0", "3.0", "1.9")),
    ("!= 1.3.0&!= 1.9", ">= 0.A, != 1.3.0, != 1.9", between("0.9", "3.0", "1.3.0", "1.9")),
    ("!= 3.0&< 2", "< 2", between("0.9", "2.0.a")),
    (">= 1.2.3&~> 1.2", ">= 1.2.3, < 2", between("1.2.3", "1.9")),
    ("~> 1.2&~> 1.2.3", ">= 1.2.3, < 1.3", between("1.2.3", "1.2.10")),
    (">= 1.0&>= 1.2&< 3&< 2", ">= 1.2, < 2", between("1.2", "2.0.a")),
    ("= 1.2.3&>= 1.0", "= 1.2.3", {"1.2.3"}),
    (">= 1.2&<= 1.2.0", "= 1.2", {"1.2"}),
    ("> 2&< 1", "< 0.A", set()),
    ("= 1.0&!= 1.0", "< 0.A", set()),
    ("> 1.2&< 1.2", "< 0.A", set()),
    ("~> 1.0&~> 2.0", "< 0.A", set()),
]


@pytest.mark.parametrize(("text", "constraint", "expected"), CASES, ids=[case[0] for case in CASES])
def test_constraints_select_what_rubygems_admits(
    text: str, constraint: str, expected: set[str]
) -> None:
    """The readers select the versions that the cited rules admit; expected values are by hand.

    One difference is accepted: an upper bound that comes from ``~>`` admits prereleases of
    itself.
    """
    assert to_constraints(text) == constraint
    found = selected(constraint, POOL)
    assert expected <= found
    assert found - expected <= ({"2.0.a", "3.0.pre"} if "~>" in text else set())


def test_there_are_enough_cases() -> None:
    """There are at least thirty cases, without duplicates."""
    assert len({case[0] for case in CASES}) == len(CASES) >= 30


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "== 1.0", "^1.0", "=> 1", "~> x", ">= 1.0,< 2", ">= 1 2", "&", ">= 1&", "1..2",
     "> 1 || < 3", "latest", "é", "\x00", "~> v1", ">= " + "1" * 5000,
     "1" * (MAX_REQUIREMENT_LENGTH + 1)],
)  # fmt: skip
def test_what_is_no_requirement_is_any(text: str) -> None:
    """Gem::Requirement rejects it, so it means any version."""
    assert to_constraints(text) == "any"


def test_builds_that_differ_are_covered() -> None:
    """The result is the smallest interval around the platforms' requirements."""
    assert to_constraints("~> 1.0", "~> 1.0") == "~> 1.0"
    assert to_constraints("~> 1.0", "~> 2.0") == ">= 1.0, < 3"
    assert to_constraints("= 1.0", ">= 2.0&!= 2.1") == ">= 1.0, != 2.1"
    assert to_constraints("!= 1.5&< 2", "< 1") == "< 2, != 1.5"
    assert to_constraints("!= 1.5&< 2", "= 1.5") == "< 2"
    assert to_constraints("> 2&< 1", "= 1.5") == "= 1.5"
    assert to_constraints("~> 1.0", ">= 0") == "any"
    assert to_constraints("~> 1.0", "nonsense") == "any"


@pytest.mark.parametrize(
    "parts",
    [
        ("", "1.", ""),
        ("1.1.", "a1", "!"),
        ("", "~> ", ""),
        ("", "&", ""),
        ("", ">= 1&", ""),
        ("1-", "-", "!"),
        ("", " ", "1"),
    ],
)
def test_hostile_requirements_take_linear_time(parts: tuple[str, str, str]) -> None:
    """Adversarial texts are parsed in linear time; longer texts are not parsed."""
    assert_linear(parse_requirement, parts, MAX_REQUIREMENT_LENGTH)
    too_long = "x" * (MAX_REQUIREMENT_LENGTH + 1)
    assert calls(parse_requirement, too_long * 250) == calls(parse_requirement, too_long)


clauses = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "=", "!=", "!=", ">", ">=", "<", "<=", "~>", "~>"]),
    st.sampled_from(["", " "]),
    versions,
)
requirements = st.lists(clauses, min_size=1, max_size=4)
pools = st.lists(versions, max_size=30)


def real(pool: list[str]) -> list[str]:
    """The given versions and POOL, without those lower than any real one."""
    lowest = parse_version(LOWEST)
    parsed = ((text, parse_version(text)) for text in {*pool, *POOL})
    return [text for text, version in parsed if lowest and version and version >= lowest]


@given(requirements, pools)
@example(["!= 1.0", "!= 2.0"], ["0.0.0.a"])
def test_constraints_select_what_the_rules_admit(wanted: list[str], pool: list[str]) -> None:
    """The readers select RubyGems' releases, and all of its prereleases."""
    constraint = to_constraints("&".join(wanted))
    pool = real(pool)
    found = selected(constraint, pool)
    assert found & releases(pool) == admitted(wanted, releases(pool))
    assert admitted(wanted, pool) <= found


@given(st.lists(requirements, min_size=1, max_size=3), pools)
@examples(0.5)
def test_all_builds_are_covered(wanted: list[list[str]], pool: list[str]) -> None:
    """The readers select every version that one of the platforms admits."""
    constraint = to_constraints(*("&".join(clauses) for clauses in wanted))
    pool = real(pool)
    found = selected(constraint, pool)
    for each in wanted:
        assert admitted(each, pool) <= found


@given(requirements)
@example(["!=0", "!=0.A.a"])
@example(["!=0", "!=2", "!=0.A.a"])
def test_rewriting_twice_changes_nothing(wanted: list[str]) -> None:
    """Translating a constraint again returns the same constraint."""
    constraint = to_constraints("&".join(wanted))
    assert constraint == "any" or to_constraints(constraint.replace(", ", "&")) == constraint


@given(st.text(max_size=40) | st.text("0123.ab^~<>=!&,- ", max_size=40))
def test_any_text_gives_a_constraint_that_readers_parse(text: str) -> None:
    """For any text in the index, the readers can evaluate the constraint."""
    selected(to_constraints(text), POOL)
