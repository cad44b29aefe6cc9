"""Crates' names and the lines of the sparse index: recorded ones and broken ones."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.crates.index import index_path, parse_index
from ssc_ingest.errors import InvalidName, MalformedMetadata
from ssc_ingest.models import Requirement
from tests.unit.semver_readers import RELEASES, selected

URL = "https://index.example/x"
REF = Crates.ref("demo")


def line(**fields: Any) -> bytes:
    """A line of the index for version 1.0.0 of the crate ``demo``, with some fields changed."""
    whole = {
        "name": "demo",
        "vers": "1.0.0",
        "deps": [],
        "cksum": "0" * 64,
        "features": {},
        "yanked": False,
    }
    return json.dumps({key: v for key, v in {**whole, **fields}.items() if v is not ...}).encode()


def requirements_of(*dependencies: dict[str, Any]) -> dict[str, str]:
    """Constraint by purl of a version with these dependencies."""
    return {purl: r.constraints for purl, r in read(*dependencies).items()}


def read(*dependencies: dict[str, Any]) -> dict[str, Requirement]:
    """The requirements of a version with these dependencies, by purl."""
    deps = [{"name": "other", "req": "^1", **dependency} for dependency in dependencies]
    (parsed,) = parse_index(line(deps=deps), REF, URL).values()
    return {r.package.purl: r for r in parsed.requirements}


# Names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "purl", "path"),
    [
        ("a", "pkg:cargo/a", "1/a"),
        ("AB", "pkg:cargo/ab", "2/ab"),
        ("abc", "pkg:cargo/abc", "3/a/abc"),
        ("serde", "pkg:cargo/serde", "se/rd/serde"),
        ("Inflector", "pkg:cargo/inflector", "in/fl/inflector"),
        ("serde_json", "pkg:cargo/serde_json", "se/rd/serde_json"),
        ("a-b-c", "pkg:cargo/a-b-c", "a-/b-/a-b-c"),
    ],
)
def test_name_gives_purl_and_path(name: str, purl: str, path: str) -> None:
    """A crate has one package URL in lower case and one path in the index."""
    ref = Crates.ref(name)
    assert (ref.purl, ref.name, ref.registry_name) == (purl, name.lower(), name)
    assert "/".join(index_path(name)) == path


def test_import_name_is_a_rust_path() -> None:
    """Rust paths have underscores where crate names have hyphens."""
    assert Crates.fallback_import_name(Crates.ref("proc-macro2")) == "proc_macro2"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "1a", "_a", "-a", "a b", "a\n", "a\x00", "%2e", "a.b", "é",
     "a" * 65, "a" * 5000],
)  # fmt: skip
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    """Path tricks, control characters and overlong names never become a URL."""
    with pytest.raises(InvalidName) as refusal:
        Crates.ref(name)
    assert len(str(refusal.value)) < 300


# Requirements ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dependency", "found"),
    [
        ({}, {"pkg:cargo/other": "^1"}),
        ({"kind": None}, {"pkg:cargo/other": "^1"}),
        ({"kind": "normal", "optional": True}, {"pkg:cargo/other": "^1"}),
        ({"kind": "build"}, {"pkg:cargo/other": "^1"}),
        ({"kind": "dev"}, {}),
        ({"target": "cfg(windows)"}, {"pkg:cargo/other": "^1"}),
        ({"registry": "https://crates.example/index"}, {}),
        ({"name": "alias", "package": "Real_Name"}, {"pkg:cargo/real_name": "^1"}),
        ({"name": "1alias", "package": "real"}, {"pkg:cargo/real": "^1"}),
        ({"name": "demo", "req": "=0.9.0"}, {"pkg:cargo/demo": "=0.9.0"}),
        ({"req": "*"}, {"pkg:cargo/other": "any"}),
    ],
)
def test_which_dependencies_are_taken(dependency: dict[str, Any], found: dict[str, str]) -> None:
    """Normal and build dependencies are read under their real names.

    Including optional dependencies and dependencies of one target.
    """
    assert requirements_of(dependency) == found


def test_a_crate_that_is_named_twice_has_one_requirement() -> None:
    """The ranges of one crate become their union, for all targets, kinds and spellings."""
    assert requirements_of({"target": "cfg(unix)"}, {"target": "cfg(windows)"}) == {
        "pkg:cargo/other": "^1"
    }
    assert requirements_of(
        {"name": "Other", "req": "^0.1"},
        {"kind": "build", "req": "^0.2"},
        {"kind": "dev", "req": "^9"},
    ) == {"pkg:cargo/other": "^0.1 || ^0.2"}


def test_requirement_that_cannot_be_a_crate_is_left_out_and_told() -> None:
    """An invalid name is skipped with a warning; the other requirements stay."""
    with capture_logs() as logs:
        found = requirements_of({"name": "../x"}, {})
    assert found == {"pkg:cargo/other": "^1"}
    assert [(log["event"], log["requirements"]) for log in logs] == [
        ("requirements_skipped", ["../x"])
    ]


@pytest.mark.parametrize(
    ("dependency", "kind", "optional"),
    [
        ({}, None, False),
        ({"kind": "normal"}, None, False),
        ({"kind": "build"}, "build", False),
        ({"optional": True}, None, True),
        ({"kind": "build", "optional": True}, "build", True),
        (
            {"optional": None, "features": None, "default_features": None, "target": None},
            None,
            False,
        ),
        # The same versions in another spelling.
        ({"req": "1"}, None, False),
        ({"req": "1.*"}, None, False),
        ({"req": "^1.0.0-rc.1"}, None, False),
    ],
)
def test_kind_and_optional_need_no_declaration(
    dependency: dict[str, Any],
    kind: str | None,
    optional: bool,  # noqa: FBT001 (a parameter)
) -> None:
    """The edge has both properties."""
    (requirement,) = read(dependency).values()
    assert (requirement.kind, requirement.optional) == (kind, optional)
    assert requirement.declared is None


@pytest.mark.parametrize(
    ("dependencies", "declarations"),
    [
        ([{"target": "cfg(windows)"}], [{"target": "cfg(windows)"}]),
        ([{"features": ["a", "b"]}], [{"features": ["a", "b"]}]),
        ([{"default_features": False}], [{"default_features": False}]),
        ([{"name": "alias", "package": "other"}], [{"alias": "alias"}]),
        ([{"name": "other", "package": "other"}], None),
        ([{"req": "nonsense"}], [{"text": "nonsense"}]),
        ([{"req": "x" * 5000}], None),
        (
            [{"kind": "build", "optional": True, "target": "cfg(unix)"}],
            [{"kind": "build", "optional": True, "target": "cfg(unix)"}],
        ),
        ([{}, {}], None),
        ([{}, {"kind": "dev", "features": ["a"]}], None),
        ([{"kind": "build"}, {"kind": None}], [{"kind": "build"}, {}]),
        ([{"optional": True}, {"kind": "build"}], [{"optional": True}, {"kind": "build"}]),
        (
            [{"target": "cfg(unix)"}, {"target": "cfg(windows)", "req": "^2"}, {"req": "1"}],
            [
                {"text": "^1", "target": "cfg(unix)"},
                {"text": "^2", "target": "cfg(windows)"},
                {"text": "1"},
            ],
        ),
        (
            [{"name": "a", "package": "Other"}, {"name": "b", "package": "other", "req": "^0.5"}],
            [{"text": "^1", "alias": "a"}, {"text": "^0.5", "alias": "b"}],
        ),
    ],
)
def test_declarations_say_what_the_edge_cannot(
    dependencies: list[dict[str, Any]], declarations: list[dict[str, Any]] | None
) -> None:
    """Targets, features, aliases, and all of several declarations are declared; nothing else."""
    (requirement,) = read(*dependencies).values()
    found = None if requirement.declared is None else json.loads(requirement.declared)
    assert found == declarations


def test_kinds_and_options_of_several_declarations() -> None:
    """A crate is optional, or a build requirement, if each declaration says so."""
    (mixed,) = read({"kind": "build", "optional": True}, {}).values()
    (same,) = read(*({"kind": "build", "optional": True, "target": t} for t in "ab")).values()
    assert (mixed.kind, mixed.optional) == (None, False)
    assert (same.kind, same.optional) == ("build", True)


def test_equal_requirements_and_tables_are_one_object() -> None:
    """Equal requirements and tables are one object: large crates have a million requirements."""
    deps = [{"name": "other", "req": "^1", "features": ["a"], "target": "cfg(unix)"}]
    lines = [line(vers=f"1.0.{n}", deps=deps, features={"f": ["other/b"]}) for n in range(2)]
    first, second = parse_index(b"\n".join([*lines, b""]), REF, URL).values()
    assert first.requirements[0] is second.requirements[0]
    assert first.features is second.features


@pytest.mark.parametrize(
    ("features", "features2", "table"),
    [
        ({}, None, None),
        (None, None, None),
        ({"b": ["a", "dep:x", "x?/y"], "a": []}, None, {"a": [], "b": ["a", "dep:x", "x?/y"]}),
        ({"a": ["b"]}, {"a": ["dep:x"], "c": []}, {"a": ["b", "dep:x"], "c": []}),
        ({}, {"c": ["x?/y"]}, {"c": ["x?/y"]}),
    ],
)
def test_features_of_both_fields(features: Any, features2: Any, table: Any) -> None:
    """Features of both fields become one table, merged like Cargo, in their original spelling."""
    (parsed,) = parse_index(line(v=2, features=features, features2=features2), REF, URL).values()
    assert (parsed.features and json.loads(parsed.features)) == table


@pytest.mark.parametrize("features", [{"f": ["x" * 2**20]}, {"f": "x"}, ["f"]])
def test_features_that_nobody_can_read_cost_their_version(features: Any) -> None:
    """As in Cargo, a version is skipped if its features, and so its requirements, are unknown."""
    with capture_logs() as logs:
        body = b"\n".join([line(vers="1.0.0", features=features), line(vers="1.1.0"), b""])
        assert list(parse_index(body, REF, URL)) == ["1.1.0"]
    assert [log["event"] for log in logs] == ["entries_skipped"]


# Lines ----------------------------------------------------------------------------------


def test_each_line_is_a_version() -> None:
    """Versions have the index's data; a missing field has its documented default."""
    body = b"\n".join(
        [
            line(vers="1.0.0", pubtime="2024-05-06T07:08:09Z"),
            line(vers="1.1.0", yanked=True, v=2, features2={"a": ["dep:b"]}),
            line(vers="1.2.0", features=..., yanked=..., unheard_of={"x": 1}),
            b"",
        ]
    )
    lines = parse_index(body, REF, URL)
    assert [(parsed.vers, parsed.yanked) for parsed in lines.values()] == [
        ("1.0.0", False), ("1.1.0", True), ("1.2.0", False),
    ]  # fmt: skip
    dates = [parsed.release_date for parsed in lines.values()]
    assert dates == [datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), None, None]


