"""Names of gems, and versions in the order of Gem::Version and the graph's readers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL
from univers.versions import InvalidVersion

from ssc_ingest.ecosystems.rubygems import RubyGems
from ssc_ingest.ecosystems.rubygems.versions import parse_version, successor
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import Version, VersionName
from tests.unit.gem_readers import version, versions

# Names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rails", "rspec-core", "http_parser.rb", "-", "_", ".cat", "0mq"])
def test_name_gives_purl(name: str) -> None:
    """All kinds of names of RubyGems.org; the index's guide has the oddest ones."""
    ref = RubyGems.ref(name)
    assert (ref.purl, ref.name, ref.registry_name) == (f"pkg:gem/{name}", name, name)
    assert RubyGems.name_from_purl(PackageURL.from_string(ref.purl)) == name


def test_names_that_differ_in_case_are_two_gems() -> None:
    """The registry has ``ZenTest`` but not ``zentest``, which must not get its versions."""
    assert RubyGems.ref("ZenTest").purl == "pkg:gem/ZenTest"
    assert RubyGems.ref("ZenTest").registry_name == "ZenTest"
    assert RubyGems.ref("ZenTest") != RubyGems.ref("zentest")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a b", "a\n", "\na", "a\x00", "%2e", "é", "a:b", "a,b", "a|b",
     "a" * 256, "a" * 100_000],
)  # fmt: skip
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    """Path tricks, control characters and overlong names never become a URL."""
    with pytest.raises(InvalidName) as refusal:
        RubyGems.ref(name)
    assert len(str(refusal.value)) < 300


def test_import_name_is_the_gem() -> None:
    """Bundler requires a gem by its name."""
    assert RubyGems.fallback_import_name(RubyGems.ref("RedCloth")) == "RedCloth"


# Order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ascending",
    [
        # https://docs.ruby-lang.org/en/master/Gem/Version.html, "Prereleases sort between"
        ["0.9", "1.0.a.2", "1.0.b1", "1.0"],
        # the same page: "3.10 sorts higher than 3.2", "1.0.a10 is greater than 1.0.a9"
        ["3.2", "3.10"],
        ["1.0.a9", "1.0.a10"],
        ["1.8.2.a", "1.8.2.a9", "1.8.2.a10", "1.8.2.b", "1.8.2", "1.8.2.1"],
        ["1", "1.0.1", "1.1", "1.1.0.1"],
        ["0.beta.1", "0.0.1.a", "0.0.1", "1"],
        ["5.2.4.rc1", "5.2.4", "5.2.4.1"],
        ["2.0.0-rc1", "2.0.0.rc1", "2.0.0"],
        ["3.2015.1120", "3.2016.0221", "3.2016.0521"],
    ],
)
def test_documented_order(ascending: list[str]) -> None:
    """Numbers are ordered by value; words stand before numbers, ordered by their characters."""
    keys = [RubyGems.sort_key(text) for text in ascending]
    assert all(low is not None and high is not None and low < high for low, high in pairwise(keys))


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("1.0", "1.0.0.0"), ("1.0.a", "1.a"), ("1.02", "1.2"), ("1-b", "1.pre.b")],
)
def test_equal_versions_are_ties(one: str, other: str) -> None:
    """Zeros at the end of the numbers do not count."""
    assert parse_version(one) == parse_version(other)
    assert hash(parse_version(one)) == hash(parse_version(other))


@pytest.mark.parametrize("text", ["", "a", "1..2", "1.", ".1", "1_0", "x.1", "1" * 5000, "1.é"])
def test_what_is_no_version_has_no_place(text: str) -> None:
    """An invalid version comes first in the graph's order. The readers cannot parse it."""
    assert RubyGems.sort_key(text) is None
    assert not RubyGems.is_prerelease(text)


@given(versions, versions)
def test_order_is_that_of_the_readers(one: str, other: str) -> None:
    """Less, equal and greater are the same for univers' RubygemsVersion."""
    mine, theirs = parse_version(one), parse_version(other)
    assert mine is not None
    assert theirs is not None
    assert (mine < theirs) == (version(one) < version(other))
    assert (mine == theirs) == (version(one) == version(other))
    assert (mine > theirs) == (version(one) > version(other))


@given(versions, versions, versions)
def test_order_is_total(one: str, two: str, three: str) -> None:
    """Exactly one of less, equal and greater; and less is transitive."""
    a, b, c = map(parse_version, (one, two, three))
    assert a is not None
    assert b is not None
    assert c is not None
    assert (a < b) + (a == b) + (b < a) == 1
    if a < b < c:
        assert a < c
    if a == b:
        assert hash(a) == hash(b)
        assert (a < c, c < a) == (b < c, c < b)


@given(st.text(max_size=20) | st.text("0123.abAB-v ", max_size=20))
def test_any_text_is_read_as_the_readers_read_it(text: str) -> None:
    """A text is a valid version for this program and for the graph's readers, or for neither.

    The exception is the empty text, which is 0 for the graph's readers.
    """
    try:
        readable = bool(text.strip("vV \t\n")) and bool(version(text))
    except (InvalidVersion, ValueError):
        readable = False
    if "".join(text.split()).lstrip("vV"):
        assert (RubyGems.sort_key(text) is not None) == readable


@pytest.mark.parametrize(
    ("text", "end"),
    [("5.3.1", "5.4"), ("5", "6"), ("5.3.1.b.2", "5.4"), ("5.3", "6"), ("1.9", "2"), ("1.a", "2")],
)
def test_where_the_pessimistic_operator_ends(text: str, end: str) -> None:
    """https://docs.ruby-lang.org/en/master/Gem/Version.html#method-i-bump, with its examples."""
    assert successor(text) == end


@pytest.mark.parametrize(
    ("text", "is_prerelease"),
    [("1.0", False), ("1.0.pre", True), ("1.0.0.rc1", True), ("1.0-1", True), ("1.0b1", True)],
)
def test_a_letter_makes_a_prerelease(text: str, is_prerelease: bool) -> None:  # noqa: FBT001
    """Gem::Version#prerelease?: "A version is considered a prerelease if it contains a letter"."""
    assert RubyGems.is_prerelease(text) is is_prerelease


def test_latest_is_the_highest_stable_version() -> None:
    """A prerelease counts only if nothing else exists."""

    def latest(*names: str) -> str | None:
        ordered = RubyGems.order((VersionName(name), None) for name in names)
        return RubyGems.latest(
            [
                Version(
                    name=name,
                    purl=RubyGems.version_purl(RubyGems.ref("x"), name),
                    release_date=None,
                    requirements=(),
                )
                for name in ordered
            ]
        )

    assert latest("1.10.0", "1.9.0", "2.0.0.rc1") == "1.10.0"
    assert latest("1.0.b1", "1.0.a.2") == "1.0.b1"
