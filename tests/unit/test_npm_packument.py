"""npm's names and documents: recorded, old and broken ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.ecosystems.npm.identity import document_path, reference
from ssc_ingest.ecosystems.npm.packument import parse_packument
from ssc_ingest.ecosystems.npm.requirements import RequirementReader
from ssc_ingest.errors import InvalidName, MalformedMetadata
from ssc_ingest.models import Requirement

URL = "https://registry.example/x"
NPM_RESPONSES = "dependabot__dependabot-core/npm_and_yarn/spec/fixtures/npm_responses"
PURLDB_RESPONSES = "aboutcode-org__purldb/minecode/tests/testfiles/npm"


def requirements_of(**manifest: Any) -> dict[str, str]:
    """Constraint by purl of a version with these fields."""
    document = {"name": "x", "versions": {"1.0.0": manifest}}
    packument = parse_packument(json.dumps(document).encode(), "x", URL)
    found = RequirementReader("x").read(packument.versions["1.0.0"])
    return {requirement.package.purl: requirement.constraints for requirement in found}


def links_of(**document: Any) -> list[str]:
    """The candidates for the repository's address in a document."""
    body = json.dumps({"name": "x", "versions": {"1.0.0": {}}, **document}).encode()
    return list(parse_packument(body, "x", URL).addresses())


# Names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "purl", "path"),
    [
        ("left-pad", "pkg:npm/left-pad", "left-pad"),
        ("@types/node", "pkg:npm/%40types/node", "@types%2Fnode"),
        ("@babel/_x", "pkg:npm/%40babel/_x", "@babel%2F_x"),
        ("JSONStream", "pkg:npm/JSONStream", "JSONStream"),
        ("-", "pkg:npm/-", "-"),
        ("0x", "pkg:npm/0x", "0x"),
        ("lodash.merge", "pkg:npm/lodash.merge", "lodash.merge"),
        ("a'(b)!*~", "pkg:npm/a%27%28b%29%21%2A~", "a%27%28b%29%21%2A~"),
        ("a" * 214, f"pkg:npm/{'a' * 214}", "a" * 214),
    ],
)
def test_name_gives_purl_and_path(name: str, purl: str, path: str) -> None:
    """A name has one package URL and one path at the registry."""
    ref = Npm.ref(name)
    assert (ref.purl, ref.registry_name, ref.label) == (purl, name, "NPMPackage")
    assert document_path(name) == path


def test_names_that_differ_in_case_are_two_packages() -> None:
    """``JSONStream`` and ``jsonstream`` are different packages and never share a node."""
    assert Npm.ref("JSONStream").purl != Npm.ref("jsonstream").purl
    assert Npm.fallback_import_name(Npm.ref("JSONStream")) == "JSONStream"


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/b", "@a", "@a/", "@/b", "@a/b/c", "@a/..", "@../b", "a/../b",
        ".hidden", "_private", "@.a/b", "@a/.b", "a b", " a", "a\n", "a\x00", "%2e%2e", "a%2fb",
        "a\\b", "a?b", "a#b", "a:b", "é", "node_modules", "favicon.ico", "a" * 215, "a" * 5000,
    ],
)  # fmt: skip
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    """Path tricks, control characters, reserved and overlong names never become a URL."""
    with pytest.raises(InvalidName) as refusal:
        Npm.ref(name)
    assert len(str(refusal.value)) < 500


@given(st.text(max_size=12) | st.text("@/._-aA0%", max_size=12))
def test_a_path_is_one_segment(name: str) -> None:
    """A name that is accepted stays one path segment under the registry's URL."""
    try:
        path = document_path(reference(name).registry_name)
    except InvalidName:
        return
    assert not set(path) & set("/\\?#%") - set("%")
    assert path not in {".", ".."}


# Requirements ---------------------------------------------------------------------------


def test_requirements_are_the_dependencies_of_an_install() -> None:
    """Optional ones are included; development, peer and bundled ones are not."""
    found = requirements_of(
        dependencies={"a": "^1.0.0", "b": "latest", "inside": "^1.0.0"},
        devDependencies={"c": "1"},
        peerDependencies={"d": "1"},
        optionalDependencies={"e": "^2.0.0"},
        bundleDependencies=["inside"],
    )
    assert found == {"pkg:npm/a": "^1.0.0", "pkg:npm/b": "any", "pkg:npm/e": "^2.0.0"}


