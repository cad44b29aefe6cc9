"""Reading OSV records: form, packages, classes, and invalid data."""

import json
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.vulnerabilities.records import (
    MAX_RECORD_SIZE,
    Kind,
    Record,
    package_key,
    read_record,
)

V3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def record(**fields: Any) -> Record:
    """A record with these fields."""
    fields = {"id": "X-1", "modified": "2026-01-01T00:00:00Z", **fields}
    return read_record(json.dumps(fields).encode(), fields["id"])


def affected(name: str = "a", ecosystem: str = "PyPI", **fields: Any) -> dict[str, Any]:
    """An entry of ``affected``."""
    return {"package": {"ecosystem": ecosystem, "name": name}, **fields}


def test_readers_always_find_what_they_take_for_granted() -> None:
    """``details`` is a text, ``severity`` a list, and ``versions`` a list in each entry."""
    found = record(affected=[affected()])
    assert found.document["details"] == ""
    assert found.document["severity"] == []
    assert found.document["affected"][0]["versions"] == []
    assert record(summary="Short.", details=None).document["details"] == "Short."
    assert record(details="").document["details"] == ""


def test_nothing_but_fields_of_osv_is_taken() -> None:
    """A record cannot write the fields of other services or of MongoDB."""
    found = record(affected_artefacts={}, exploits=["x"], cwes=["CWE-1"], _id=1, extra=1)
    assert found.document.keys() == {"id", "modified", "details", "severity", "affected"}
    assert found.cwes == ()


def test_weaknesses() -> None:
    """Each ``CWE-79`` once, and no ids of another form."""
    ids = ["CWE-79", "CWE-89", "CWE-79", "79", "cwe-1", "CWE-0", None, "CWE-79 "]
    assert record(database_specific={"cwe_ids": ids}).cwes == ("CWE-79", "CWE-89")
    assert record(database_specific={"cwe_ids": "CWE-79"}).cwes == ()
    assert record(database_specific=[]).problems == (
        "database_specific has another type than in OSV",
    )


@pytest.mark.parametrize(
    ("ecosystem", "name", "key"),
    [
        ("PyPI", "jw.util", "PyPI:jw-util"),
        ("PyPI", "Ruamel_YAML", "PyPI:ruamel-yaml"),
        ("PyPI", "\u212aivy", "PyPI:\u212aivy"),  # the Kelvin sign, whose lower case is a k
        ("PyPI", "r\u0435quests", "PyPI:r\u0435quests"),  # a Cyrillic e
        ("NuGet", "Newtonsoft.Json", "NuGet:newtonsoft.json"),
        ("NuGet", "\u212aestrel", "NuGet:\u212aestrel"),
        ("npm", "@Scope/Name", "npm:@Scope/Name"),
        ("Maven", "Org.A:B", "Maven:Org.A:B"),
        ("crates.io", "a-b_c", "crates.io:a-b_c"),
        ("RubyGems", "RedCloth", "RubyGems:RedCloth"),
    ],
)
def test_names_of_packages(ecosystem: str, name: str, key: str) -> None:
    """Names of PyPI and NuGet are normalised, others exact.

    Letters outside ASCII are never converted.
    """
    assert package_key(ecosystem, name) == key
    assert record(affected=[affected(name, ecosystem)]).packages == (key,)


@pytest.mark.parametrize(
    "ecosystem", ["Maven:https://repo.spring.io/milestone", "Root:PyPI", "pypi", "Go", "Debian:12"]
)
def test_other_ecosystems_are_counted_and_not_taken(ecosystem: str) -> None:
    """The name of the ecosystem is exact."""
    found = record(affected=[affected(), affected("b", ecosystem)])
    assert (found.packages, found.elsewhere) == (("PyPI:a",), 1)
    assert len(found.document["affected"]) == 2


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"id": "MAL-2025-1"}, Kind.MALWARE),
        ({"id": "GHSA-1", "aliases": ["MAL-2025-1"]}, Kind.MALWARE),
        ({"id": "GHSA-1", "aliases": ["CVE-2025-1"]}, Kind.VULNERABILITY),
        ({"id": "RUSTSEC-1", "affected": [{"informational": "unmaintained"}]}, Kind.NOTICE),
        ({"id": "RUSTSEC-1", "affected": [{"informational": "unsound"}]}, Kind.NOTICE),
        ({"id": "RUSTSEC-1", "affected": [{"informational": "notice"}]}, Kind.NOTICE),
        ({"id": "RUSTSEC-1", "affected": [{"informational": None}]}, Kind.VULNERABILITY),
        ({"id": "RUSTSEC-1", "affected": [{"informational": {}}]}, Kind.VULNERABILITY),
        (
            {"id": "RUSTSEC-1", "affected": [{"informational": "notice"}, {}]},
            Kind.VULNERABILITY,
        ),
    ],
)
def test_classes(fields: dict[str, Any], kind: Kind) -> None:
    """Its id or an alias makes a record malware; it is a notice if every entry is one."""
    entries = [affected(database_specific=each) for each in fields.get("affected", ())]
    assert record(**{**fields, "affected": entries}).kind is kind


def test_a_name_that_no_package_has() -> None:
    """The name is longer than any registry allows."""
    found = record(affected=[affected("x" * 600), affected()])
    assert (found.packages, len(found.problems)) == (("PyPI:a",), 1)


