"""The versions that an advisory affects, by OSV's evaluation and the ecosystems' own orders."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.vulnerabilities.advisory import EVENTS, Advisory, read_affected
from ssc_ingest.vulnerabilities.affected import Evaluation, VersionLine, evaluate
from tests.properties import examples

SHORT = {"i": "introduced", "f": "fixed", "l": "last_affected", "limit": "limit"}


def events(text: str) -> list[dict[str, str]]:
    """``i0 f1.0`` as events."""
    found = []
    for word in text.split():
        kind = next(short for short in ("limit", "i", "f", "l") if word.startswith(short))
        found.append({SHORT[kind]: word.removeprefix(kind).strip(":")})
    return found


def entry(name: str, *ranges: str, versions: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """An entry of ``affected`` for the package ``p``; a range may begin with its type."""
    found = []
    for text in ranges:
        first, _, rest = text.partition(" ")
        is_typed = first in {"GIT", "SEMVER", "ECOSYSTEM", "OTHER"}
        kind = first if is_typed else "ECOSYSTEM"
        found.append({"type": kind, "events": events(rest if is_typed else text)})
    osv_name = ecosystem(name).identity.osv_name
    package = {"ecosystem": osv_name, "name": "g:p" if name == "maven" else "p"}
    return {"package": package, "ranges": found, "versions": list(versions), **more}


def look(
    cls: type[Ecosystem], name: str, record: dict[str, Any], versions: Iterable[str]
) -> tuple[set[str], Evaluation]:
    """The affected versions among some, and the whole evaluation."""
    line = VersionLine(cls, versions)
    advisory = Advisory(id="X-1", flaw="X-1", affected=read_affected(record.get("affected")))
    found = evaluate(advisory, name, line)
    return {line.names[index] for index in found.affected}, found


def affected(name: str, entries: list[dict[str, Any]], *versions: str) -> set[str]:
    """The affected versions of ``p`` among some."""
    package = "g:p" if name == "maven" else "p"
    return look(ecosystem(name), package, {"affected": entries}, versions)[0]


@pytest.mark.parametrize(
    "order", ["i0 i2.1.0 f1 l3.1.9", "i0 i2.1.0 f1.0.0 l3.1.9", "l3.1.9 f1.0.0 i2.1.0 i0"]
)
def test_events_are_sorted(order: str) -> None:
    """The events may be in any order; prereleases of the first fixed version are affected."""
    versions = ("0.0.0.1", "1.0.0-rc", "1.0.0", "2.0.1", "3.0.0-rc", "3.1.9", "3.2.0")
    found = affected("npm", [entry("npm", order)], *versions)
    assert found == {"0.0.0.1", "1.0.0-rc", "3.0.0-rc", "3.1.9"}


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("record", "name", "yes", "no"),
    [
        ("PYSEC-2021-114", "wagtail", "2.11.5 2.11.6 2.12.3", "2.11.7 2.12.4"),
        ("PYSEC-2023-61", "Django", "3.2rc1 4.2a1", "4.2.1"),
        ("PYSEC-2019-6", None, "0.7.10p1", ""),
        ("RUSTSEC-2024-0001", None, "0.1.3-alpha 0.3.0 0.3.1-rc.1", "0.1.2 0.3.1"),
    ],
)
def test_real_records(
    records: dict[str, dict[str, Any]], record: str, name: str | None, yes: str, no: str
) -> None:
    """Listed versions outside the ranges, unparsable versions, bounds that are prereleases."""
    found = records[record]
    (package,) = {item["package"]["name"] for item in found["affected"]}
    by_osv_name = {cls.identity.osv_name: cls for cls in ecosystems().values()}
    cls = by_osv_name[found["affected"][0]["package"]["ecosystem"]]
    versions, said = look(cls, name or package, found, (*yes.split(), *no.split()))
    assert len(versions) + len(said.noticed) == len(yes.split())
    line = VersionLine(cls, (*yes.split(), *no.split()))
    assert {line.names[index] for index in said.affected | said.noticed} == set(yes.split())


def test_entries_are_united() -> None:
    """A record may have several entries of one package, as GitHub's records have."""
    entries = [entry("maven", "i2.3.2 f2.3.16"), entry("maven", "i3.0.0 f3.0.20")]
    found = affected("maven", entries, "2.3.15", "2.3.16", "2.9", "3.0.19", "3.0.20")
    assert found == {"2.3.15", "3.0.19"}