@pytest.mark.parametrize("field", ["bundleDependencies", "bundledDependencies"])
@pytest.mark.parametrize("bundled", [True, ["a", "b"], {"a": "1", "b": "2"}])
def test_bundled_packages_are_not_fetched(field: str, bundled: object) -> None:
    """Both spellings of the field are read: a list, an object, or ``true`` for all."""
    assert requirements_of(dependencies={"a": "1", "b": "2"}, **{field: bundled}) == {}


@pytest.mark.parametrize("bundled", [False, None, [], "a", 7, [["a"]]])
def test_other_values_bundle_nothing(bundled: object) -> None:
    """Other values of the field do not change the dependencies."""
    assert requirements_of(dependencies={"a": "^1"}, bundledDependencies=bundled) == {
        "pkg:npm/a": "^1"
    }


@pytest.mark.parametrize(
    ("text", "purl", "constraint"),
    [
        ("npm:real@^1.2.3", "pkg:npm/real", "^1.2.3"),
        ("npm:@scope/real@1.2.x", "pkg:npm/%40scope/real", "1.2.x"),
        ("npm:@scope/real", "pkg:npm/%40scope/real", "any"),
        ("npm:real", "pkg:npm/real", "any"),
        ("npm:real@latest", "pkg:npm/real", "any"),
        ("NPM:real@^1.0.0", "pkg:npm/real", "^1.0.0"),
        ("npm:^1.2.3", "pkg:npm/alias", "^1.2.3"),
        ("npm:", "pkg:npm/alias", "any"),
    ],
)
def test_alias_leads_to_the_real_package(text: str, purl: str, constraint: str) -> None:
    """``npm:`` names the installed package."""
    assert requirements_of(dependencies={"alias": text}) == {purl: constraint}


def test_ranges_of_one_package_unite() -> None:
    """A package that is required directly and by an alias has one edge with both ranges."""
    found = requirements_of(dependencies={"a": "^1.0.0", "old": "npm:a@^0.5.0"})
    assert found == {"pkg:npm/a": "^1.0.0 || ^0.5.0"}


def test_dependency_on_itself_stays() -> None:
    """A package may require another version of itself."""
    assert requirements_of(dependencies={"x": "^0.9.0"}) == {"pkg:npm/x": "^0.9.0"}


@pytest.mark.parametrize(
    ("dependencies", "found"),
    [
        (None, {}),
        ([], {}),
        ("", {}),
        (7, {}),
        (["a", "b@^1.0.0", "c >= 1.2.0", 5], {"a": "any", "b": "^1.0.0", "c": ">=1.2.0"}),
        ("a, b", {"a": "any", "b": "any"}),
        ({"a": None, "b": 1, "c": ["1"], "d": {"version": "1"}}, dict.fromkeys("abcd", "any")),
    ],
)
def test_odd_dependencies_of_old_manifests(dependencies: object, found: dict[str, str]) -> None:
    """Lists, texts and wrong types are read as npm's own client reads them."""
    expected = {f"pkg:npm/{name}": text for name, text in found.items()}
    assert requirements_of(dependencies=dependencies) == expected


def test_requirement_that_cannot_be_a_package_is_left_out_and_told() -> None:
    """Invalid names are skipped with one warning per package."""
    with capture_logs() as logs:
        reader = RequirementReader("x")
        document = {"name": "x", "versions": {"1.0.0": {"dependencies": {"../a": "1", "b": "^1"}}}}
        packument = parse_packument(json.dumps(document).encode(), "x", URL)
        found = [reader.read(packument.versions["1.0.0"]) for _ in range(3)]
        reader.report()
    assert [requirement.package.name for requirement in found[-1]] == ["b"]
    assert [(log["event"], log["requirements"]) for log in logs] == [
        ("requirements_skipped", ["../a"])
    ]


def test_equal_requirements_are_one_object() -> None:
    """Versions with equal requirements share memory."""
    manifest = {"dependencies": {"a": "^1"}}
    document = {"name": "x", "versions": {"1.0.0": manifest, "1.0.1": manifest}}
    packument = parse_packument(json.dumps(document).encode(), "x", URL)
    reader = RequirementReader("x")
    (first,), (second,) = (reader.read(m) for m in packument.versions.values())
    assert isinstance(first, Requirement)
    assert first is second


