"""NuGet's ids and versions: one name each, in the order of the graph's readers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.versions import normalize, parse_version
from ssc_ingest.errors import InvalidName
from tests.unit.nuget_readers import version, versions

# Names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("Newtonsoft.Json", "pkg:nuget/newtonsoft.json"),
        ("NEWTONSOFT.JSON", "pkg:nuget/newtonsoft.json"),
        ("jQuery", "pkg:nuget/jquery"),
        ("Castle.Core-log4net", "pkg:nuget/castle.core-log4net"),
        ("_7zip.lib", "pkg:nuget/_7zip.lib"),
        ("A", "pkg:nuget/a"),
        ("Überprüfung", "pkg:nuget/%C3%BCberpr%C3%BCfung"),
    ],
)
def test_name_gives_purl(name: str, purl: str) -> None:
    """A package has one package URL and one name, in lower case, whatever its id's case."""
    ref = NuGet.ref(name)
    assert (ref.purl, ref.name, ref.registry_name) == (purl, name.lower(), name)
    assert NuGet.name_from_purl(PackageURL.from_string(purl)) == ref.name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a..b", ".a", "a.", "-a", "a-", "a b", "a\n", "\na", "a\x00",
     "%2e", "a+b", "a" * 101, "a." * 100_000],
)  # fmt: skip
def test_what_cannot_be_an_id_is_refused(name: str) -> None:
    """Path tricks, control characters and overlong ids never become a URL."""
    with pytest.raises(InvalidName) as refusal:
        NuGet.ref(name)
    assert len(str(refusal.value)) < 300


def test_import_name_is_the_id() -> None:
    """Most packages have a namespace of the same name."""
    assert NuGet.fallback_import_name(NuGet.ref("Newtonsoft.Json")) == "Newtonsoft.Json"


# Names of versions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        # https://learn.microsoft.com/nuget/concepts/package-versioning#normalized-version-numbers
        ("1.00", "1.0.0"),
        ("1.01.1", "1.1.1"),
        ("1.00.0.1", "1.0.0.1"),
        ("1.0.0.0", "1.0.0"),
        ("1.0.01.0", "1.0.1"),
        # "SemVer 2.0.0 build data can be included here" (registration's version)
        ("1.0.7+r3456", "1.0.7"),
        ("1.2.3-beta.1+exp.sha.5114f85", "1.2.3-beta.1"),
        # missing numbers are 0, leading zeros of all four go, the prerelease is as it was
        ("1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("01.02.03.04", "1.2.3.4"),
        ("1.0-Beta", "1.0.0-Beta"),
        ("1.0.0.0-RC.01", "1.0.0-RC.01"),
        ("1.0.0-0", "1.0.0-0"),
        (" 1.0.0 ", "1.0.0"),
        # what is none stays
        ("abc", "abc"),
        ("1.0.0.0.0", "1.0.0.0.0"),
        ("", ""),
    ],
)
def test_release_has_one_name(text: str, name: str) -> None:
    """Leading zeros, a fourth zero, missing numbers and build metadata make no new release."""
    assert normalize(text) == name
    assert normalize(name) == name


# Order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ascending",
    [
        # https://learn.microsoft.com/nuget/concepts/package-versioning#pre-release-versions
        ["1.0.1-aaa", "1.0.1-alpha", "1.0.1-alpha2", "1.0.1-beta", "1.0.1-open", "1.0.1-rc",
         "1.0.1-zzz", "1.0.1"],
        # https://semver.org/#spec-item-11
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
         "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
        # a fourth number, which Semantic Versioning does not have
        ["1.0.0", "1.0.0.1", "1.0.0.10", "1.0.1"],
        ["1.0.0.1-beta", "1.0.0.1", "1.0.0.2-alpha"],
        ["1.9.0", "1.10.0"],
        # without regard to case
        ["1.0.0-ALPHA", "1.0.0-beta", "1.0.0-RC"],
    ],
)  # fmt: skip
def test_documented_order(ascending: list[str]) -> None:
    """Numbers are ordered by value, and prereleases stand before their release."""
    keys = [NuGet.sort_key(text) for text in ascending]
    assert all(low is not None and high is not None and low < high for low, high in pairwise(keys))


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0.0.0"), ("1.0", "01.0"), ("1.0.0-BETA", "1.0.0-beta"), ("1.0.0+a", "1.0.0+b")],
)
def test_equal_versions_are_ties(one: str, other: str) -> None:
    """Case and build metadata do not count."""
    assert parse_version(one) == parse_version(other)


@pytest.mark.parametrize(
    "text",
    ["", " ", "abc", "1.0.0.0.0", "1.0.0-", "1.0.0-beta.01", "1..0", "1.0.0-é", "-1", "1" * 5000],
)
def test_what_is_no_version_has_no_place(text: str) -> None:
    """An invalid version comes first in the graph's order. The readers cannot parse it."""
    assert NuGet.sort_key(text) is None
    assert not NuGet.is_prerelease(text)


@given(versions, versions)
def test_order_is_that_of_the_readers(one: str, other: str) -> None:
    """Less, equal and greater are the same for univers' NugetVersion."""
    mine, theirs = parse_version(one), parse_version(other)
    assert mine is not None
    assert theirs is not None
    assert (mine < theirs) == (version(one) < version(other))
    assert (mine == theirs) == (version(one) == version(other))


@given(versions, versions)
def test_equal_versions_have_one_name(one: str, other: str) -> None:
    """Two spellings of one release become one node; two releases do not."""
    same = normalize(one).lower() == normalize(other).lower()
    assert same == (parse_version(one) == parse_version(other))


@given(versions)
def test_normalising_keeps_the_place(text: str) -> None:
    """The name of a version has the same position in the order."""
    assert parse_version(normalize(text)) == parse_version(text)


@given(st.text(max_size=20) | st.text("0123.abAB-+v ", max_size=20))
def test_any_text_is_read_as_the_readers_read_it(text: str) -> None:
    """A text is a valid version for this program and for the graph's readers, or for neither."""
    try:
        readable = version(text).value is not None
    except Exception:  # noqa: BLE001 - univers raises what it likes
        readable = False
    assert (NuGet.sort_key(text) is not None) == readable
    normalize(text)


@pytest.mark.parametrize(
    ("text", "is_prerelease"),
    [("1.0.0", False), ("1.0.0.5", False), ("1.0-beta", True), ("1.0.0+x-y", False)],
)
def test_a_hyphen_makes_a_prerelease(text: str, is_prerelease: bool) -> None:  # noqa: FBT001
    """A hyphen in the build metadata does not."""
    assert NuGet.is_prerelease(text) is is_prerelease