@pytest.mark.parametrize(
    ("name", "ranges", "yes", "no"),
    [
        ("maven", "i0 l4.3.15", "4.3.15.RELEASE", "4.3.16.RELEASE"),
        ("maven", "i0 f5.2.20.RELEASE", "5.2.19", "5.2.20"),
        ("maven", "i0 f4.1.115", "4.1.114.Final", "4.1.115.Final"),
        ("nuget", "i8.0.0-preview.1.23110.8 f8.0.1", "8.0.0", "8.0.1"),
        ("npm", "SEMVER i1.0 limit:2.0", "1.9.0 1.9", "2.0 2.1"),
        ("pypi", "SEMVER i1.0 limit:2.0", "1.9", "2.0 2.1"),
        ("pypi", "i0 f1.0", "0.1-bulbasaur", "1.0"),
        ("pypi", "i0.0.1 f1.0", "0.5", "0.1-bulbasaur"),
        ("npm", "i0 f1.0.0", "not-a-version", ""),
        ("pypi", "i1.0 f1.0", "", "1.0 0.9"),
        ("pypi", "i0 l1.0 f1.0", "0.9", "1.0 1.1"),
        ("pypi", "i1.0 l1.0", "1.0 1.0.0", "0.9 1.0.post1"),
        ("pypi", "i0 limit:1.0 limit:2.0", "0.9 1.5", "2.0"),
        ("pypi", "i0 limit:1.0 limit:*", "0.9 1.5", ""),
        ("pypi", "i0", "0.9 1.5", ""),
        ("pypi", "i0 f1.0 f2.0", "0.9", "1.0 1.5"),
        ("pypi", "i0 i0.5 f1.0", "0.4 0.9", "1.0"),
        ("pypi", "SEMVER i1.0.0 f2.0.0", "1.0.0 1.5 2.0.0-rc.1 2.0.0rc1", "2.0.0 2.0 0.9"),
        ("rubygems", "i0 f1.2.0", "1.2.0.rc1", "1.2"),
    ],
)
def test_ranges(name: str, ranges: str, yes: str, no: str) -> None:
    """Each row has events, and the versions that they affect and do not affect."""
    found = affected(name, [entry(name, ranges)], *yes.split(), *no.split())
    assert found == set(yes.split())


@pytest.mark.parametrize("hint", ["< 1.5", "<= 0.1", "nonsense"])
def test_the_hint_of_the_last_affected_version_is_no_bound(hint: str) -> None:
    """GitHub's ``last_known_affected_version_range`` has no effect."""
    more = {"last_known_affected_version_range": hint}
    found = affected(
        "npm", [entry("npm", "i1.0.0", database_specific=more)], "0.1.0", "1.0.0", "9.0.0"
    )
    assert found == {"1.0.0", "9.0.0"}


def test_lists_compare_by_text_and_by_the_order() -> None:
    """``1.0`` lists ``1.0.0``; an unparsable version lists only itself."""
    listed = ["1.0", "2004d", "4.3.15"]
    assert affected("pypi", [entry("pypi", versions=listed)], "1.0.0", "2004d", "2004D", "1.1") == {
        "1.0.0",
        "2004d",
    }
    assert affected("maven", [entry("maven", versions=listed)], "4.3.15.RELEASE", "4.3.16") == {
        "4.3.15.RELEASE"
    }