@pytest.mark.parametrize(
    "future", [line(vers="2.0.0", v=3), line(vers="2.0.0", v=3, deps={"of": "another shape"})]
)
def test_lines_of_a_newer_format_are_passed_over(future: bytes) -> None:
    """A version in an unknown format does not hide the others."""
    assert list(parse_index(future + b"\n" + line(), REF, URL)) == ["1.0.0"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n\n", b"null", b"[]", b"{}", b"<html></html>", b"\xff\xfe", line()[:-5],
        line(vers=...), line(deps=...), line(deps=[{"name": "a"}]), line(cksum=None),
        line(deps=[{"name": "a", "req": "1", "kind": "unheard-of"}]), line(yanked="maybe"),
        line(name="other"), line(v=3), line(v="x"), line() + b"\n{", b"[" * 100_000,
    ],
)  # fmt: skip
def test_file_that_is_no_index_is_malformed(body: bytes) -> None:
    """Errors, truncation, another crate's file and an empty body are never "no versions"."""
    with pytest.raises(MalformedMetadata) as problem:
        parse_index(body, REF, URL)
    assert problem.value.url == URL
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize(
    "bad",
    [
        b"{", b"null", b"\xff", b"[" * 100_000, line(vers="", name="demo"), line(vers="1@2"),
        line(deps=[{"name": "a", "req": "1", "kind": "artifact"}]), line(name="other"),
        line(deps=None), line(cksum=5),
    ],
)  # fmt: skip
def test_one_bad_line_costs_itself(bad: bytes) -> None:
    """As in Cargo: the other versions are read, and the bad line is logged."""
    with capture_logs() as logs:
        body = b"\n".join([line(vers="1.0.0"), bad, line(vers="1.2.0"), b""])
        assert list(parse_index(body, REF, URL)) == ["1.0.0", "1.2.0"]
    assert [(log["event"], log["count"]) for log in logs] == [("entries_skipped", 1)]


