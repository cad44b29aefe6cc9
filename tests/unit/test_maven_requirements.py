"""Requirements of Maven's versions, with what the constraint does not say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.constraints import to_constraints
from ssc_ingest.ecosystems.maven.identity import Coordinates, reference
from ssc_ingest.ecosystems.maven.pom.model import Declaration
from ssc_ingest.ecosystems.maven.pom.requirements import RequirementReader
from ssc_ingest.models import Requirement

PLAIN = Declaration("x", "a", "1.2", "jar", "", "", "")


def read(*declarations: Declaration) -> list[Requirement]:
    """The requirements that declarations make."""
    return list(RequirementReader(reference("g:a")).read(declarations))


def facts(*declarations: Declaration) -> tuple[str, str | None, Any]:
    """Constraints, kind and declarations of the one requirement that they make."""
    (found,) = read(*declarations)
    assert not found.optional
    return found.constraints, found.kind, found.declared and json.loads(found.declared)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("[1.2]", None, None)),
        ({"scope": "compile", "optional": "false"}, ("[1.2]", None, None)),
        ({"scope": "runtime"}, ("[1.2]", "runtime", None)),
        ({"classifier": "jdk8"}, ("[1.2]", None, [{"classifier": "jdk8"}])),
        ({"type": "test-jar"}, ("[1.2]", None, [{"type": "test-jar"}])),
        ({"exclusions": ("y:b", "*:*")}, ("[1.2]", None, [{"exclusions": ["y:b", "*:*"]}])),
        ({"managed": True}, ("[1.2]", None, [{"managed": True}])),
        (
            {"managed": True, "scope": "runtime"},
            ("[1.2]", "runtime", [{"scope": "runtime", "managed": True}]),
        ),
    ],
)
def test_what_a_declaration_says(changes: dict[str, Any], expected: Any) -> None:
    """Nothing is written for what is usual; the scope alone is the kind."""
    assert facts(PLAIN._replace(**changes)) == expected


@pytest.mark.parametrize(
    ("version", "constraints", "text"),
    [
        ("1.2", "[1.2]", None),  # soft: what nearly all are
        ("[1.2]", "[1.2]", "[1.2]"),  # hard
        ("[ 1.2 ]", "[1.2]", "[ 1.2 ]"),
        ("[1.2,1.2]", "[1.2]", "[1.2,1.2]"),
        ("[1,2)", "[1,2)", None),
        ("[1, 2)", "[1,2)", None),
        ("[1,2),[3,)", "[1,2),[3,)", None),
        ("[1,2),[1.5,3)", "[1,3)", "[1,2),[1.5,3)"),
        ("v1.2", "[1.2]", "v1.2"),
        ("", "any", None),
        ("(,)", "any", "(,)"),
        ("LATEST", "any", "LATEST"),
        ("${gone}", "any", "${gone}"),
    ],
)
def test_versions_whose_constraint_says_less(
    version: str, constraints: str, text: str | None
) -> None:
    """A soft requirement is written as that one version; a hard one is spelled out."""
    declared = None if text is None else [{"text": text}]
    assert facts(PLAIN._replace(version=version)) == (constraints, None, declared)


def test_several_declarations_of_one_package() -> None:
    """Several declarations of a package are one requirement, which lists their differences."""
    tests = PLAIN._replace(type="test-jar", version="1.3", scope="runtime")
    assert facts(PLAIN, tests) == (
        "[1.2],[1.3]",
        None,
        [{"text": "1.2"}, {"text": "1.3", "scope": "runtime", "type": "test-jar"}],
    )
    native = PLAIN._replace(classifier="linux", scope="runtime")
    assert facts(native, PLAIN._replace(scope="runtime")) == (
        "[1.2]",
        "runtime",
        [{"scope": "runtime", "classifier": "linux"}, {"scope": "runtime"}],
    )
    assert facts(PLAIN, PLAIN) == ("[1.2]", None, None)


@pytest.mark.parametrize(
    "changes", [{"scope": "test"}, {"scope": "provided"}, {"optional": "true"}]
)
def test_what_an_installation_leaves_out_says_nothing(changes: dict[str, Any]) -> None:
    """A declaration that an installation leaves out has no effect.

    Neither alone, nor beside a declaration of the same package that counts.
    """
    other = PLAIN._replace(classifier="other", version="9", **changes)
    assert read(other) == []
    assert facts(PLAIN, other) == ("[1.2]", None, None)


def test_a_relocation_is_no_ordinary_requirement() -> None:
    """The version stands for the package that it points to."""
    reader = RequirementReader(reference("g:a"))
    (found,) = reader.relocated(Coordinates("new.g", "a", "1"))
    assert (found.constraints, found.kind, found.declared) == ("[1]", "relocation", None)


declarations = st.builds(
    Declaration,
    st.just("x"),
    st.sampled_from("ab"),
    st.sampled_from(["1", "[1]", "[1,2)", "2", "", "${x}"]),
    st.sampled_from(["jar", "test-jar"]),
    st.sampled_from(["", "linux"]),
    st.sampled_from(["", "compile", "runtime", "test"]),
    st.sampled_from(["", "true"]),
    st.sampled_from([(), ("y:b",)]),
    st.booleans(),
)


@given(st.lists(declarations, max_size=6))
def test_a_resolver_can_read_every_declaration(found: list[Declaration]) -> None:
    """Constraint, kind and declarations together give all declared facts again."""
    wanted: dict[str, list[Any]] = {}
    for d in found:
        if d.scope != "test" and not d.optional:
            kept = (d.version, d.type, d.classifier, d.scope or "compile", d.exclusions, d.managed)
            each = wanted.setdefault(f"x:{d.artifact}", [])
            each.extend([] if kept in each else [kept])
    back = {}
    for requirement in read(*found):
        alone = [{"scope": requirement.kind or "compile"}]
        constraints = requirement.constraints
        soft = constraints[1:-1] if "," not in constraints else constraints
        default = "" if constraints == "any" else soft
        back[requirement.package.name] = [
            (
                d.get("text", default),
                d.get("type", "jar"),
                d.get("classifier", ""),
                d.get("scope", "compile"),
                tuple(d.get("exclusions", ())),
                d.get("managed", False),
            )
            for d in (json.loads(requirement.declared) if requirement.declared else alone)
        ]
    assert back == wanted


def test_equal_requirements_are_one_object() -> None:
    """Versions mostly require the same; the largest packages have a million requirements."""
    reader = RequirementReader(reference("g:a"))
    special = PLAIN._replace(exclusions=("y:b",), managed=True)
    for declaration in (PLAIN, special):
        (first,), (second,) = (reader.read([declaration._replace()]) for _ in range(2))
        assert first is second


def test_no_text_of_the_constraint_is_lost() -> None:
    """The constraint is what it was before there were declarations."""
    texts = ("1", "[2,3)", "5")
    several = [PLAIN._replace(version=v, classifier=v.strip("[)")) for v in texts]
    assert facts(*several)[0] == to_constraints(*texts)
