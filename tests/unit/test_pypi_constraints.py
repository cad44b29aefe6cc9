"""PEP 440 specifiers become constraints that the graph's readers evaluate equally."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from univers.version_range import PypiVersionRange
from univers.versions import PypiVersion

from ssc_ingest.ecosystems.intervals import hull, intersection
from ssc_ingest.ecosystems.pypi.constraints import ALL, interval_of, spell

numbers = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(
    lambda parts: ".".join(map(str, parts))
)


@st.composite
def versions(draw: st.DrawFn) -> str:
    """Public versions of every kind, close together so that bounds coincide."""
    epoch = draw(st.sampled_from(["", "", "", "", "1!"]))
    pre = draw(st.sampled_from(["", "", "", "a1", "rc1", "rc2"]))
    post = draw(st.sampled_from(["", "", "", ".post1"]))
    dev = draw(st.sampled_from(["", "", "", ".dev1"]))
    return f"{epoch}{draw(numbers)}{pre}{post}{dev}"


plain = st.builds("{}{}".format, st.sampled_from(["==", "!=", ">=", "<="]), versions())
exclusive = st.builds("{}{}".format, st.sampled_from(["<", ">"]), versions())
compatible = st.builds(
    "~={}.{}".format, st.integers(0, 3), versions().filter(lambda v: "!" not in v)
)
prefixed = st.builds("=={}.*".format, numbers)
arbitrary = st.builds("==={}".format, versions())


def specifier_sets(*clauses: st.SearchStrategy[str]) -> st.SearchStrategy[SpecifierSet]:
    """Sets of one to four clauses of the given kinds."""
    return st.lists(st.one_of(*clauses), min_size=1, max_size=4).map(
        lambda texts: SpecifierSet(",".join(texts))
    )


def read(constraints: str, version: str) -> bool:
    """Whether the graph's readers select the version."""
    if constraints == "any":
        return True
    parsed = PypiVersionRange.from_native(constraints)  # type: ignore[no-untyped-call]
    return PypiVersion(version) in parsed


RELEASES = (
    "0", "0.9", "1.0", "1.1", "1.2", "1.2.3", "1.2.9", "1.3", "1.3.5", "1.4", "1.4.0.1",
    "1.4.1", "1.4.2", "1.4.9", "1.5", "1.5.1", "1.6", "1.19", "1.19.7", "1.20", "2", "2.2",
    "2.2.post3", "2.3", "3", "3.1", "4", "1!2.3", "1!2.9", "1!3",
)  # fmt: skip


@pytest.mark.parametrize(
    ("specifiers", "constraints"),
    [
        ("", "any"),
        (">=1.2", ">= 1.2"),
        ("<2,>=1.2", ">= 1.2, < 2"),
        ("==1.2.3", "== 1.2.3"),
        ("==1.2.3+cpu", "== 1.2.3+cpu"),
        ("!=1.5", "!= 1.5"),
        ("!=1.6,!=1.5", ">= 0.dev0, != 1.5, != 1.6"),
        ("<2,!=1.6,!=1.5", "< 2, != 1.5, != 1.6"),
        (">1.0,<=2.0", "> 1.0, <= 2.0"),
        ("~=1.4", ">= 1.4, < 2"),
        ("~=1.4.2", ">= 1.4.2, < 1.5"),
        ("~=1.19.0", ">= 1.19.0, < 1.20"),
        ("~=1.4.2rc1", ">= 1.4.2rc1, < 1.5"),
        ("~=2.2.post3", ">= 2.2.post3, < 3"),
        ("~=1!2.3", ">= 1!2.3, < 1!3"),
        ("~=1.4.0.0", ">= 1.4.0.0, < 1.4.1"),
        ("==1.*", ">= 1, < 2"),
        ("==1.2.*", ">= 1.2, < 1.3"),
        ("==1.19.*", ">= 1.19, < 1.20"),
        ("==1.2.*,!=1.2.3", ">= 1.2, < 1.3, != 1.2.3"),
        ("===1.0", "== 1.0"),
        ("===2004d-custom", "any"),
        ("!=1.2.*", "any"),
        (">=1.2,!=1.3.*", ">= 1.2"),
        # Bounds that say the same twice, or more than is needed
        (">=1,>=2,<=3,<4", ">= 2, <= 3"),
        (">=1,>1", "> 1"),
        ("<2,<=2", "< 2"),
        (">=1,<=1", "== 1"),
        ("==1.5,>=1,<2", "== 1.5"),
        (">=2,!=1.0", ">= 2"),
        (">=1.0,!=1.0,<2", ">= 1.0, < 2, != 1.0"),
        ("!=1.5.0,!=1.5", "!= 1.5"),
        # Nothing satisfies these
        (">=2,<1", "< 0.dev0"),
        (">1,<1", "< 0.dev0"),
        ("==1,==2", "< 0.dev0"),
        ("==1,!=1.0", "< 0.dev0"),
    ],
)
def test_constraints(specifiers: str, constraints: str) -> None:
    """Each operator has its spelling, and selects the releases that pip selects.

    A hole that the notation cannot express (``!=1.2.*``), and invalid versions, admit more.
    """
    assert spell(interval_of(SpecifierSet(specifiers))) == constraints
    taken = set(SpecifierSet(specifiers).filter(RELEASES))
    found = {version for version in RELEASES if read(constraints, version)}
    widened = re.search(r"!=.*\*|===.*-", specifiers)
    assert found > taken if widened else found == taken


