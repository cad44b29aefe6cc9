"""The names of a package: in its registry, as a package URL, and in imports."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.purls import parse_purl
from ssc_ingest.errors import InvalidName
from tests.contract.test_protocol.registries import REGISTRIES, every_ecosystem, truths

PURL = re.compile(r"pkg:[a-z]+(/[^/]+)+")
VERSION_PURL = re.compile(r"pkg:[a-z]+(/[^/]+)+@[^@]+")

TRICKS = (
    "..", ".", "../../etc/passwd", "a/../b", "..%2f..%2fx", "%2e%2e", "a\\..\\b", "/etc/passwd",
    "a//b", "a/b/c", "a?x=1", "a#b", "a%00", "a\x00b", "a\nb", "a\rb", "a\tb", " ", "a b", "",
    "a@evil.example", "http://evil.example/x", "//evil.example", "${jndi:x}", "a\u202eb",
    "\uff41\uff0f\uff42", "a;b", "a|b", "<a>", "a" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: ascii(trick)[:24])
def test_tricks_are_no_names(name: str, trick: str) -> None:
    """Text that would change a URL or path is rejected at every position of a name."""
    for form in REGISTRIES[name].names:
        if form == "@{}/name" and trick == "":
            continue
        with pytest.raises(InvalidName):
            ecosystem(name).ref(form.format(trick))


@every_ecosystem
@given(text=st.text(max_size=40) | st.text("azAZ09.-_~!@:/*", max_size=12), data=st.data())
def test_whatever_is_a_name_is_harmless(name: str, text: str, data: st.DataObject) -> None:
    """A text is rejected, or its package URL leads to the same package."""
    form = data.draw(st.sampled_from(REGISTRIES[name].names))
    try:
        ref = ecosystem(name).ref(form.format(text))
    except InvalidName:
        return
    assert PURL.fullmatch(ref.purl)
    assert parse_purl(ref.purl).ref.purl == ref.purl
    assert not {".", "..", ""} & set(ref.registry_name.split("/"))
    assert ref.registry_name.isprintable()
    assert not set("?#\\ ") & set(ref.registry_name)


@every_ecosystem
def test_package_urls_lead_back(name: str) -> None:
    """Names and package URLs of packages and versions convert in both directions."""
    cls = ecosystem(name)
    for truth in truths(name):
        ref = cls.ref(truth.registry_name)
        assert ref.purl == truth.purl
        assert PURL.fullmatch(ref.purl)
        assert ref.label == cls.identity.label
        assert cls.ref(ref.registry_name) == ref
        named = parse_purl(ref.purl)
        assert (named.ecosystem, named.ref.purl, named.version) == (cls, ref.purl, None)
        for version in truth.versions[-3:]:
            purl = cls.version_purl(ref, version.name)
            assert purl == version.purl
            assert VERSION_PURL.fullmatch(purl)
            again = parse_purl(purl)
            assert (again.ref.purl, again.version, again.purl) == (ref.purl, version.name, purl)


@every_ecosystem
def test_something_can_be_imported(name: str) -> None:
    """Without information about its code, a package's name is used."""
    cls = ecosystem(name)
    for truth in truths(name)[:20]:
        guess = cls.fallback_import_name(cls.ref(truth.registry_name))
        assert guess
        assert guess.isprintable()