def test_severity_of_an_entry_is_promoted() -> None:
    """An entry's severity is promoted only if the record itself has none."""
    severity = [{"type": "CVSS_V3", "score": V3}]
    assert record(affected=[affected(severity=severity)]).score == 9.8
    other = [{"type": "CVSS_V3", "score": V3.replace("C:H/I:H", "C:N/I:N")}]
    assert record(severity=other, affected=[affected(severity=severity)]).score == 7.5


def test_withdrawn() -> None:
    """A time means withdrawn; ``null`` and an empty text do not."""
    assert record(withdrawn="2026-01-01T00:00:00Z").withdrawn
    assert not record(withdrawn=None).withdrawn
    assert not record(withdrawn="").withdrawn
    with pytest.raises(MalformedMetadata, match="withdrawn"):
        record(withdrawn=True)


def test_a_part_that_cannot_be_read_is_a_problem() -> None:
    """The other parts of the record count."""
    found = record(
        affected=[
            affected(versions=["1.0", 2], ranges=[{"type": "ECOSYSTEM"}, "x"]),
            affected("b", versions="1.0", ranges={}),
            {"package": {"name": "no ecosystem"}},
            {"ranges": [{"type": "GIT", "events": []}]},
        ],
        aliases="CVE-1",
    )
    assert found.packages == ("PyPI:a", "PyPI:b")
    assert found.document["affected"][0]["versions"] == ["1.0"]
    assert len(found.problems) == 7


@pytest.mark.parametrize(
    ("events", "problems"),
    [
        ([{"introduced": "0"}, {"fixed": "1.2, 1.3"}], 1),
        ([{"introduced": "0"}, {"fixed": "eval()"}], 1),
        ([{"fixed": "1.0"}], 1),
        ([{"introduced": "0"}, {"fixed": "1.0"}], 0),
        ([{"introduced": "1.0"}, {"last_affected": "2.0"}], 0),
    ],
)
def test_a_range_that_cannot_be_evaluated_is_a_problem(
    events: list[dict[str, str]], problems: int
) -> None:
    """An unusable range is counted and shown; ranges of other registries are ignored."""
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    found = record(affected=[affected(ranges=ranges), affected("b", "Go", ranges=ranges)])
    assert len(found.problems) == problems
    assert found.document["affected"][0]["ranges"] == ranges


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"X-1"',
        b'{"id": "X-2"}',
        b'{"id": 1}',
        b'{"id": "X-1", "affected": {}}',
        b'{"id": "X-1", "affected": [[]]}',
        b'{"id": "X-1"',
        b'{"id": "X-1", "details": "' + b"x" * MAX_RECORD_SIZE + b'"}',
    ],
)
def test_what_is_no_record(body: bytes) -> None:
    """Another id, another form, too large: it must not look like a record that affects nothing."""
    with pytest.raises(MalformedMetadata):
        read_record(body, "X-1")


def test_an_id_is_a_name() -> None:
    """An id cannot be a path or an operator of MongoDB."""
    for record_id in ("", "../X", "a/b", "$x", "x\ny", "x" * 300):
        with pytest.raises(MalformedMetadata):
            read_record(json.dumps({"id": record_id}).encode(), record_id)


def test_digests_follow_the_content() -> None:
    """The order of keys and ignored fields do not change the digest."""
    base = record(summary="s", affected=[affected()])
    assert record(affected=[affected()], summary="s", unknown=1).digest == base.digest
    assert record(summary="t", affected=[affected()]).digest != base.digest
    assert record(summary="s", affected=[affected("b")]).digest != base.digest


@pytest.mark.parametrize(
    "value",
    ["1e400", "-1e400", "NaN", str(2**63), str(-(2**70)), "9" * 5000, '"\\ud800"', "[" * 5000],
)
def test_values_that_mongodb_does_not_have(value: str) -> None:
    """Infinite numbers, lone surrogates and deep nesting: the record is stored without them."""
    closing = "]" * value.count("[")
    body = f'{{"id": "X-1", "database_specific": {{"x": {value}{closing}}}}}'
    bson.encode(dict(read_record(body.encode(), "X-1").document))


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ["affected", "aliases", "severity", "details", "withdrawn", "database_specific"],
            json_values,
        ),
    )
)
def test_any_json_is_read_or_refused(fields: dict[str, Any]) -> None:
    """A readable record can be stored and has the form for readers."""
    try:
        found = record(**fields)
    except MalformedMetadata:
        return
    bson.encode(dict(found.document))
    assert isinstance(found.document["details"], str)
    assert all(isinstance(entry["versions"], list) for entry in found.document["affected"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"package": st.one_of(json_values, st.just({"ecosystem": "npm", "name": "x"}))},
            optional={"versions": json_values, "ranges": json_values, "severity": json_values},
        ),
        max_size=4,
    )
)
def test_any_entries_are_read_or_refused(entries: list[dict[str, Any]]) -> None:
    """Any content of ``affected`` is read or refused; a key with a NUL is refused."""
    try:
        found = record(affected=entries)
    except MalformedMetadata:
        return
    bson.encode(dict(found.document))
    for entry in found.document["affected"]:
        assert isinstance(entry["package"]["name"], str)
        assert all(isinstance(version, str) for version in entry["versions"])
