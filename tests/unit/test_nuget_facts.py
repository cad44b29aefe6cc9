"""Facts of a version in NuGet's registrations besides the constraints of its requirements."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.nuget.registration import EVERY
from ssc_ingest.ecosystems.nuget.requirements import RequirementReader
from ssc_ingest.models import VersionName
from tests.unit.test_nuget_documents import entry, group, read, recorded

# Target frameworks ----------------------------------------------------------------------


def facts(*groups: dict[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    """The frameworks, and the declarations by package."""
    found = read(*groups)
    return found.frameworks and json.loads(found.frameworks), {
        r.package.name: r.declared and json.loads(r.declared) for r in found.found or ()
    }


OLD, NEW = "net462", "net8.0"


@pytest.mark.parametrize(
    ("groups", "frameworks", "declared"),
    [
        ((), None, {}),
        # one group for every framework: the constraint says all
        ((group(a="[1.0, )"),), None, {"a": None}),
        ((group("", a="[1.0, )"), {}), None, {"a": None}),
        ((group(NEW, a="[1.0, )"),), [NEW], {"a": None}),
        # alike in all groups
        ((group(OLD, a="[1.0, )"), group(NEW, A="[1.0, )")), [OLD, NEW], {"a": None}),
        # not in all of them, among which is one without dependencies
        ((group(OLD, a="[1.0, )"), {"targetFramework": NEW}), [OLD, NEW],
         {"a": [{"framework": OLD}]}),
        ((group(OLD, a="[1.0, )"), group(a="[1.0, )"), group(NEW)), [OLD, EVERY, NEW],
         {"a": [{"framework": OLD}, {"framework": EVERY}]}),
        # other versions
        ((group(OLD, a="[1.0, )"), group(NEW, a="[2.0, )")), [OLD, NEW],
         {"a": [{"framework": OLD}, {"framework": NEW, "text": "[2.0, )"}]}),
        ((group(OLD, a="[1.0]"), group(NEW, a="[2.0]", b="1.0")), [OLD, NEW],
         {"a": [{"framework": OLD, "text": "[1.0]"}, {"framework": NEW, "text": "[2.0]"}],
          "b": [{"framework": NEW}]}),
        # nothing is required, whatever group is taken
        ((group(OLD), group(NEW)), None, {}),
        # a framework that is none fits no project; an absent one fits all
        ((group(OLD, a="1.0"), {**group(a="1.0"), "targetFramework": 5}), [OLD, "Unsupported0.0"],
         {"a": None}),
        (({**group(a="1.0"), "targetFramework": None},), None, {"a": None}),
        # what the constraint does not say
        ((group(a="1.*"),), None, {"a": [{"text": "1.*"}]}),
        ((group(a="[1.0-preview.2, 1.0-rc.1]"),), None,
         {"a": [{"text": "[1.0-preview.2, 1.0-rc.1]"}]}),
        ((group(a="nonsense"),), None, {"a": [{"text": "nonsense"}]}),
        ((group(a="(, )", b=None),), None, {"a": None, "b": None}),
    ],
)  # fmt: skip
def test_target_frameworks(groups: Any, frameworks: Any, declared: Any) -> None:
    """A package that all groups require equally names no group; otherwise each group is named."""
    assert facts(*groups) == (frameworks, declared)


def test_several_ranges_at_once() -> None:
    """Each is a declaration of its own."""
    dependency = {"id": "a", "range": ["[1.0.0, )", "[2.0.0, 3.0.0)"]}
    assert facts({"dependencies": [dependency]}) == (None, {"a": [{}, {"text": "[2.0.0, 3.0.0)"}]})


ranges = st.sampled_from(["[1.0.0, )", "[1.0.0]", "[2.0.0, 3.0.0)", "1.0", "1.*", "", "(, )", "x"])
groups = st.lists(
    st.tuples(st.sampled_from([None, OLD, NEW]), st.dictionaries(st.sampled_from("ab"), ranges)),
    max_size=4,
    unique_by=lambda each: each[0],
)


@given(groups)
def test_every_group_can_be_read_back(found: list[tuple[str | None, dict[str, str]]]) -> None:
    """The requirements of an installation for each target framework can be read back."""
    result = read(*(group(framework, **ranges) for framework, ranges in found))
    requirements = result.found or ()
    named = json.loads(result.frameworks) if result.frameworks else [EVERY]
    back: dict[str, dict[str, str]] = {framework: {} for framework in named}
    for requirement in requirements:
        default = {"any": ""}.get(requirement.constraints, requirement.constraints)
        for each in json.loads(requirement.declared or "[{}]"):
            for framework in [each["framework"]] if "framework" in each else named:
                back[framework][requirement.package.name] = each.get("text", default)
    same = {"1.0": "[1.0.0, )", "(, )": ""}
    wanted = {f or EVERY: {n: same.get(t, t) for n, t in rs.items()} for f, rs in found}
    if requirements:
        assert {f: {n: same.get(t, t) for n, t in rs.items()} for f, rs in back.items()} == wanted
    else:
        assert not any(wanted.values())


def test_equal_requirements_are_one_object() -> None:
    """Equal requirements, and equal lists of frameworks, of all versions are one object."""
    reader = RequirementReader("demo")
    first, second = (
        reader.read(entry(dependencyGroups=[group(OLD, a="[1.0, )"), group(NEW)])) for _ in range(2)
    )
    assert first.found
    assert second.found
    assert first.found[0] is second.found[0]
    assert first.frameworks is second.frameworks


# Licences and deprecations --------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "url", "text"),
    [
        ("MIT", "https://licenses.nuget.org/MIT", "MIT"),
        ("", "https://x.example/licence", "https://x.example/licence"),
        (..., "https://x.example/licence", "https://x.example/licence"),
        ("", "https://aka.ms/deprecateLicenseUrl", None),
        ("", "", None),
        (5, [], None),
        (..., ..., None),
    ],
)
def test_licence(expression: Any, url: Any, text: str | None) -> None:
    """The expression, or else the address, unless that only says that there is none."""
    assert (entry(licenseExpression=expression, licenseUrl=url).license_text or None) == text


@pytest.mark.parametrize(
    ("deprecation", "text"),
    [
        (..., None),
        (None, None),
        (5, None),
        ({}, "deprecated"),
        ({"reasons": ["Legacy", "CriticalBugs", 5]}, "Legacy, CriticalBugs"),
        ({"reasons": ["Legacy"], "message": "Too old."}, "Too old."),
        ({"message": " ", "reasons": 5}, "deprecated"),
        (
            {"message": "Moved", "alternatePackage": {"id": "New.One", "range": "*"}},
            "Moved; use New.One instead",
        ),
        (
            {"reasons": ["Legacy"], "alternatePackage": {"id": "New.One", "range": "[2.0, )"}},
            "Legacy; use New.One [2.0, ) instead",
        ),
        ({"reasons": ["Legacy"], "alternatePackage": {"range": "*"}}, "Legacy"),
        ({"message": "x" * 5000}, "x" * 1000),
    ],
)
def test_deprecation(deprecation: Any, text: str | None) -> None:
    """https://learn.microsoft.com/nuget/api/registration-base-url-resource#package-deprecation."""
    assert entry(deprecation=deprecation).deprecated == text


