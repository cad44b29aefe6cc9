"""The facts of a version besides ranges: optional requirements, aliases, peers, and others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.npm import facts
from ssc_ingest.ecosystems.npm.packument import Manifest, parse_packument
from ssc_ingest.ecosystems.npm.ranges import says_all, to_constraints
from ssc_ingest.ecosystems.npm.requirements import RequirementReader
from ssc_ingest.models import Requirement

URL = "https://registry.example/x"


def manifest_of(**manifest: Any) -> Manifest:
    """A version with these fields."""
    document = {"name": "x", "versions": {"1.0.0": manifest}}
    return parse_packument(json.dumps(document).encode(), "x", URL).versions["1.0.0"]


def read(**manifest: Any) -> dict[str, Requirement]:
    """The requirements of a version with these fields, by name."""
    found = RequirementReader("x").read(manifest_of(**manifest))
    return {requirement.package.name: requirement for requirement in found}


# Requirements ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        ({"dependencies": {"a": "^1"}}, ("^1", False)),
        ({"optionalDependencies": {"a": "^2"}}, ("^2", True)),
        ({"dependencies": {"a": "^1"}, "optionalDependencies": {"a": "^2"}}, ("^2", True)),
        ({"dependencies": ["a"], "optionalDependencies": ["a@^2"]}, ("^2", True)),
        ({"dependencies": {"a": "^1"}, "optionalDependencies": None}, ("^1", False)),
        ({"dependencies": {"a": "^1"}, "optionalDependencies": 7}, ("^1", False)),
    ],
)
def test_optional_dependencies_in_both_shapes(
    manifest: dict[str, Any], found: tuple[str, bool]
) -> None:
    """Separate from ``dependencies``, or copied into it by older clients: optional wins."""
    (requirement,) = read(**manifest).values()
    assert (requirement.constraints, requirement.optional) == found
    assert requirement.declared is None


@pytest.mark.parametrize("bundled", [True, ["a"], {"a": "1"}])
def test_bundled_optional_dependencies_are_not_fetched(bundled: Any) -> None:
    """Bundled dependencies are in the version's archive, also the optional ones."""
    assert read(optionalDependencies={"a": "1"}, bundleDependencies=bundled) == {}


@pytest.mark.parametrize(
    ("manifest", "declarations"),
    [
        ({"dependencies": {"a": "1.x || >=2.5.0"}}, None),
        ({"dependencies": {"a": "1"}}, None),  # the same versions in another spelling
        ({"dependencies": {"a": ""}}, None),
        ({"dependencies": {"a": "^1.0.0 || ^1.2.0"}}, None),
        ({"dependencies": {"a": ">=1.0.0-rc.1 <2.0.0"}}, None),
        ({"dependencies": {"a": "next"}}, [{"text": "next"}]),
        ({"dependencies": {"a": "github:o/r"}}, [{"text": "github:o/r"}]),
        # npm takes prereleases of 1.2.0 too, and of no other release in between.
        (
            {"dependencies": {"a": "^1.0.0-rc.1 || ^1.2.0-rc.1"}},
            [{"text": "^1.0.0-rc.1 || ^1.2.0-rc.1"}],
        ),
        ({"dependencies": {"b": "npm:a@^1"}}, [{"alias": "b"}]),
        ({"dependencies": {"b": "npm:a@next"}}, [{"text": "next", "alias": "b"}]),
        ({"dependencies": {"a": "npm:a@^1"}}, None),
        (
            {"dependencies": {"a": "^2"}, "optionalDependencies": {"b": "npm:a@^1"}},
            [{"text": "^2"}, {"text": "^1", "optional": True, "alias": "b"}],
        ),
        (
            {"dependencies": {"b": "npm:a@^1", "c": "npm:a@^1"}},
            [{"alias": "b"}, {"alias": "c"}],
        ),
        ({"dependencies": {"a": "x" * 9000}}, None),
    ],
)
def test_declarations_say_what_the_edge_cannot(
    manifest: dict[str, Any], declarations: list[dict[str, Any]] | None
) -> None:
    """A resolver finds every alias, and every range as npm evaluates it."""
    (requirement,) = read(**manifest).values()
    assert requirement.package.name == "a"
    found = None if requirement.declared is None else json.loads(requirement.declared)
    assert found == declarations


def test_a_requirement_is_optional_if_all_of_its_declarations_are() -> None:
    """One required declaration makes the whole requirement required."""
    both = read(dependencies={"a": "^2"}, optionalDependencies={"b": "npm:a@^1"})
    none = read(optionalDependencies={"a": "^2", "b": "npm:a@^1"})
    assert (both["a"].optional, none["a"].optional) == (False, True)


