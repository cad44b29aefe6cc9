"""Package URLs as people write them."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.purls import MAX_LENGTH, parse_purl
from ssc_ingest.errors import InvalidArguments, InvalidName, InvalidPurl, UnknownEcosystem

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}([-+!][a-z0-9.]{1,8})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("pkg:pypi/rich", "pkg:pypi/rich"),
        ("  pkg:pypi/rich\n", "pkg:pypi/rich"),
        ("pkg:PyPI/Rich", "pkg:pypi/rich"),
        ("PKG:pypi/Ruamel.YAML", "pkg:pypi/ruamel-yaml"),
        ("pkg://pypi/rich", "pkg:pypi/rich"),
        ("pkg:pypi/rich@13.0", "pkg:pypi/rich@13.0"),
        ("pkg:pypi/rich@", "pkg:pypi/rich"),
        ("pkg:pypi/rich@1.0%2Blocal?file_name=x.whl#a/b", "pkg:pypi/rich@1.0%2Blocal"),
        ("pkg:pypi/rich@1!2.0", "pkg:pypi/rich@1%212.0"),
        ("pkg:npm/%40scope/name@1.0.0", "pkg:npm/%40scope/name@1.0.0"),
        ("pkg:npm/@scope/name", "pkg:npm/%40scope/name"),
        ("pkg:npm/@scope/name@1.0.0", "pkg:npm/%40scope/name@1.0.0"),
        ("pkg:npm/JSONStream", "pkg:npm/JSONStream"),
        ("pkg:cargo/Serde_JSON", "pkg:cargo/serde_json"),
    ],
)
def test_a_purl_is_read_as_it_is_meant(text: str, canonical: str) -> None:
    """Valid package URLs and unambiguous spellings get the graph's spelling."""
    assert parse_purl(text).purl == canonical


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("pypi/rich", "pkg:pypi/rich"),
        ("pkg:pypi:rich", "pkg:pypi/rich"),
        ("pypi rich", "pkg:pypi/rich"),
        ("npm:@types/node@1.2", "pkg:npm/%40types/node@1.2"),
        ("@types/node", "pkg:npm/%40types/node"),
        ("rich", "pkg:pypi/rich"),
        ("rich==1.0", "pkg:pypi/rich@1.0"),
        ("rich[jupyter] >= 13", "pkg:pypi/rich"),
        ("pkg:pypi/rich==13.0", "pkg:pypi/rich@13.0"),
        ("pkg:pypi/rich>=13.0", "pkg:pypi/rich"),
        ("pkg:crates.io/serde", "pkg:cargo/serde"),
        ("pkg:crate/serde@1.0", "pkg:cargo/serde@1.0"),
        ("pkg:nmp/express", "pkg:npm/express"),
        ("pkg:CargoPackage/itoa", "pkg:cargo/itoa"),
        ("pkg:pypi/rich?repository_url=https://example.org", "pkg:pypi/rich"),
        ("pkg:pypi/rich@1/../2", "pkg:pypi/rich"),
        ("pkg:pypi/rich@1%00", "pkg:pypi/rich"),
    ],
)
def test_the_nearest_valid_spelling_is_suggested(text: str, suggestion: str) -> None:
    """An unreadable text gets the most likely valid spelling."""
    with pytest.raises(InvalidPurl, match="did you mean") as caught:
        parse_purl(text)
    assert caught.value.suggestion == suggestion
    assert parse_purl(suggestion).purl == suggestion


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InvalidPurl),
        ("pkg:", InvalidPurl),
        ("pkg:pypi", InvalidPurl),
        ("pkg:pypi/", InvalidPurl),
        ("pkg:pypi/@1.0", InvalidArguments),
        ("pkg:golang/github.com/x/y", UnknownEcosystem),
        ("golang/x", InvalidPurl),
        ("https://example.org/rich", InvalidPurl),
        ("../../etc/passwd", InvalidPurl),
        ("pkg:pypi/../rich", InvalidName),
        ("pkg:pypi/%2e%2e/rich", InvalidName),
        ("pkg:pypi/%2e%2e%2frich", InvalidName),
        ("pkg:npm/a/b/c", InvalidName),
        ("pkg:cargo/%2e%2e", InvalidName),
        ("pkg:pypi/a\nb", InvalidPurl),
        ("pkg:pypi/a\x1b[31mb", InvalidPurl),
        ("pkg:pypi/a%1b%5b31mb", InvalidName),
        ("pkg:pypi/ri\u202ech", InvalidPurl),
        ("pkg:pypi/" + "a" * 5000, InvalidPurl),
        ("pkg:pypi/" + "a" * 600, InvalidName),
    ],
)
def test_what_names_no_package_is_refused(text: str, error: type[InvalidArguments]) -> None:
    """Hostile or meaningless texts are refused without a suggestion, in a short message."""
    with pytest.raises(error) as caught:
        parse_purl(text)
    message = str(caught.value)
    assert "did you mean" not in message
    assert len(message) < 400
    assert message.isprintable()


@given(name=NAMES, version=st.none() | VERSIONS)
@pytest.mark.parametrize("ecosystem", ecosystems().values(), ids=ecosystems().keys())
def test_what_we_write_we_read(ecosystem: type[Ecosystem], name: str, version: str | None) -> None:
    """The canonical spelling of a package or version is read back unchanged."""
    try:
        ref = ecosystem.ref(f"{name}:{name}" if ecosystem.identity.name == "maven" else name)
    except InvalidName:
        reject()  # every registry has rules of its own
    purl = ecosystem.version_purl(ref, version) if version else ref.purl
    named = parse_purl(purl)
    assert (named.ref.purl, named.version, named.purl) == (ref.purl, version, purl)


@given(
    text=st.text(max_size=MAX_LENGTH + 10) | st.from_regex(r"(pkg:)?(pypi|npm|cargo)[/:].{0,30}")
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text is a canonical purl, or an error with a valid suggestion."""
    error: InvalidArguments | None = None
    canonical: str | None
    try:
        canonical = parse_purl(text).purl
    except InvalidArguments as refused:
        error = refused
        canonical = getattr(refused, "suggestion", None)
    assert canonical is None or parse_purl(canonical).purl == canonical
    assert str(error or "").isprintable()