# Documents ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "links"),
    [
        ({"repository": "owner/repo"}, ["https://github.com/owner/repo"]),
        ({"repository": "gitlab:owner/repo"}, ["https://gitlab.com/owner/repo"]),
        ({"repository": {"url": "git://github.com/o/r.git"}}, ["git://github.com/o/r.git"]),
        ({"repository": [{"url": "https://github.com/o/r"}]}, ["https://github.com/o/r"]),
        ({"repository": {"url": 5}, "homepage": 5, "bugs": 5}, []),
        (
            {
                "homepage": ["https://a.example/o/r"],
                "bugs": {"url": "https://github.com/o/r/issues"},
            },
            ["https://a.example/o/r", "https://github.com/o/r/issues"],
        ),
        ({"homepage": [], "bugs": "https://github.com/o/r"}, ["https://github.com/o/r"]),
    ],
)
def test_links_in_every_shape(document: dict[str, Any], links: list[str]) -> None:
    """Texts, objects and lists have addresses; other types have none."""
    assert links_of(**document) == links


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'"x"', b"<html></html>", b'{"error":"Not found"}', b"\xff\xfe",
        b'{"name":"x","versions":[]}', b'{"name":"x","versions":{"1.0.0":"1.0.0"}}',
        b'{"name":"x","versions":{"1.0.0":null}}', b'{"name":"y","versions":{"1.0.0":{}}}',
        b'{"name":5,"versions":{}}', b'{"name":"x","versions":{"1.0.0":{}', b"[" * 100_000,
        b'{"name":"x","versions":{"1.0.0":{"dependencies":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_document_that_is_none_is_malformed(body: bytes) -> None:
    """Wrong structure, truncation, nesting and another package's document raise one error."""
    with pytest.raises(MalformedMetadata) as problem:
        parse_packument(body, "x", URL)
    assert problem.value.url == URL
    assert len(str(problem.value)) < 500


@pytest.mark.parametrize(
    ("time", "iso"),
    [
        ({"1.0.0": "2020-01-02T03:04:05.678Z"}, "2020-01-02T03:04:05.678000+00:00"),
        ({"1.0.0": "2020-01-02T03:04:05+02:00"}, "2020-01-02T01:04:05+00:00"),
        ({"1.0.0": "2020-01-02T03:04:05"}, "2020-01-02T03:04:05+00:00"),
        ({"1.0.0": "yesterday"}, None),
        ({"1.0.0": 1577934245}, None),
        ({"1.0.0": None}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_release_date(time: object, iso: str | None) -> None:
    """A date is in UTC; an invalid one is unknown."""
    document = {"name": "x", "versions": {"1.0.0": {}}, "time": time}
    packument = parse_packument(json.dumps(document).encode(), "x", URL)
    date = packument.release_date("1.0.0")
    assert (date and date.isoformat()) == iso


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("file", "versions", "repository"),
    [
        (f"{NPM_RESPONSES}/chalk.json", 25, "https://github.com/chalk/chalk"),
        (f"{NPM_RESPONSES}/node-forge.json", 131, "https://github.com/digitalbazaar/forge"),
        (f"{NPM_RESPONSES}/react-modal.json", 99, "https://github.com/reactjs/react-modal"),
        (
            f"{NPM_RESPONSES}/types_node-forge.json",
            56,
            "https://github.com/DefinitelyTyped/DefinitelyTyped",
        ),
        (f"{PURLDB_RESPONSES}/0flux.json", 4, "https://github.com/reissbaker/0flux"),
        (f"{PURLDB_RESPONSES}/microdata.json", 26, "https://github.com/Janpot/microdata-node"),
    ],
)
def test_recorded_documents(recordings: Path, file: str, versions: int, repository: str) -> None:
    """Recorded documents return their versions, dates, requirements and links."""
    body = (recordings / file).read_bytes()
    document = json.loads(body)
    packument = parse_packument(body, document["name"], URL)
    assert packument.versions.keys() == document["versions"].keys()
    assert len(packument.versions) == versions
    assert all(packument.release_date(name) for name in packument.versions)
    assert any(repository.partition("://")[2] in link for link in packument.addresses())
    reader = RequirementReader(document["name"])
    for name, manifest in packument.versions.items():
        wanted = document["versions"][name].get("dependencies") or {}
        assert {r.package.registry_name for r in reader.read(manifest)} == wanted.keys()


@given(
    st.dictionaries(
        st.sampled_from(
            ["name", "versions", "time", "repository", "homepage", "bugs", "dist-tags"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("x"),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["1.0.0", "dependencies", "bundleDependencies", "url", "npm:a@1"]
                    ),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=12,
        ),
    )
)
def test_any_json_is_read_or_malformed(document: dict[str, Any]) -> None:
    """Every document is read, or raises the typed error."""
    try:
        packument = parse_packument(json.dumps({"name": "x"} | document).encode(), "x", URL)
    except MalformedMetadata:
        return
    list(packument.addresses())
    for name, manifest in packument.versions.items():
        packument.release_date(name)
        list(manifest.addresses())
        RequirementReader("x").read(manifest)