@pytest.mark.parametrize("pubtime", ["0001-01-01T00:00:00+01:00", "soon", 5, None])
def test_a_date_that_is_none_is_unknown(pubtime: Any) -> None:
    """The version stays."""
    (parsed,) = parse_index(line(pubtime=pubtime, yanked=None, v=None), REF, URL).values()
    assert (parsed.release_date, bool(parsed.yanked)) == (None, False)


@pytest.mark.recordings
def test_recorded_index(recordings: Path) -> None:
    """Every version of every recorded crate is read, and each constraint can be evaluated."""
    folder = recordings / "kornelski__crates.io-index"
    files = [path for path in folder.glob("*/*/*") if path.is_file()]
    assert len(files) > 100
    for path in files:
        body = path.read_bytes()
        documents = [json.loads(text) for text in body.splitlines()]
        ref = Crates.ref(documents[0]["name"])
        assert path == folder.joinpath(*index_path(ref.name))
        lines = parse_index(body, ref, path.as_uri())
        assert list(lines) == [document["vers"] for document in documents]
        for document, parsed in zip(documents, lines.values(), strict=True):
            wanted = {
                (dependency.get("package") or dependency["name"]).lower()
                for dependency in document["deps"]
                if dependency["kind"] != "dev"
            }
            found = parsed.requirements
            assert {requirement.package.name for requirement in found} == wanted
            assert declarations_of(found) == declarations_in(document)
            features = document["features"] | (document.get("features2") or {})
            assert json.loads(parsed.features or "{}") == features
            for requirement in found:
                selected(requirement.constraints, RELEASES)


