"""Maven's requirements become constraints that select the same versions as Maven's ranges."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.constraints import MAX_RANGE_LENGTH, parse_range, to_constraints
from tests.properties import examples
from tests.unit.hostile import assert_linear, calls
from tests.unit.maven_judge import MavenJudge, Refused
from tests.unit.maven_readers import VERSIONS, selected


@pytest.mark.parametrize(
    "text",
    [
        "[1.2.3]", "[1.0]", "[1.0-rc1]", "[1,2)", "[1.0,2.0]", "(1.0,2.0)", "(1.0,2.0]", "[1.0,)",
        "(1.0,)", "(,2.0]", "(,2.0)", "[1.0,1.2),[1.5,)", "(,1.0],[1.2,)", "(,1.1),(1.1,)",
        "[1],[2],[3]", "[1.0],[1.5,2.0)", "[1.0-alpha,1.0)", "[1.0-SNAPSHOT,2.0-SNAPSHOT)",
        "[1.0.Final,)", "(,1.0-beta2]", "[1.10,2.0)",
    ],
)  # fmt: skip
def test_ranges_stay_as_they_are(text: str, maven: MavenJudge) -> None:
    """Disjoint intervals in ascending order are valid for the readers."""
    assert to_constraints(text) == text
    assert selected(text, VERSIONS) == maven.contained(text, VERSIONS)


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        (" [ 1.0 , 2.0 ) ", "[1.0,2.0)"),
        ("[1.0,1.0]", "[1.0]"),
        ("[1.0,1.0.0]", "[1.0]"),
        ("[1.0,]", "[1.0,)"),
        ("[,2.0]", "(,2.0]"),
        ("[1.0,2.0) , [3.0,)", "[1.0,2.0),[3.0,)"),
        ("[1,2)[3,4)", "[1,2),[3,4)"),
        ("(,1.0],[1.0,)", "any"),
        ("(,)", "any"),
        ("[1.0,1.5),[1.5,2.0)", "[1.0,2.0)"),
        ("[1.0],[1.0]", "[1.0]"),
    ],
)
def test_other_spellings_are_normalised(text: str, constraint: str, maven: MavenJudge) -> None:
    """Spaces, empty bounds and adjoining intervals are written in the readers' form."""
    assert to_constraints(text) == constraint
    assert selected(constraint, VERSIONS) == maven.contained(text.strip(), VERSIONS)


def test_release_is_a_qualifier_to_the_readers() -> None:
    """Today's Maven ignores ``RELEASE``; the readers sort it after the release."""
    constraint = to_constraints("[1.0.0.RELEASE,2.0.0.RELEASE)")
    assert constraint == "[1.0.0.RELEASE,2.0.0.RELEASE)"
    versions = ["1.0", "1.0.0.RELEASE", "2.0", "2.0.0.RELEASE"]
    assert selected(constraint, versions) == {"1.0.0.RELEASE", "2.0"}


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3",
        "1.0",
        "1",
        "1.0-SNAPSHOT",
        "31.1-jre",
        "2.0.0.RELEASE",
        "r09",
        "1.0-alpha-1",
    ],
)
def test_bare_versions_get_brackets(text: str) -> None:
    """A soft requirement is the version that an installation selects."""
    assert to_constraints(text) == to_constraints(f" {text}\n") == f"[{text}]"
    assert selected(f"[{text}]", [text, "0.1-never"]) == {text}


@pytest.mark.parametrize(
    "text",
    [
        "", " ", None, "${x}", "1.${minor}", "[${a},${b})",
        "LATEST", "RELEASE", "[1.0", "1.0]", "[1.0)",
        "(1.0)", "(1.0]", "[]", "()", "[,", "1.0,2.0", "1.0, 2.0", "[2.0,1.0]",
        "(1.0,1.0)", "[1.0,1.0)",
        "[1,2,3]", "x y", "[1,2)3", "[1.0],2.0", "\x00", "²", "[²,3)", "[" * 1000,
        "9" * 5000, "[1,2)," * 2000,
    ],
)  # fmt: skip
def test_no_range_is_any(text: str | None) -> None:
    """A missing, unresolved or invalid range means any version."""
    assert to_constraints(text) == "any"


def test_a_letter_before_a_version_is_left_out() -> None:
    """The readers ignore a "v" in a version's name, but not in a range."""
    assert to_constraints("v2") == "[2]"
    assert to_constraints("[0.9],[v2]") == "[0.9],[2]"
    assert selected("[2]", ["v2"]) == {"v2"}


def test_several_requirements_unite() -> None:
    """A package that is declared twice may be installed in either version."""
    assert to_constraints("2.0", "1.0") == "[1.0],[2.0]"
    assert to_constraints("1.0", "1.0") == "[1.0]"
    assert to_constraints("[1,2)", "1.5") == "[1,2)"
    assert to_constraints("[1,2)", "[1.5,3]", "4") == "[1,3],[4]"
    assert to_constraints("1.0", None) == "any"


bound = st.sampled_from(
    ["", "0.9", "1", "1.0", "1.0-rc1", "1.2", "1.5", "2.0-alpha", "2.0", "2.1", "v2", "3.0"]
)
comma = st.sampled_from([",", " , ", ", "])
opening, closing = st.sampled_from("[("), st.sampled_from("])")
interval = st.one_of(
    st.builds("{}{}{}".format, opening, bound, closing),
    st.builds("{}{}{}{}{}".format, opening, bound, comma, bound, closing),
)
ranges = st.lists(interval, min_size=1, max_size=3).map(",".join) | bound


@given(text=ranges)
@example(text="(,1.0],[1.2,)")
@examples(3)
def test_constraints_select_what_maven_selects(text: str, maven: MavenJudge) -> None:
    """For every valid range, the readers select Maven's versions; other texts are harmless."""
    constraint = to_constraints(text)
    found = selected(constraint, VERSIONS)
    try:
        admitted = maven.contained(text, VERSIONS)
    except Refused:
        return
    if parse_range(text) is None or "v" in text:
        return  # an empty interval, which Maven takes for a range; a "v", which readers ignore
    if text.startswith(("[", "(")):  # a bare version is a preference, which Maven gives up at need
        assert found == admitted, constraint


@given(text=st.text(alphabet="[](),.-1 20av$x", max_size=30))
@examples(3)
def test_whatever_is_written_is_understood(text: str) -> None:
    """The readers can evaluate every constraint."""
    constraint = to_constraints(text)
    assert constraint
    selected(constraint, VERSIONS)


@pytest.mark.parametrize(
    "parts",
    [
        ("", "[", ""),
        ("", "(,)", ""),
        ("", "[1],", ""),
        ("[", "1", ""),
        ("", ",", ""),
        ("", " ", "1"),
        ("[", " ", ""),
        ("[1,2)", " ", "x"),
    ],
)
def test_hostile_ranges_take_linear_time(parts: tuple[str, str, str]) -> None:
    """Adversarial texts are parsed in linear time; longer texts are not parsed."""
    assert_linear(parse_range, parts, MAX_RANGE_LENGTH)
    too_long = "x" * (MAX_RANGE_LENGTH + 1)
    assert calls(parse_range, too_long * 250) == calls(parse_range, too_long)
