"""Cargo's version requirements become constraints that select the same versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.crates.ranges import MAX_RANGE_LENGTH, parse_range, to_constraints
from tests.unit.hostile import assert_linear, calls
from tests.unit.semver_readers import PRERELEASES, RELEASES, selected

# requirement -> constraint, first and last release that Cargo takes out of 0.0.0 ... 3.3.3, and
# two that it does not take, all by the tables of
# https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html
# and the source of the semver crate (https://docs.rs/semver/1/semver/enum.Op.html).
RULES = """
    1.2.3            | ^1.2.3               | 1.2.3 1.3.3 | 1.2.2 2.0.0
    1.2              | ^1.2                 | 1.2.0 1.3.3 | 1.1.3 2.0.0
    1                | ^1                   | 1.0.0 1.3.3 | 0.3.3 2.0.0
    0.2.3            | ^0.2.3               | 0.2.3 0.2.3 | 0.2.2 0.3.0
    0.2              | ^0.2                 | 0.2.0 0.2.3 | 0.1.3 0.3.0
    0.0.3            | ^0.0.3               | 0.0.3 0.0.3 | 0.0.2 0.1.0
    0.0              | >=0.0.0, <0.1.0      | 0.0.0 0.0.3 | 0.1.0 1.0.0
    0                | >=0.0.0, <1.0.0      | 0.0.0 0.3.3 | 1.0.0 2.0.0
    ^1.2.3           | ^1.2.3               | 1.2.3 1.3.3 | 1.2.2 2.0.0
    ^1.2             | ^1.2                 | 1.2.0 1.3.3 | 1.1.3 2.0.0
    ^1               | ^1                   | 1.0.0 1.3.3 | 0.3.3 2.0.0
    ^0               | >=0.0.0, <1.0.0      | 0.0.0 0.3.3 | 1.0.0 2.0.0
    ^0.0             | >=0.0.0, <0.1.0      | 0.0.0 0.0.3 | 0.1.0 1.0.0
    ^1.2.3+build.7   | ^1.2.3               | 1.2.3 1.3.3 | 1.2.2 2.0.0
    ^1.2.3-rc.1      | ^1.2.3-rc.1          | 1.2.3 1.3.3 | 1.2.2 2.0.0
    ~1.2.3           | ~1.2.3               | 1.2.3 1.2.3 | 1.2.2 1.3.0
    ~1.2             | ~1.2                 | 1.2.0 1.2.3 | 1.1.3 1.3.0
    ~1               | ~1                   | 1.0.0 1.3.3 | 0.3.3 2.0.0
    ~0               | ~0                   | 0.0.0 0.3.3 | 1.0.0 2.0.0
    ~1.2.3-rc.1      | >=1.2.3-rc.1 <1.3.0  | 1.2.3 1.2.3 | 1.2.2 1.3.0
    1.*              | >=1.0.0, <2.0.0      | 1.0.0 1.3.3 | 0.3.3 2.0.0
    1.2.*            | >=1.2.0, <1.3.0      | 1.2.0 1.2.3 | 1.1.3 1.3.0
    1.*.*            | >=1.0.0, <2.0.0      | 1.0.0 1.3.3 | 0.3.3 2.0.0
    1.x              | >=1.0.0, <2.0.0      | 1.0.0 1.3.3 | 0.3.3 2.0.0
    0.*              | >=0.0.0, <1.0.0      | 0.0.0 0.3.3 | 1.0.0 2.0.0
    =1.2.3           | =1.2.3               | 1.2.3 1.2.3 | 1.2.2 1.3.0
    =1.2             | >=1.2.0, <1.3.0      | 1.2.0 1.2.3 | 1.1.3 1.3.0
    =1               | >=1.0.0, <2.0.0      | 1.0.0 1.3.3 | 0.3.3 2.0.0
    >1.2.3           | >1.2.3               | 1.3.0 3.3.3 | 1.2.3 0.0.0
    >1.2             | >=1.3.0              | 1.3.0 3.3.3 | 1.2.3 0.0.0
    >1               | >=2.0.0              | 2.0.0 3.3.3 | 1.3.3 0.0.0
    >=1.2.3          | >=1.2.3              | 1.2.3 3.3.3 | 1.2.2 0.0.0
    >=1.2            | >=1.2                | 1.2.0 3.3.3 | 1.1.3 0.0.0
    >=1.*            | >=1.0.0              | 1.0.0 3.3.3 | 0.3.3 0.0.0
    <1.2.3           | <1.2.3               | 0.0.0 1.2.2 | 1.2.3 3.3.3
    <1.2             | <1.2                 | 0.0.0 1.1.3 | 1.2.0 3.3.3
    <1               | <1                   | 0.0.0 0.3.3 | 1.0.0 3.3.3
    <=1.2.3          | <=1.2.3              | 0.0.0 1.2.3 | 1.3.0 3.3.3
    <=1.2            | <1.3.0               | 0.0.0 1.2.3 | 1.3.0 3.3.3
    <=1              | <2.0.0               | 0.0.0 1.3.3 | 2.0.0 3.3.3
    >=1.2, <2        | >=1.2, <2            | 1.2.0 1.3.3 | 1.1.3 2.0.0
    >=1.2,<2         | >=1.2, <2            | 1.2.0 1.3.3 | 1.1.3 2.0.0
    >= 1.2 , < 2     | >=1.2, <2            | 1.2.0 1.3.3 | 1.1.3 2.0.0
    <2, >=1.2        | <2, >=1.2            | 1.2.0 1.3.3 | 1.1.3 2.0.0
    >=1.2.0 <2.0.0   | >=1.2.0, <2.0.0      | 1.2.0 1.3.3 | 1.1.3 2.0.0
    ^1.2, <1.3       | >=1.2.0, <1.3.0      | 1.2.0 1.2.3 | 1.1.3 1.3.0
    >1.2, <=2.1      | >=1.3.0, <2.2.0      | 1.3.0 2.1.3 | 1.2.3 2.2.0
    >=1, <3, <2.2    | >=1.0.0, <2.2.0      | 1.0.0 2.1.3 | 0.3.3 2.2.0
    >=1.2.3-rc.1, <2 | >=1.2.3-rc.1 <2      | 1.2.3 1.3.3 | 1.2.2 2.0.0
    >=1.2.3, <=1.2.3 | =1.2.3               | 1.2.3 1.2.3 | 1.2.2 1.3.0