def declarations_of(requirements: Iterable[Requirement]) -> set[tuple[Any, ...]]:
    """All data for a resolver in the requirements, except ranges."""
    return {
        (
            requirement.package.name,
            each.get("alias", requirement.package.registry_name).lower(),
            each.get("kind", "normal"),
            each.get("optional", False),
            each.get("target"),
            tuple(each.get("features", ())),
            each.get("default_features", True),
        )
        for requirement in requirements
        for each in declarations_as_told(requirement)
    }


def declarations_as_told(requirement: Requirement) -> list[dict[str, Any]]:
    """``declared``, or the declaration that the edge implies."""
    if requirement.declared:
        return list(json.loads(requirement.declared))
    return [{"kind": requirement.kind or "normal", "optional": requirement.optional}]


def declarations_in(document: dict[str, Any]) -> set[tuple[Any, ...]]:
    """The same data, from the line of the index."""
    return {
        (
            (each.get("package") or each["name"]).lower(),
            each["name"].lower(),
            each["kind"] or "normal",
            each["optional"],
            each["target"],
            tuple(each["features"]),
            each["default_features"],
        )
        for each in document["deps"]
        if each["kind"] != "dev"
    }


@given(st.binary(max_size=60) | st.text('{}[]":,namevrsdp0.1\n ', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    """Every file is read, or raises the typed error."""
    try:
        parse_index(line() + b"\n" + body, REF, URL)
    except MalformedMetadata:
        return