def test_git_ranges_are_passed_over() -> None:
    """Git ranges come first in many records, and contain no versions."""
    entries = [entry("pypi", "GIT i0 fdeadbeef", "i0 f1.0")]
    assert affected("pypi", entries, "0.9", "1.0") == {"0.9"}
    _, found = look(ecosystem("pypi"), "p", {"affected": [entry("pypi", "GIT i0")]}, ["1.0"])
    assert (found.affected, found.unusable) == (set(), [])


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ([{"type": "ECOSYSTEM", "events": events("i0 feval()")}], "'eval()' is not a version"),
        ([{"type": "ECOSYSTEM", "events": [{"introduced": "1.2, 1.3"}]}], "'1.2, 1.3' is no"),
        ([{"type": "ECOSYSTEM", "events": [{"fixed": "1.2"}]}], "no 'introduced'"),
        ([{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": 1}]}], "'fixed'"),
        ([{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"mended": "1"}]}], "'mended'"),
        ([{"type": "ECOSYSTEM", "events": None}], "no 'introduced'"),
        ([{"type": "OTHER", "events": events("i0")}], "type is 'OTHER'"),
        ([{"type": None, "events": events("i0")}], "type is ''"),
    ],
)
def test_what_cannot_be_evaluated_is_told(ranges: list[dict[str, Any]], said: str) -> None:
    """An unreadable range is counted; the record's other ranges and its list count."""
    whole = entry("pypi", "i2.0 f2.1", versions=["5.0"])
    whole["ranges"] = [*ranges, *whole["ranges"]]
    versions, found = look(
        ecosystem("pypi"), "p", {"affected": [whole]}, ["0.5", "2.0", "2.1", "5.0"]
    )
    assert versions == {"2.0", "5.0"}
    (problem,) = found.unusable
    assert said in problem


def test_semantic_bounds_that_the_ecosystem_cannot_read() -> None:
    """Semantic versions are compared; the problem of the other versions is reported."""
    entries = [entry("pypi", "SEMVER i1.0.0-foo.bar f2.0.0")]
    versions, found = look(ecosystem("pypi"), "p", {"affected": entries}, ["1.0.0", "1.5.0"])
    assert (versions, found.unusable) == ({"1.0.0", "1.5.0"}, [])
    versions, found = look(ecosystem("pypi"), "p", {"affected": entries}, ["1.0.0", "1.5"])
    assert versions == {"1.0.0"}
    assert len(found.unusable) == 1


@pytest.mark.parametrize(
    "record",
    [
        {"affected": []},
        {"affected": None},
        {"affected": "p"},
        {"affected": [None, "p", {"package": "p"}, {"package": {"name": "p"}}]},
        {"affected": [entry("pypi")]},
        {"affected": [entry("npm", "i0")]},
        {"affected": [entry("pypi", "i0", package={"ecosystem": "Root:PyPI", "name": "p"})]},
        {"affected": [entry("pypi", "i0", package={"ecosystem": "PyPI", "name": "pp"})]},
        {"affected": [entry("pypi", "i0", package={"ecosystem": "pypi", "name": "p"})]},
    ],
)
def test_what_affects_nothing(record: dict[str, Any]) -> None:
    """Records without ranges and versions, and those of other packages, are no errors."""
    versions, found = look(ecosystem("pypi"), "p", record, ["1.0"])
    assert (versions, found.unusable) == (set(), [])


@pytest.mark.parametrize(
    ("name", "named", "asked", "matches"),
    [
        ("pypi", "jw.util", "jw-util", True),
        ("nuget", "Newtonsoft.Json", "newtonsoft.json", True),
        ("npm", "JSONStream", "jsonstream", False),
        ("pypi", "\N{KELVIN SIGN}eras", "keras", False),
    ],
)
def test_names(name: str, named: str, asked: str, matches: bool) -> None:  # noqa: FBT001
    """Names of PyPI and NuGet match in any spelling, others match exactly."""
    package = {"ecosystem": ecosystem(name).identity.osv_name, "name": named}
    record = {"affected": [entry(name, "i0", package=package)]}
    assert bool(look(ecosystem(name), asked, record, ["1.0.0"])[0]) is matches