"""


@pytest.mark.parametrize("rule", [line.strip() for line in RULES.strip().splitlines()])
def test_constraint_of_a_requirement(rule: str) -> None:
    """With each kind of requirement, the readers select the same releases as Cargo."""
    requirement, constraint, taken, refused = (column.strip() for column in rule.split("|"))
    assert to_constraints(requirement) == constraint
    found = [version for version in RELEASES if version in selected(constraint, RELEASES)]
    assert [found[0], found[-1]] == taken.split()
    assert not set(refused.split()) & set(found)
    if not constraint.startswith(("<", "=")):
        assert found == list(RELEASES[RELEASES.index(found[0]) : RELEASES.index(found[-1]) + 1])


@pytest.mark.parametrize("text", ["*", "x", "X", ">=0", ">=0.0.0", "> =0"])
def test_no_bound_is_any(text: str) -> None:
    """Requirements without bounds mean any version."""
    assert to_constraints(text) == "any"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ",", "latest", "01.2", "1.2.3.4", "1.*.3", "*.1", "v1.0", "^", ">=", "1.2.3-", "é",
        "1.2.3-01", "=>1", "99999999999999999999", "1 || 2", "1" * 5000,
        "1" * (MAX_RANGE_LENGTH + 1), "1.0.0-" + "1" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_requirement_is_any(text: str) -> None:
    """A text that Cargo rejects means any version."""
    assert to_constraints(text) == "any"


@pytest.mark.parametrize("text", [">2, <1", "<0.0.0", ">=1.2.3, <1.2.3"])
def test_contradictions_select_nothing(text: str) -> None:
    """Requirements that exclude each other select no version."""
    assert selected(to_constraints(text), (*RELEASES, *PRERELEASES)) == set()


@pytest.mark.parametrize(
    ("requirements", "constraint"),
    [
        (("^1.2", "^1.2"), "^1.2"),
        (("^0.1", "^0.2"), "^0.1 || ^0.2"),
        (("0.1", "1"), "^0.1 || ^1"),
        (("^1", "^1.2"), ">=1.0.0, <2.0.0"),
        (("1.*", "3.*"), ">=1.0.0, <2.0.0 || >=3.0.0, <4.0.0"),
        (("^1", "*"), "any"),
        (("^1", "nonsense"), "any"),
        (("^1", ">2, <1"), "^1"),
    ],
)
def test_a_crate_that_is_named_twice_has_one_range(
    requirements: tuple[str, ...], constraint: str
) -> None:
    """Requirements for several targets become their union."""
    assert to_constraints(*requirements) == constraint
    if constraint != "any":
        apart = (selected(to_constraints(text), RELEASES) for text in requirements)
        assert selected(constraint, RELEASES) == set.union(*apart)


comparator = st.builds(
    "{}{}".format,
    st.sampled_from(["", "^", "~", "=", ">", ">=", "<", "<=", "> "]),
    st.lists(st.sampled_from("0123"), min_size=1, max_size=3).map(".".join)
    | st.sampled_from(["1.*", "1.2.*", "1.2.3-rc.1", "2.0.0-0", "1.2.3+b1"]),
)
requirements = st.lists(comparator, min_size=1, max_size=3).map(", ".join)


@given(requirements)
def test_all_comparators_hold(requirement: str) -> None:
    """A comma means "and": each comparator must hold."""
    apart = [selected(to_constraints(part), RELEASES) for part in requirement.split(",")]
    assert selected(to_constraints(requirement), RELEASES) == set.intersection(*apart)


@given(requirements)
def test_rewriting_twice_changes_nothing(requirement: str) -> None:
    """Translating a constraint again returns the same constraint."""
    constraint = to_constraints(requirement)
    assert constraint in {"any", "<0.0.0-0"} or to_constraints(constraint) == constraint


@given(st.text(max_size=30) | st.text("0123.x*^~<>=, -+ab", max_size=30))
def test_any_text_gives_a_constraint_that_readers_parse(text: str) -> None:
    """For any text in the index, the readers can evaluate the constraint."""
    selected(to_constraints(text), RELEASES)


@pytest.mark.parametrize(
    "parts",
    [
        ("", "1.", ""),
        ("1.1.", "1", "!"),
        ("", "^", ""),
        ("", " ", "1"),
        ("", ",", ""),
        ("", ">=1, ", ""),
        ("1.0.0-", "a.", "!"),
        ("1.0.0-", "-", ""),
    ],
)
def test_hostile_requirements_take_linear_time(parts: tuple[str, str, str]) -> None:
    """Adversarial texts are parsed in linear time; longer texts are not parsed."""
    assert_linear(parse_range, parts, MAX_RANGE_LENGTH)
    too_long = "x" * (MAX_RANGE_LENGTH + 1)
    assert calls(parse_range, too_long * 250) == calls(parse_range, too_long)
