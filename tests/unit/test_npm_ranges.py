"""npm's ranges become constraints that select the same versions as npm's own semver."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.npm.ranges import MAX_RANGE_LENGTH, parse_range, to_constraints
from tests.missing import skip
from tests.properties import examples
from tests.unit.hostile import assert_linear, calls
from tests.unit.semver_readers import PRERELEASES, RELEASES, selected

Judge = Callable[[str], set[str] | None]

SERVE = """
const semver = require(process.argv[1]);
const lines = require('readline').createInterface({input: process.stdin});
lines.on('line', line => {
  const {range, versions} = JSON.parse(line);
  let answer = null;
  try {
    const parsed = new semver.Range(range, {loose: true});
    answer = versions.filter(version => parsed.test(version));
  } catch (error) {}
  console.log(JSON.stringify(answer));
});
"""


@pytest.fixture(scope="session")
def node_semver() -> Iterator[Judge]:
    """The versions that npm's own semver selects; ``None`` for an invalid range."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        skip("node and npm are needed to compare with npm's own semver")
    module = Path(npm).resolve().parents[1] / "node_modules" / "semver"
    with subprocess.Popen(
        [node, "-e", SERVE, str(module)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def judge(text: str) -> set[str] | None:
            versions = (*RELEASES, *PRERELEASES)
            stdin.write(json.dumps({"range": text, "versions": versions}) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
            return None if answer is None else set(answer)

        yield judge
        stdin.close()


@pytest.mark.parametrize(
    "text",
    [
        "^1.2.3", "^1.2", "^1", "^0.1", "^0.1.2", "^0.0.3", "^1.2.3-beta.2", "~1.2.3", "~1.2", "~1",
        "~0", "1.x", "0.x", "1.2.x", "=1.2.3", "=1.2.3-rc.1", ">=1.2.3", ">=1.2", ">=1", ">1.2.3",
        "<2.0.0", "<2", "<=1.2.3", ">=1.2.3 <2", "<2 >=1.2.3", ">=1.0.0-rc <2.0.0", "1.2.3 - 2.3.4",
        "1.2 - 2.3", "1 - 2", "^1.2.3 || ^2.0.0", "^2 || ^1", "1.x || >=3.0.0 || 2.0.0 - 2.2.3",
        "<1.0.0 || >=2.3.1",
    ],
)  # fmt: skip
def test_what_the_readers_understand_stays(text: str, node_semver: Judge) -> None:
    """A maintainer's spelling is kept if the readers evaluate it like npm."""
    assert to_constraints(text) == text
    admitted = node_semver(text) or set()
    assert selected(text, RELEASES) == admitted & set(RELEASES)


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("1.2.3", "=1.2.3"),
        ("v1.2.3", "=1.2.3"),
        ("1", ">=1.0.0 <2.0.0"),
        ("1.2", ">=1.2.0 <1.3.0"),
        ("1.2.*", ">=1.2.0 <1.3.0"),
        ("1.X", ">=1.0.0 <2.0.0"),
        ("1.x.x", ">=1.0.0 <2.0.0"),
        ("^0", ">=0.0.0 <1.0.0"),
        ("^0.x", ">=0.0.0 <1.0.0"),
        ("^0.0", ">=0.0.0 <0.1.0"),
        ("^1.x", ">=1.0.0 <2.0.0"),
        ("~>1.2", ">=1.2.0 <1.3.0"),
        ("~1.2.3-beta.2", ">=1.2.3-beta.2 <1.3.0"),
        ("^ 1.2", "^1.2"),
        (">= 1.2.3  <2", ">=1.2.3 <2"),
        ("^1.2.3+build", "^1.2.3"),
        (">1", ">=2.0.0"),
        (">1.2", ">=1.3.0"),
        ("<=1.5", "<1.6.0"),
        ("<=1", "<2.0.0"),
        (">=1.2.x", ">=1.2.0"),
        ("^1.2.3 <1.5", ">=1.2.3 <1.5.0"),
        (">=1.2.3 >=1.3.0 <2 <=1.5.0", ">=1.3.0 <=1.5.0"),
        (">=1.2.3 <=1.2.3", "=1.2.3"),
        ("1.2.3 - 1.2.3", "=1.2.3"),
        ("1.2.3 || 1.2.3", "=1.2.3"),
        ("^1.2.3 || ^1.3.0", ">=1.2.3 <2.0.0"),
        ("^1.0.0||^1.0.0", "^1.0.0"),
        ("1.2.3||2", "=1.2.3 || >=2.0.0 <3.0.0"),
        ("<1.0.0 || >1.0.0", "<1.0.0 || >1.0.0"),
        ("1.0.0beta", "=1.0.0-beta"),
        ("latest || ^1.0.0", "^1.0.0"),
    ],
)
def test_what_the_readers_misread_is_spelled_out(
    text: str, constraint: str, node_semver: Judge
) -> None:
    """Other ranges become intervals of the same versions."""
    assert to_constraints(text) == constraint
    admitted = node_semver(text) or set()
    assert selected(constraint, RELEASES) == admitted & set(RELEASES)


@pytest.mark.parametrize("text", [">2 <1", "<0.0.0-0", ">1.2.3 <1.2.3", "<0", ">*", "2 - 1"])
def test_empty_ranges_select_nothing(text: str, node_semver: Judge) -> None:
    """An empty range has npm's spelling, so the readers select nothing."""
    constraint = to_constraints(text)
    assert selected(constraint, (*RELEASES, *PRERELEASES)) == node_semver(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "*", "x", "X", "=*", ">=*", "<=*", "^*", "~x", "x.x.x", "*.*", ">=0.0.0", ">=0",
        "^1.0.0 || *", "<1 || >=0.5",
        "latest", "next", "1.2.3.4", "v", "file:../x", "workspace:^1.0.0", "link:./x", "owner/repo",
        "github:owner/repo#v1.0.0", "git+https://github.com/o/r.git#semver:^1.0", "catalog:",
        "git@github.com:o/r.git", "https://example.org/x-1.0.0.tgz", ">=99999999999999999999",
        "not a range", "1.x.3", "é", "\x00",
        "1.0.0-" + "1" * 5000, "^1.0.0-" + "1" * 300 + " || ^1",
    ],
)  # fmt: skip
def test_no_bound_and_no_range_is_any(text: str) -> None:
    """Ranges without bounds mean any version; so do tags, addresses, paths and nonsense."""
    assert to_constraints(text) == "any"