_VERSION = st.sampled_from(["1", "1.2", "1.2.0", "1.2.0-rc.1", "1.2.0-beta", "0.0.3", "2.0.0", "*"])
_COMPARATOR = st.builds(
    "{}{}".format, st.sampled_from(["", "^", "~", ">=", "<", "<=", ">", "="]), _VERSION
)
_RANGE = st.lists(st.lists(_COMPARATOR, max_size=2).map(" ".join), min_size=1, max_size=3).map(
    " || ".join
)


@given(_RANGE)
def test_a_range_is_told_unless_the_constraint_means_the_same(text: str) -> None:
    """Ranges without prereleases are always decided; different ranges always differ."""
    constraints = to_constraints(text)
    assert says_all(constraints, text) or "-" in text
    assert not says_all(constraints, "^7.0.0")
    assert not says_all(constraints, f"{text} || ^7.0.0-rc.1")


@pytest.mark.parametrize(
    ("peers", "meta", "table"),
    [
        (None, None, None),
        ({}, None, None),
        ({"react": ">=17"}, None, {"react": {"range": ">=17"}}),
        (
            {"b": "^1 || ^2", "a": " * "},
            {"b": {"optional": True}, "c": {"optional": True}},
            {"a": {"range": "*"}, "b": {"range": "^1 || ^2", "optional": True}},
        ),
        ({"a": 5, "../b": "1"}, ["a"], {"a": {"range": ""}}),
        ({"a": "1"}, {"a": {"optional": False}}, {"a": {"range": "1"}}),
        ({"a": "1"}, {"a": True}, {"a": {"range": "1"}}),
        (["a@1"], None, {"a": {"range": "1"}}),
    ],
)
def test_peers_are_facts_of_the_version(peers: Any, meta: Any, table: Any) -> None:
    """Peers keep their ranges, and none is a requirement."""
    manifest = manifest_of(peerDependencies=peers, peerDependenciesMeta=meta)
    found = RequirementReader("x").peers(manifest)
    assert (None if found is None else json.loads(found)) == table
    assert RequirementReader("x").read(manifest) == ()


# Facts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("license_", "licenses", "text"),
    [
        ("MIT", None, "MIT"),
        ({"type": "BSD", "url": "https://a.example"}, None, "BSD"),
        ({"name": "ISC"}, None, "ISC"),
        ({"url": "https://a.example"}, None, "https://a.example"),
        (None, [{"type": "MIT"}, {"type": "GPL-2.0"}], "MIT OR GPL-2.0"),
        (["MIT", "Apache2"], None, "MIT OR Apache2"),
        (None, "MIT", "MIT"),
        ("MIT", [{"type": "GPL"}], "MIT"),
        ({"type": 5}, [None, 7, {}], None),
        (True, False, None),
        ("", None, None),
    ],
)
def test_licences_in_every_shape(license_: Any, licenses: Any, text: str | None) -> None:
    """Texts, objects and lists; several are alternatives."""
    assert facts.license_text(license_, licenses) == text


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ("use b", "use b"), (True, "deprecated"), (False, None), ("", None), (" ", None),
        (None, None), (0, None), ({"a": 1}, None), ("x" * 2000, "x" * 1000),
    ],
)  # fmt: skip
def test_deprecation(value: Any, note: str | None) -> None:
    """A deprecated version has a note, or only the fact."""
    assert facts.deprecated(value) == note


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"node": ">=18", "npm": 5}, '{"node":">=18"}'), ({}, None), (["node >= 0.6"], None),
        ("node", None), (None, None), ({"node": "x" * 3000}, None),
    ],
)  # fmt: skip
def test_engines(value: Any, found: str | None) -> None:
    """Engines are objects of texts, as npm has them."""
    assert facts.engines(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (["linux", "!win32", 5, ""], ("linux", "!win32")), ("darwin", ("darwin",)), (None, ()),
        ({}, ()), ([], ()), (["a"] * 500, ("a",) * 100),
    ],
)  # fmt: skip
def test_platforms(value: Any, found: tuple[str, ...]) -> None:
    """A list, or one name."""
    assert facts.platforms(value) == found


def test_tags_name_listed_versions() -> None:
    """A tag of an unlisted version is ignored."""
    tags = {"latest": "1.0.0", "next": "2.0.0", "odd": 5, "gone": "0.1.0"}
    assert facts.dist_tags(tags, {"1.0.0", "2.0.0"}) == {"latest": "1.0.0", "next": "2.0.0"}
    assert facts.dist_tags(["latest"], {"1.0.0"}) == {}
