"""Constraints of the graph, parsed by their ecosystem: native and own notations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import built_in, ecosystem
from ssc_ingest.ecosystems.base import Ecosystem

NATIVE = [
    ("pypi", ">=1.2,<2", ">= 1.2, < 2"),
    ("pypi", "~=1.4.2", ">= 1.4.2, < 1.5"),
    ("pypi", "(==1.19.*)", ">= 1.19, < 1.20"),
    ("pypi", "", "any"),
    ("pypi", ">dev", "any"),
    ("npm", "^1.2.3", "^1.2.3"),
    ("npm", "1.2", ">=1.2.0 <1.3.0"),
    ("npm", "latest", "any"),
    ("npm", "npm:real@^1", "any"),
    ("cargo", "1.2", "^1.2"),
    ("cargo", ">=1.2, <2", ">=1.2, <2"),
    ("maven", "1.2.3", "[1.2.3]"),
    ("maven", "[1,2)", "[1,2)"),
    ("maven", "${spring.version}", "any"),
    ("rubygems", ">= 1.2, < 2", ">= 1.2, < 2"),
    ("rubygems", ">= 1.2&< 2", ">= 1.2, < 2"),
    ("rubygems", ">= 0", "any"),
    ("nuget", "[1.0, )", "[1.0.0, )"),
    ("nuget", "1.0", "[1.0.0, )"),
    ("nuget", "(, )", "any"),
]


@pytest.mark.parametrize(("name", "text", "expected"), NATIVE)
def test_native_notations_are_read(name: str, text: str, expected: str) -> None:
    """Native notations are parsed by the registry's rules; unreadable ones mean any version."""
    assert ecosystem(name).constraints(text) == expected


@pytest.mark.parametrize("cls", built_in())
@given(text=st.text("0123456789.,<>=!~^*x[]()|&- abc", max_size=30))
def test_a_constraint_is_its_own_constraint(cls: type[Ecosystem], text: str) -> None:
    """Parsing twice changes nothing, so a repair may be repeated."""
    once = cls.constraints(text)

    assert once
    assert cls.constraints(once) == once


@pytest.mark.parametrize("cls", built_in())
def test_any_stays(cls: type[Ecosystem]) -> None:
    """``any`` stays, also as one of several requirements."""
    assert cls.constraints("any") == "any"
    assert cls.constraints("any", "1.0") == "any"


def test_several_become_one() -> None:
    """The result is the smallest range around all."""
    assert ecosystem("pypi").constraints(">= 1, < 2", ">= 3, < 4") == ">= 1, < 4"
    assert ecosystem("nuget").constraints("[1.0.0, 2.0.0)", "[3.0.0]") == "[1.0.0, 3.0.0]"
    assert ecosystem("maven").constraints("[1]", "[2]") == "[1],[2]"


def test_names_of_nodes() -> None:
    """Names are in the registry's spelling, if known; Maven's are from the coordinates."""
    assert ecosystem("npm").name_of_node({"name": "jsonstream"}) == "jsonstream"
    node = {"name": "jsonstream", "registry_name": "JSONStream"}
    assert ecosystem("npm").name_of_node(node) == "JSONStream"
    node = {"name": "com.foo:bar", "group_id": "com.Foo", "artifact_id": "Bar"}
    assert ecosystem("maven").name_of_node(node) == "com.Foo:Bar"
    assert ecosystem("maven").name_of_node({"name": "a:b", "group_id": "c"}) == "a:b"
    assert ecosystem("maven").name_of_node({}) == ""


def test_names_of_versions() -> None:
    """NuGet's are normalised, the others are unchanged."""
    assert ecosystem("nuget").version_name("1.0") == "1.0.0"
    assert ecosystem("pypi").version_name("1.0") == "1.0"