# Recordings -----------------------------------------------------------------------------


@pytest.mark.recordings
def test_recorded_frameworks(recordings: Path) -> None:
    """Serilog requires nothing on .NET 9, which only the list of its groups says."""
    found = RequirementReader("serilog").read(recorded(recordings, "Serilog")[VersionName("4.3.1")])
    old, newer, standard = ".NETFramework4.6.2", ".NETFramework4.7.1", ".NETStandard2.0"
    assert json.loads(found.frameworks or "") == [
        old, newer, "net6.0", "net8.0", "net9.0", "net10.0", standard
    ]  # fmt: skip
    declared = {
        r.package.name: [each["framework"] for each in json.loads(r.declared or "")]
        for r in found.found or ()
    }
    assert declared == {
        "system.valuetuple": [old],
        "system.diagnostics.diagnosticsource": [old, newer, standard],
        "system.threading.channels": [old, newer, standard],
    }


@pytest.mark.recordings
def test_recorded_licences(recordings: Path) -> None:
    """Newer versions have expressions, older ones have addresses."""
    entries = recorded(recordings, "Serilog")
    assert entries[VersionName("4.3.1")].license_text == "Apache-2.0"
    assert entries[VersionName("1.4.34")].license_text == (
        "http://www.apache.org/licenses/LICENSE-2.0"
    )
    assert {entry.deprecated for entry in entries.values()} == {None}