def test_several_ranges_unite() -> None:
    """A package that is required twice may be installed in either range."""
    assert to_constraints("^1.0.0", "^3.0.0") == "^1.0.0 || ^3.0.0"
    assert to_constraints("^1.0.0", "^1.2.0") == ">=1.0.0 <2.0.0"
    assert to_constraints("^1.0.0", "latest") == "any"


@pytest.mark.parametrize(
    "parts",
    [
        ("", "1", ""),
        ("1.1.", "1", "!"),
        ("", "^", ""),
        ("", " ", "1"),
        ("", "1 ", ""),
        ("1.1.1 - 1.1.", "1", "!"),
        ("1.1.1-", "0.", "!"),
        ("", "||", ""),
        ("", "-", ""),
        ("", ">=1.0.0 ", ""),
        ("", "1.0.0 || ", ""),
        ("", "v", ""),
        ("1.0.0-", "-", ""),
    ],
)
def test_hostile_ranges_take_linear_time(parts: tuple[str, str, str]) -> None:
    """Adversarial texts are parsed in linear time; longer texts are not parsed."""
    assert_linear(parse_range, parts, MAX_RANGE_LENGTH)
    too_long = "x" * (MAX_RANGE_LENGTH + 1)
    assert calls(parse_range, too_long * 250) == calls(parse_range, too_long)


part = st.sampled_from(["0", "0", "1", "1", "2", "2", "3", "x", "*", "X"])
partial = st.lists(part, min_size=1, max_size=3).map(".".join)
complete = st.builds(
    "{}{}.{}.{}{}{}".format,
    st.sampled_from(["", "", "", "v", "="]),
    *[st.integers(0, 2)] * 3,
    st.sampled_from(["", "", "", "", "-0", "-alpha", "-beta.2", "rc", "-01"]),
    st.sampled_from(["", "", "", "+b1", "+b.x"]),
)
version = complete | partial
operator = st.sampled_from(["", "", "^", "^", "~", "~>", ">", ">=", "<", "<=", "=", "=="])
comparator = st.builds("{}{}{}".format, operator, st.sampled_from(["", "", " "]), version)
sets = st.one_of(
    st.lists(comparator, min_size=1, max_size=3).map(" ".join),
    st.builds("{} - {}".format, version, version),
    st.sampled_from(["", "*", "latest", "file:../x", "1.x.3"]),
)
ranges = st.lists(sets, min_size=1, max_size=3).map("||".join)


@given(text=ranges)
@example(text="^0.0 || 0.1.x || <=2.0 >=1.2")
@examples(2)
def test_constraints_select_what_npm_selects(text: str, node_semver: Judge) -> None:
    """The readers select npm's releases, and all of npm's prereleases."""
    constraint = to_constraints(text)
    admitted = node_semver(text)
    if admitted is None:
        assert constraint == "any"
        return
    found = selected(constraint, (*RELEASES, *PRERELEASES))
    assert found & set(RELEASES) == admitted & set(RELEASES)
    assert admitted <= found


@given(ranges)
def test_rewriting_twice_changes_nothing(text: str) -> None:
    """Translating a constraint again returns the same constraint."""
    constraint = to_constraints(text)
    assert constraint == "any" or to_constraints(constraint) == constraint


@given(st.text(max_size=40) | st.text("0123.x*^~<>=|- v+ab", max_size=40))
def test_any_text_gives_a_constraint_that_readers_parse(text: str) -> None:
    """For any text in a manifest, the readers can evaluate the constraint."""
    selected(to_constraints(text), RELEASES)
