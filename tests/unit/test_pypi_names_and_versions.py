"""Names of PyPI's projects, and the order of their versions."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL
from packaging.utils import canonicalize_name
from univers.versions import InvalidVersion, PypiVersion

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import Version, VersionName

names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)
version_texts = st.one_of(
    st.text("0123456789.abrcdevpostv-_+! ", max_size=12),
    st.from_regex(
        r"v?(1!)?[0-3](\.[0-3]){0,2}[.-]?((a|beta|rc)[0-3])?(\.post1)?(\.dev1)?(\+l1)?",
        fullmatch=True,
    ),
)


@pytest.mark.parametrize(
    ("name", "purl", "lower"),
    [
        ("requests", "pkg:pypi/requests", "requests"),
        ("Django", "pkg:pypi/django", "django"),
        ("typing_extensions", "pkg:pypi/typing-extensions", "typing_extensions"),
        ("ruamel.yaml", "pkg:pypi/ruamel-yaml", "ruamel.yaml"),
        ("Zope.-_Interface", "pkg:pypi/zope-interface", "zope.-_interface"),
        ("0x", "pkg:pypi/0x", "0x"),
        ("a", "pkg:pypi/a", "a"),
    ],
)
def test_names(name: str, purl: str, lower: str) -> None:
    """The purl is the PEP 503 form; the name keeps the project's spelling, in lower case."""
    ref = PyPI.ref(name)
    assert (ref.purl, ref.name, ref.registry_name) == (purl, lower, name)
    assert (ref.ecosystem, ref.label) == ("pypi", "PyPIPackage")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../requests",
        "requests/../six",
        "%2e%2e",
        "requests%2fsix",
        "-requests",
        "requests-",
        "requests\n",
        "re\x00quests",
        "requests[socks]",
        "requests==2",
        "réquests",
        "\uff52equests",
        "a" * 5000,
    ],
)
def test_what_is_no_name(name: str) -> None:
    """Path tricks, control characters, overlong and non-ASCII text never become a URL."""
    with pytest.raises(InvalidName):
        PyPI.ref(name)


@given(names)
def test_all_spellings_are_one_package(name: str) -> None:
    """Case and separators do not matter to the purl, which is a fixed point."""
    ref = PyPI.ref(name)
    for spelling in (name.upper(), name.replace("-", "_"), name.replace(".", "-_-")):
        assert PyPI.ref(spelling) == PyPI.ref(spelling)
        assert PyPI.ref(spelling).purl == ref.purl
    parsed = PackageURL.from_string(ref.purl)
    assert PyPI.ref(PyPI.name_from_purl(parsed)).purl == ref.purl
    assert parsed.name == canonicalize_name(name)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Any text gives a purl of one plain segment, or a typed error."""
    try:
        purl = PyPI.ref(text).purl
    except InvalidName:
        return
    assert purl.removeprefix("pkg:pypi/").replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("requests", "requests"),
        ("Ruamel-YAML", "ruamel_yaml"),
        ("zope.interface", "zope.interface"),
    ],
)
def test_fallback_import_name(name: str, expected: str) -> None:
    """The guess from the name alone is the lower name with underscores."""
    assert PyPI.fallback_import_name(PyPI.ref(name)) == expected


def test_version_purl() -> None:
    """Epochs and local versions are percent-encoded."""
    assert PyPI.version_purl(PyPI.ref("A.b"), "1!2.0+c") == "pkg:pypi/a-b@1%212.0%2Bc"


def readers_key(text: str) -> PypiVersion | None:
    """The version as the graph's readers parse it."""
    try:
        return PypiVersion(text)
    except InvalidVersion:
        return None


@given(st.lists(version_texts, max_size=6))
def test_order_is_the_readers_order(texts: list[str]) -> None:
    """Parsing and order are those of the readers' version class."""
    both = []
    for theirs, ours in ((readers_key(text), PyPI.sort_key(text)) for text in texts):
        assert (theirs is None) == (ours is None)
        if theirs is not None and ours is not None:
            both.append((theirs, ours))
    for theirs, ours in both:
        for other_theirs, other_ours in both:
            assert (theirs < other_theirs) == (ours < other_ours)
            assert (theirs == other_theirs) == (ours == other_ours)


def test_versions_of_before_pep_440_come_first() -> None:
    """Unparsable texts get the lowest serial numbers, by date, then text."""
    rows = [
        (VersionName("1.0"), "2010-01-01"),
        (VersionName("2004d"), "2004-05-01"),
        (VersionName("1.0rc1"), "2009-12-01"),
        (VersionName("final-cut"), None),
        (VersionName("1.0.dev1"), "2009-01-01"),
        (VersionName("r12-test"), "2003-01-01"),
        (VersionName("0.1-banana"), "2003-01-01"),
        (VersionName("1.0.post1"), "2010-02-01"),
    ]
    assert PyPI.order(rows) == [
        "final-cut",
        "0.1-banana",
        "r12-test",
        "2004d",
        "1.0.dev1",
        "1.0rc1",
        "1.0",
        "1.0.post1",
    ]


def test_a_number_of_any_length_is_no_crash() -> None:
    """A number with too many digits for Python makes a version unparsable."""
    assert PyPI.sort_key("9" * 5000) is None
    assert PyPI.is_prerelease("9" * 5000) is False


@pytest.mark.parametrize(
    ("versions", "latest"),
    [
        ([], None),
        (["1.0", "2.0rc1", "2.0.dev1"], "1.0"),
        (["1.0a1", "1.0b1"], "1.0b1"),
        (["1.0", "2.0 yanked"], "1.0"),
        (["1.0a1", "1.0 yanked"], "1.0a1"),
        (["1.0 yanked", "2.0 yanked"], "2.0"),
        (["2004d"], "2004d"),
        (["2004d", "0.1"], "0.1"),
        (["1.0", "1.0.post1"], "1.0.post1"),
    ],
)
def test_latest(versions: list[str], latest: str | None) -> None:
    """The version that an install selects: stable and not yanked, if possible."""
    found = [
        Version(
            name=VersionName(name),
            purl=PyPI.version_purl(PyPI.ref("x"), name),
            release_date=datetime(2020, 1, 1, tzinfo=UTC),
            requirements=(),
            yanked=bool(yanked),
        )
        for name, _, yanked in (text.partition(" ") for text in versions)
    ]
    by_name = {version.name: version for version in found}
    ordered = [by_name[name] for name in PyPI.order((v.name, None) for v in found)]
    assert PyPI.latest(ordered) == latest