@given(specifier_sets(plain), versions())
def test_inclusive_operators_select_what_packaging_selects(
    specifiers: SpecifierSet, version: str
) -> None:
    """With ``== != >= <=`` the readers select exactly the versions that pip selects."""
    constraints = spell(interval_of(specifiers))
    assert read(constraints, version) == specifiers.contains(version, prereleases=True)


@given(specifier_sets(plain, exclusive, compatible, prefixed, arbitrary), versions())
def test_all_operators_select_what_packaging_selects(
    specifiers: SpecifierSet, version: str
) -> None:
    """The other operators differ only in pre- and post-releases of a bound."""
    candidate = Version(version)
    interval = interval_of(specifiers)
    edges = {Version(s.version.removesuffix(".*")).base_version for s in specifiers}
    uppers = [interval_of(SpecifierSet(str(s))).upper for s in specifiers]
    edges |= {upper.version.base_version for upper in uppers if upper}
    near = {Version(edge) for edge in edges}
    assume(
        not (candidate.is_prerelease or candidate.is_postrelease)
        or Version(candidate.base_version) not in near
    )
    # "===" compares text; the readers cannot, so that 1.0 is 1.0.0 to them.
    assume(not any(s.operator == "===" for s in specifiers) or str(candidate) == version)
    strings = [s.version for s in specifiers if s.operator == "==="]
    assume(all(Version(text) != candidate or text == version for text in strings))
    assert read(spell(interval), version) == specifiers.contains(version, prereleases=True)


@given(specifier_sets(plain, exclusive, compatible, prefixed), versions())
def test_text_and_interval_agree(specifiers: SpecifierSet, version: str) -> None:
    """The text selects the versions of the interval, also at its bounds."""
    interval = interval_of(specifiers)
    assert read(spell(interval), version) == (Version(version) in interval)


@given(
    specifier_sets(plain, exclusive, compatible, prefixed),
    specifier_sets(plain, exclusive, compatible, prefixed),
    versions(),
)
def test_joins(one: SpecifierSet, other: SpecifierSet, version: str) -> None:
    """An intersection selects versions of both, a hull at least versions of either."""
    left, right, candidate = interval_of(one), interval_of(other), Version(version)
    both = read(spell(intersection([left, right])), version)
    either = read(spell(hull([left, right])), version)
    assert both == (candidate in left and candidate in right)
    assert either or not (candidate in left or candidate in right)


@given(specifier_sets(plain, exclusive, compatible, prefixed))
def test_joining_with_itself_or_nothing(specifiers: SpecifierSet) -> None:
    """Joining with itself, with all versions or with none has the expected result."""
    interval, nothing = interval_of(specifiers), interval_of(SpecifierSet("<1,>1"))
    assert spell(intersection([interval, interval])) == spell(hull([interval, interval]))
    assert spell(intersection([interval, ALL])) == spell(interval)
    assert spell(hull([interval, ALL])) == "any"
    assert spell(hull([interval, nothing])) == spell(interval)
    assert intersection([interval, nothing]).is_empty


def test_a_gap_between_ranges_is_filled() -> None:
    """The smallest interval around two ranges keeps only the holes that both have."""

    def around(*texts: str) -> str:
        return spell(hull([interval_of(SpecifierSet(text)) for text in texts]))

    assert around("<1", ">=2,<3") == "< 3"
    assert around(">=1,<2,!=1.5", ">=1.2,<3,!=1.5,!=2.5") == ">= 1, < 3, != 1.5, != 2.5"
    assert around("==1.0", "==2.0", "==1.5") == ">= 1.0, <= 2.0"


def test_nothing_is_lower_than_the_lowest_version() -> None:
    """The range for *no version* selects none, and its opposite selects all."""
    for version in ("0", "0.dev0", "0a0.dev0", "0.0.dev1", "1!0", "0.post1"):
        assert not read("< 0.dev0", version)
        assert read(">= 0.dev0, != 5, != 6", version)
