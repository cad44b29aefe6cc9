"""The ecosystems' own orders of versions, for the bounds of advisories."""

from collections.abc import Iterator
from functools import cmp_to_key
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem, ecosystems
from tests.properties import examples
from tests.unit.maven_judge import MavenJudge
from tests.unit.test_maven_versions import any_version, usual

TABLES = [
    ("maven", "maven-versions.txt", 102),
    ("maven", "maven-versions-generated.txt", 10_235),
    ("pypi", "pypi-versions.txt", 37),
    ("pypi", "pypi-versions-generated.txt", 8_577),
    ("rubygems", "rubygems-versions.txt", 25),
    ("rubygems", "rubygems-versions-generated.txt", 2_823),
    ("nuget", "nuget-versions.txt", 35),
    ("npm", "semver-versions.txt", 86),
    ("cargo", "semver-versions.txt", 86),
]


CHANGED_IN_MAVEN = [
    ("6.1.12.rc5", "<", "6.1.12rc1"),
    ("1.1.31.sec10", "<", "1.1.31_noneautotype"),
    ("1.1.34.sec10", "<", "1.1.34_noneautotype"),
    ("1.1.46.sec10", "<", "1.1.46_noneautotype"),
    ("1.2.48.sec10", "<", "1.2.48_noneautotype"),
    ("1.2.50.sec10", "<", "1.2.50_noneautotype"),
    ("1.2.54.sec10", "<", "1.2.54_noneautotype"),
    ("1.2.60.sec10", "<", "1.2.60_noneautotype"),
    ("1.2.67.sec10", "<", "1.2.67_noneautotype"),
    ("1.0.0rc0", "<", "1.0.beta8"),
    ("1.5.9.RC1", "<", "1.5.9-RC0"),
]
"""The rows were generated with a Maven before 3.8.7, where the dot before a qualifier was no hyphen
(``1.0.0rc0 < 1.0.beta8``)."""


def compare(name: str, left: str, right: str) -> str:
    """``<``, ``=`` or ``>`` in that ecosystem's own order."""
    first, second = ecosystem(name).advisory_key(left), ecosystem(name).advisory_key(right)
    return "<" if first < second else ">" if second < first else "="


def rows(table: Path) -> Iterator[tuple[str, str, str]]:
    """The comparisons of a truth table."""
    for line in table.read_text().splitlines():
        if line.strip() and not line.startswith(("//", "#")):
            left, sign, right = line.split()
            yield left, sign, right


@pytest.mark.recordings
@pytest.mark.parametrize(("name", "table", "size"), TABLES)
def test_truth_tables(version_order: Path, name: str, table: str, size: int) -> None:
    """Every row is correct, also in reverse, except for those that Maven has changed since."""
    found = list(rows(version_order / table))
    assert len(found) == size
    wrong = [row for row in found if compare(name, row[0], row[2]) != row[1]]
    assert wrong == (CHANGED_IN_MAVEN if table == "maven-versions-generated.txt" else [])
    mirrored = {"<": ">", "=": "=", ">": "<"}
    reverse = [row for row in found if compare(name, row[2], row[0]) != mirrored[row[1]]]
    assert reverse == wrong


def test_rows_that_maven_has_changed(maven: MavenJudge) -> None:
    """Maven itself contradicts exactly these rows: it says the opposite, and so does this order."""
    for left, sign, right in CHANGED_IN_MAVEN:
        assert (sign, maven.compare(left, right)) == ("<", 1)
        assert compare("maven", left, right) == ">"


@pytest.mark.parametrize(
    ("name", "left", "sign", "right"),
    [
        ("maven", "4.3.15", "=", "4.3.15.RELEASE"),
        ("maven", "4.1.115", "=", "4.1.115.Final"),
        ("maven", "1-0-alpha", "=", "1-alpha"),
        ("maven", "1.0.alpha", "<", "1"),
        ("maven", "1.0.Beta1", "=", "1.Beta1"),
        ("maven", "4.1.0.0.Beta1", "<", "4.1.Beta2"),
        ("maven", "1.0.foo", "=", "1.foo"),
        ("maven", "1.0.Beta-1", ">", "1.Beta-1"),
        ("maven", "1.0.Beta.1", ">", "1.Beta.1"),
        ("maven", "1.0.alpha", "=", "1-alpha"),
        ("maven", "1.0.alpha.1", ">", "1-alpha.1"),
        ("maven", "1.final.2", ">", "1"),
        ("maven", "1.final.alpha", "<", "1"),
        ("maven", "1.foo", ">", "1"),
        ("maven", "-alpha", "<", "0"),
        ("maven", "a b", "<", "0-alpha"),
        ("nuget", "1.0.0-beta.01", "=", "1.0-BETA.1"),
        ("nuget", "1.0.0-beta.2", ">", "1.0.0-beta.01"),
        ("nuget", "next", "<", "0.0.0-0"),
        ("pypi", "2004d", "<", "0.dev0"),
        ("pypi", "1.0-final-2", ">", "1.0-final"),
        ("npm", "1.0.0-0", "<", "1.0.0-alpha"),
        ("npm", "not-a-version", "<", "0.0.0-0"),
        ("cargo", "0.1.3-0", "<", "0.1.3-alpha"),
        ("rubygems", "1.0.pre", "<", "1.0"),
    ],
)
def test_single_comparisons(name: str, left: str, sign: str, right: str) -> None:
    """Cases that are not in the tables: unparsable versions, and parts without meaning."""
    assert compare(name, left, right) == sign


