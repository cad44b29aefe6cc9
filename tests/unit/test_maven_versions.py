"""Maven's versions in the order of the graph's readers."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.ecosystems.maven.versions import MAX_VERSION_LENGTH, is_prerelease, sort_key
from ssc_ingest.models import Version, VersionName
from tests.properties import examples
from tests.unit.maven_judge import MavenJudge
from tests.unit.maven_readers import compare


def sign(left: str, right: str) -> int:
    """-1, 0 or 1 by our order."""
    first, second = sort_key(left), sort_key(right)
    assert first is not None
    assert second is not None
    return int(first > second) - int(first < second)


# From https://maven.apache.org/pom.html#Version_Order_Specification
ASCENDING = (
    "1-alpha-1", "1-alpha-2", "1-beta", "1-milestone", "1-rc", "1-SNAPSHOT", "1", "1-sp", "1-foo2",
    "1-foo10", "1-1", "1.1",
)  # fmt: skip
EQUAL = (
    ("1", "1.0.0"), ("1", "1.ga"), ("1.0", "1-final"), ("1-a1", "1-alpha-1"), ("1-b2", "1-beta-2"),
    ("1-m3", "1-milestone-3"), ("1-cr", "1-rc"), ("1.0.0.Final", "1"), ("1-RC1", "1-rc1"),
    ("1.x", "1.X"), ("01", "1"), ("v1", "1"),
)  # fmt: skip


def test_documented_order() -> None:
    """Known qualifiers come before the release, others and numbers after it."""
    for lower, higher in pairwise(ASCENDING):
        assert sign(lower, higher) == -1, (lower, higher)
        assert compare(lower, higher) == -1, (lower, higher)


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_documented_equality(left: str, right: str) -> None:
    """Trailing zeros, aliases and case make no difference."""
    assert sign(left, right) == compare(left, right) == 0


@pytest.mark.parametrize("text", ["", "9" * 5000, "1." + "²", "a" * (MAX_VERSION_LENGTH + 1)])
def test_what_is_no_version(text: str) -> None:
    """Texts that the readers or repositories reject have no position."""
    assert sort_key(text) is None
    assert not is_prerelease(text)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0", False), ("1.0-alpha", True), ("1.0.Beta1", True), ("1.0-b01", True),
        ("2.0.0-M3", True), ("2.0.0.M3", True), ("1.0-rc1", True), ("1.0.CR2", True),
        ("1.0-SNAPSHOT", True), ("1.0-20240101.101010-1", False), ("33.0-jre", False),
        ("1.0.0.RELEASE", False), ("1.0.Final", False), ("1-sp1", False), ("1.0-1", False),
        ("r09", False), ("22.0-rc1-android", True), ("1.0-0-alpha", True), ("2.0-preview", False),
    ],
)  # fmt: skip
def test_prereleases(version: str, expected: bool) -> None:  # noqa: FBT001
    """Versions with a qualifier that Maven sorts before the release, at any depth."""
    assert is_prerelease(version) is expected


number = st.sampled_from(["0", "1", "2", "10", "20040616"])
numbers = st.lists(number, min_size=1, max_size=4).map(".".join)
hyphenated = st.sampled_from(
    ["", "-alpha", "-beta-1", "-rc1", "-RC2", "-M1", "-SNAPSHOT", "-jre", "-android", "-GA", "-b01",
     "-1", "-20200101", "-rc-1", "-sp-1"],
)  # fmt: skip
dotted = st.sampled_from(
    ["", ".Final", ".RELEASE", ".Beta1", ".CR1", ".GA", ".SP1", ".Alpha2", ".v20200101"]
)
usual = st.one_of(
    st.builds("{}{}".format, numbers, hyphenated), st.builds("{}{}".format, numbers, dotted)
)
part = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "10",
        ".",
        ".",
        "-",
        "-",
        "a",
        "b",
        "alpha",
        "rc",
        "sp",
        "foo",
        "final",
        "snapshot",
    ]
)
any_version = st.lists(part, min_size=1, max_size=8).map("".join)


@given(data=st.data(), length=st.integers(1, 4), style=st.sampled_from([hyphenated, dotted]))
@examples(4)
def test_a_project_s_usual_versions_are_ordered_as_the_readers_order_them(
    data: st.DataObject, length: int, style: st.SearchStrategy[str]
) -> None:
    """Within one style (number of parts, hyphens or dots) both agree."""
    release = st.lists(number, min_size=length, max_size=length).map(".".join)
    left, right = (data.draw(st.builds("{}{}".format, release, style)) for _ in range(2))
    assert sign(left, right) == compare(left, right)


@given(left=usual | any_version, right=usual | any_version, third=usual | any_version)
@examples(4)
def test_the_order_is_total(left: str, right: str, third: str) -> None:
    """Any two versions are comparable, and no three form a cycle."""
    keys = [sort_key(text) for text in (left, right, third)]
    assume(None not in keys)
    assert sign(left, right) == -sign(right, left)
    if sign(left, right) <= 0 and sign(right, third) <= 0:
        assert sign(left, third) == min(sign(left, right), sign(right, third))


@given(version=usual, release=numbers)
@examples(4)
def test_every_version_is_on_the_readers_side_of_a_release(version: str, release: str) -> None:
    """Every version is before or after a plain release, as for the readers."""
    assume(sign(version, release) != 0)
    assert sign(version, release) == compare(version, release)


@given(left=usual, right=usual)
@examples(4)
def test_where_the_readers_differ_maven_agrees_with_us(
    left: str, right: str, maven: MavenJudge
) -> None:
    """The readers' comparison has cycles between dots and hyphens."""
    if sign(left, right) != compare(left, right):
        assert sign(left, right) == maven.compare(left, right)


def test_versions_tie_and_stay_apart() -> None:
    """Two spellings of one number are two versions, ordered by date."""
    dated = [
        ("1.0.0", "2020"),
        ("1.0", "2021"),
        ("1", None),
        ("0.9", None),
        ("\N{SUPERSCRIPT TWO}", None),
    ]
    ordered = Maven.order([(VersionName(name), date) for name, date in dated])
    assert ordered == ["\N{SUPERSCRIPT TWO}", "0.9", "1", "1.0.0", "1.0"]


@pytest.mark.parametrize(
    ("versions", "latest"),
    [
        (["1.0", "1.1", "2.0-rc1"], "1.1"),
        (["1.0-alpha", "1.0-beta"], "1.0-beta"),
        (["1.0", "1.1", "1.2", "20030203.000550"], "1.2"),
        (["20070829", "20080701", "20090211", "chargebee-1.0"], "20090211"),
        (["20030203"], "20030203"),
        (["r03", "r09", "10.0"], "10.0"),
        ([], None),
    ],
)
def test_latest(versions: list[str], latest: str | None) -> None:
    """The highest release is the latest; a few dates from the early years do not count."""
    ref = Maven.ref("g:a")
    ordered = [
        Version(name=name, purl=Maven.version_purl(ref, name), release_date=None, requirements=())
        for name in Maven.order((VersionName(version), None) for version in versions)
    ]
    assert Maven.latest(ordered) == latest