def test_informational_records_are_notices() -> None:
    """RustSec's warnings are not vulnerabilities; another kind of information is one."""
    for kind, is_notice in {"unmaintained": True, "unsound": True, "notice": True, "new": False,
                            None: False}.items():  # fmt: skip
        record = {
            "affected": [entry("cargo", "SEMVER i0", database_specific={"informational": kind})]
        }
        versions, found = look(ecosystem("cargo"), "p", record, ["1.0.0"])
        assert (bool(versions), bool(found.noticed)) == (not is_notice, is_notice)


# The algorithm, word for word --------------------------------------------------------------


def literal(cls: type[Ecosystem], item: Sequence[tuple[str, str]], version: str) -> bool:
    """OSV's pseudo-code (https://ossf.github.io/osv-schema/#evaluation) for one version."""
    place = cls.advisory_key(version)

    def reached(bound: str) -> bool:
        return bound == "0" or place >= cls.advisory_key(bound)

    limits = [text for kind, text in item if kind == "limit"]
    if limits and not any(not reached(text) for text in limits):
        return False
    is_vulnerable = False
    ranks = {"introduced": 0, "last_affected": 1, "fixed": 2, "limit": 3}
    ordered = sorted(item, key=lambda event: ranks[event[0]])
    ordered.sort(key=lambda event: cls.advisory_key(event[1]))
    ordered.sort(key=lambda event: event != ("introduced", "0"))
    for kind, text in ordered:
        if kind == "introduced" and reached(text):
            is_vulnerable = True
        elif (kind == "fixed" and reached(text)) or (
            kind == "last_affected" and place > cls.advisory_key(text)
        ):
            is_vulnerable = False
    return is_vulnerable


SPELLINGS = {
    "pypi": "1.0 1.0.0 1.0rc1 1.0.post1 1.1 2.0 2.0a1 3.0.dev1 2004d 0.1-bulbasaur 10.0 1!0.1",
    "maven": "1.0 1.0.RELEASE 1 1.0-alpha 1.1.Final 1.1-sp1 2.0 2.0-SNAPSHOT 1.foo 10 1-1 1.0.1",
    "npm": "1.0.0 1.0.0-rc.1 1.1.0 1.1.0+b 2.0.0 2.0.0-0 10.0.0 1.2 not-one 0.0.0-0 1.0.1",
    "nuget": "1.0.0 1.0.0.0 1.0.0-beta.01 1.0.0-BETA.1 1.1.0 2.0.0 10.0.0 1.0.0.5 next",
    "rubygems": "1.0 1.0.0 1.0.pre 1.0.rc1 1.1 2.0 10.0 2.0.a 1.0.1 x",
    "cargo": "1.0.0 1.0.0-rc.1 1.1.0 2.0.0 2.0.0-0 10.0.0 0.1.3-alpha 0.1.2",
}


@pytest.mark.parametrize("name", SPELLINGS)
@given(data=st.data())
@examples(3)
def test_equal_to_the_specification(name: str, data: st.DataObject) -> None:
    """The evaluation of all versions at once equals the specification's loop for each."""
    cls = ecosystem(name)
    names = SPELLINGS[name].split()
    bounds = [text for text in names if cls.own_order(text) is not None]
    event = st.tuples(st.sampled_from(EVENTS), st.sampled_from(bounds))
    first = st.sampled_from([("introduced", text) for text in ["0", *bounds]])
    item = [data.draw(first), *data.draw(st.lists(event, max_size=6))]
    versions = data.draw(st.lists(st.sampled_from(names), unique=True))
    record = {
        "affected": [
            entry(name)
            | {"ranges": [{"type": "ECOSYSTEM", "events": [{kind: text} for kind, text in item]}]}
        ]
    }
    package = "g:p" if name == "maven" else "p"
    found, _ = look(cls, package, record, versions)
    assert found == {version for version in versions if literal(cls, item, version)}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(EVENTS),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "aliases", "affected", "package", "name", "ecosystem", "versions",
                         "ranges", "informational", "type", "events", "severity",
                         "database_specific", *EVENTS]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(document=st.dictionaries(st.just("affected"), JSON))
def test_any_document_is_read(document: dict[str, Any]) -> None:
    """No document raises an error."""
    look(ecosystem("pypi"), "p", document, ["1.0", "x"])