piece = st.sampled_from(
    ["0", "1", "2", "10", "01", ".", ".", "-", "+", "a", "b1", "rc", "alpha", "dev", "post", "pre",
     "final", "foo", "v", "!", "_", " ", "RELEASE", "\N{SUPERSCRIPT TWO}", "\N{KELVIN SIGN}"]
)  # fmt: skip
texts = st.lists(piece, min_size=1, max_size=7).map("".join) | st.text(max_size=12)


@pytest.mark.parametrize("name", ecosystems())
@given(found=st.lists(texts | usual | any_version, min_size=3, max_size=3))
@examples(3)
def test_orders_are_total(name: str, found: list[str]) -> None:
    """Any two texts are comparable, and the order is transitive."""
    left, middle, right = found
    assert (compare(name, left, right) == "<") == (compare(name, right, left) == ">")
    if compare(name, left, middle) != ">" and compare(name, middle, right) != ">":
        equal = compare(name, left, middle) == compare(name, middle, right) == "="
        assert compare(name, left, right) == ("=" if equal else "<")


@pytest.mark.parametrize("name", ecosystems())
@given(found=st.lists(texts, max_size=12))
def test_what_is_equal_has_equal_keys(name: str, found: list[str]) -> None:
    """Sort keys give the same order as comparisons."""
    key = ecosystem(name).advisory_key
    for left in found:
        for right in found:
            assert (key(left) == key(right)) == (compare(name, left, right) == "=")
    signs = {"<": -1, "=": 0, ">": 1}

    def compared(left: str, right: str) -> int:
        return signs[compare(name, left, right)]

    assert sorted(found, key=cmp_to_key(compared)) == sorted(found, key=key)


@pytest.mark.parametrize("name", ecosystems())
@given(text=texts, version=texts)
def test_bounds_are_versions(name: str, text: str, version: str) -> None:
    """Unparsable versions come before every version, and so before every bound."""
    cls = ecosystem(name)
    if cls.own_order(text) is not None and cls.own_order(version) is None:
        assert cls.advisory_key(version) < cls.advisory_key(text)


@pytest.mark.parametrize("text", ["eval()", "1.2, 1.3", "", "*", "1.0 || 2.0", "<1.0"])
@pytest.mark.parametrize("name", ecosystems())
def test_what_bounds_nothing(name: str, text: str) -> None:
    """Texts that occur as bounds in records and are not versions."""
    assert ecosystem(name).own_order(text) is None


@given(left=usual, right=usual)
@examples(4)
def test_maven_agrees(left: str, right: str, maven: MavenJudge) -> None:
    """Versions with qualifiers after hyphens or dots have Maven's own order."""
    signs = {-1: "<", 0: "=", 1: ">"}
    assert compare("maven", left, right) == signs[maven.compare(left, right)]


@pytest.mark.parametrize(
    ("name", "left", "right", "same"),
    [
        ("pypi", "jw.util", "jw-util", True),
        ("pypi", "Ruamel_YAML", "ruamel.yaml", True),
        ("pypi", "\N{KELVIN SIGN}eras", "keras", False),
        ("nuget", "Newtonsoft.Json", "newtonsoft.json", True),
        ("nuget", "\N{KELVIN SIGN}estrel", "kestrel", False),
        ("npm", "JSONStream", "jsonstream", False),
        ("maven", "org.a:B", "org.a:b", False),
        ("rubygems", "RedCloth", "redcloth", False),
        ("cargo", "Inflector", "inflector", False),
    ],
)
def test_names(name: str, left: str, right: str, same: bool) -> None:  # noqa: FBT001
    """PyPI and NuGet compare names without case; similar letters of other scripts never match."""
    cls = ecosystem(name)
    assert (cls.advisory_name(left) == cls.advisory_name(right)) is same
