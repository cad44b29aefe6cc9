"""Conversion of Requires-Dist lines to requirements."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.requirements import Requirement as Specification

from ssc_ingest.ecosystems.pypi.environments import (
    CPYTHONS,
    ENVIRONMENTS,
    REFERENCE,
    environments_of,
)
from ssc_ingest.ecosystems.pypi.requirements import Requirements, requirements_of


def read(*lines: str) -> dict[str, str]:
    """Requirements as purl -> constraints."""
    found = requirements_of(lines)
    assert not found.unreadable
    purls = [requirement.package.purl for requirement in found.installed]
    assert len(purls) == len(set(purls))
    return {r.package.purl.removeprefix("pkg:pypi/"): r.constraints for r in found.installed}


@pytest.mark.parametrize(
    ("line", "name", "constraints"),
    [
        ("idna", "idna", "any"),
        ("idna>=2.5,<4", "idna", ">= 2.5, < 4"),
        ("idna (>=2.5,<4)", "idna", ">= 2.5, < 4"),
        ("idna (==2.*)", "idna", ">= 2, < 3"),
        ("Ruamel.YAML ~= 0.18.5", "ruamel-yaml", ">= 0.18.5, < 0.19"),
        ("uvicorn[standard] >= 0.12", "uvicorn", ">= 0.12"),
        ("pip @ https://example.org/pip-22.0.zip", "pip", "any"),
        ("pip @ git+https://example.org/pip.git@main ; os_name == 'posix'", "pip", "any"),
    ],
)
def test_one_line(line: str, name: str, constraints: str) -> None:
    """A line may have a name, extras, parentheses and a direct reference."""
    assert read(line) == {name: constraints}


@pytest.mark.parametrize(
    ("marker", "taken"),
    [
        ('python_version >= "3.8"', True),
        ('python_version < "3.12"', True),
        ('python_version < "3"', False),
        ('python_version in "2.7 3.6"', False),
        ('python_full_version < "3.11.3"', True),
        ('python_full_version >= "3.14.7"', True),
        ('sys_platform == "win32"', True),
        ('sys_platform == "darwin" and python_version >= "3.13"', True),
        ('sys_platform == "sunos5"', False),
        ('sys_platform == "win32" and os_name == "posix"', False),
        ('platform_machine == "aarch64"', True),
        ('platform_machine == "arm64" and sys_platform == "darwin"', True),
        ('platform_python_implementation == "PyPy"', False),
        ("implementation_name == 'cpython'", True),
        ("python_implementation == 'CPython'", True),
        ('platform_release >= "5"', True),
        ('os_name ~= "nt"', False),
        ('extra == "socks"', False),
        ('python_version >= "3.8" and extra == "socks"', False),
        ('extra == "socks" or sys_platform == "win32"', True),
        ('extra != "minimal"', True),
    ],
)
def test_markers(marker: str, taken: bool) -> None:  # noqa: FBT001 (a table's column)
    """A line counts if it is true without extras on any supported CPython and platform."""
    assert bool(read(f"idna; {marker}")) == taken


@pytest.mark.parametrize(
    ("lines", "constraints"),
    [
        # One of them is true for the newest CPython on Linux: it holds
        (["x<2; python_version<'3.12'", "x>=2; python_version>='3.12'"], ">= 2"),
        (["x>=3; sys_platform=='win32'", "x>=2; sys_platform!='win32'"], ">= 2"),
        (["x>=1", "x<1; python_version<'3'"], ">= 1"),
        # Several are: installers want them all
        (["x>=1", "x<2"], ">= 1, < 2"),
        (["x>=1", "X[extra]>=1.5; python_version>'3'"], ">= 1.5"),
        (["x @ https://example.org/x.zip", "x<2"], "< 2"),
        (["x==1", "x==2"], "< 0.dev0"),
        # None is: around all of them
        (["x>=1,<2; sys_platform=='win32'", "x>=3,<4; sys_platform=='darwin'"], ">= 1, < 4"),
        (["x>=1; sys_platform=='win32'", "x; sys_platform=='darwin'"], "any"),
    ],
)
def test_several_lines_for_one_project(lines: list[str], constraints: str) -> None:
    """There is one requirement per project, for any number and order of lines."""
    assert read(*lines) == {"x": constraints}
    assert read(*reversed(lines)) == {"x": constraints}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "foo bar",
        "foo (bar)",
        "foo; python_version >> '3'",
        "foo; unheard_of == '1'",
        "-e git+https://example.org/x.git",
        "../local",
        "foo-",
        "foo; " + "(" * 900 + "extra == 'a'" + ")" * 900,
    ],
)
def test_unreadable_lines(line: str) -> None:
    """A line that is no dependency specifier is skipped and reported; the others count."""
    found = requirements_of(["idna>=2", line, "six"])
    assert [r.package.name for r in found.installed] == ["idna", "six"]
    assert found.unreadable == (line,)


@pytest.mark.parametrize(
    ("line", "constraints"),
    [
        ("foo>=1; " + "(" * 900 + "os_name == 'a'" + ")" * 900, ">= 1"),
        ("foo>=1; " + " or ".join(["os_name == 'a'"] * 5000), ">= 1"),
        ("foo" + ",".join(f">={n}" for n in range(5000)), "any"),
    ],
)
def test_lines_beyond_the_parser(line: str, constraints: str) -> None:
    """A requirement that cannot be evaluated is still an edge, and is reported."""
    found = requirements_of(["idna>=2", line, "six"])
    assert [(r.package.name, r.constraints) for r in found.installed][1] == ("foo", constraints)
    assert found.unreadable == (line,)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("foo; 'cli' in extras", {}),
        ("foo; 'dev' in dependency_groups", {}),
        ("foo; 'cli' in extras or os_name == 'posix'", {"foo": "any"}),
        ("foo>=1; " + " or ".join(f"python_full_version >= '3.12.{n}'" for n in range(300)),
         {"foo": ">= 1"}),
    ],
)  # fmt: skip
def test_markers_of_lock_files_and_long_ones(line: str, found: dict[str, str]) -> None:
    """No marker of a lock file is true; a long marker is evaluated."""
    assert read(line) == found


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("pytz (>dev)", True),
        ("pytz (>2011k)", True),
        ("pytz[x] >=1.7.*,<2", True),
        ("pytz >= 1.7.* ; python_version >= '3.8'", True),
        ("pytz (>dev) ; extra == 'x'", False),
    ],
)
def test_specifiers_from_before_pep_440(line: str, taken: bool) -> None:  # noqa: FBT001
    """Any version of the package is required; the line is reported."""
    found = requirements_of([line])
    assert [(r.package.name, r.constraints) for r in found.installed] == [("pytz", "any")] * taken
    assert found.unreadable == (line,)


# What the constraints do not say -------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "declarations"),
    [
        # The constraints say everything
        (["x"], None),
        (["x >=2.5,<4"], None),
        (["x<4,>=2.5"], None),
        (["x>=1.0"], None),
        (["x==1.2"], None),
        (["x>=1", "x >= 1"], None),
        # They are another set of versions
        (["x~=1.4.2"], [{"text": "~=1.4.2"}]),
        (["x==1.19.*"], [{"text": "==1.19.*"}]),
        (["x===1.0"], [{"text": "===1.0"}]),
        (["x!=1.2.*"], [{"text": "!=1.2.*"}]),
        (["x>=1,!=1.2.*"], [{"text": "!=1.2.*,>=1"}]),
        # ... that mentions a prerelease
        (["x!=1.5,!=1.6"], [{"text": "!=1.5,!=1.6"}]),
        (["x>=2,<1"], [{"text": "<1,>=2"}]),
        (["x @ https://example.org/x.zip"], [{"text": "@ https://example.org/x.zip"}]),
        # Where it applies, and what it asks for
        (["x>=1; python_version>='3.8'"], [{"marker": 'python_version >= "3.8"'}]),
        (["x[B_b,a.a]>=1"], [{"extras": ["a-a", "b-b"]}]),
        (
            ["x[a]~=1.2; os_name=='nt'"],
            [{"text": "~=1.2", "marker": 'os_name == "nt"', "extras": ["a"]}],
        ),
        (["x; extra=='a' or os_name=='nt'"], [{"marker": 'extra == "a" or os_name == "nt"'}]),
        # Several
        (
            ["x<2; python_version<'3.12'", "x>=2; python_version>='3.12'"],
            [
                {"text": "<2", "marker": 'python_version < "3.12"'},
                {"marker": 'python_version >= "3.12"'},
            ],
        ),
        (["x>=1", "x<2"], [{"text": ">=1"}, {"text": "<2"}]),
        (["x", "x[a]>=2"], [{"text": "any"}, {"extras": ["a"]}]),
        (["x>=1", "x<1; python_version<'3'"], None),
    ],
)
def test_declarations(lines: list[str], declarations: list[dict[str, Any]] | None) -> None:
    """Declarations exist if package and constraints lose information; each is complete."""
    (requirement,) = requirements_of(lines).installed
    found = None if requirement.declared is None else json.loads(requirement.declared)
    assert found == declarations
    assert (requirement.kind, requirement.optional) == (None, False)


def test_declarations_of_unreadable_lines() -> None:
    """A text from before PEP 440 is kept; a line that is too complex is not."""
    lines = ["pytz[x] (>dev) ; os_name == 'nt'", "six>=1; " + " or ".join(["os_name=='a'"] * 5000)]
    found = requirements_of(lines).installed
    declarations = [json.loads(each.declared) if each.declared else None for each in found]
    assert declarations == [[{"text": ">dev", "marker": 'os_name == "nt"', "extras": ["x"]}], None]


@pytest.mark.parametrize(
    ("lines", "table"),
    [
        ([], None),
        (["x", "y; os_name=='nt'"], None),
        (["x; extra=='a'"], {"a": ["x; extra=='a'"]}),
        (
            ["y (>=1) ;  extra == 'b'", "x; extra=='a'", "z[q]; extra=='b'", "x; extra=='a'"],
            {"a": ["x; extra=='a'"], "b": ["y (>=1) ; extra == 'b'", "z[q]; extra=='b'"]},
        ),
        # One extra in three spellings (PEP 685)
        (
            ["x; extra=='A.b'", "y; 'a_b' == extra", 'z; extra == "a-B"'],
            {"a-b": ["x; extra=='A.b'", "y; 'a_b' == extra", 'z; extra == "a-B"']},
        ),
        (
            ["x; extra=='a' or extra=='b'"],
            {"a": ["x; extra=='a' or extra=='b'"], "b": ["x; extra=='a' or extra=='b'"]},
        ),
        (["x; os_name=='nt' and extra=='a'"], {"a": ["x; os_name=='nt' and extra=='a'"]}),
        # A plain install may pull it: it is an edge
        (["x; extra=='a' or os_name=='nt'"], None),
        # Nobody has the environment
        (["x; extra=='a' and python_version<'3'"], None),
        (["x; extra=='a' and extra=='b'"], None),
        (["pytz (>dev); extra=='a'"], {"a": ["pytz (>dev); extra=='a'"]}),
    ],
)
def test_requirements_of_extras(lines: list[str], table: dict[str, list[str]] | None) -> None:
    """An extra's requirements are the lines that apply with it only, as the registry has them."""
    found = requirements_of(lines)
    assert (None if found.extras is None else json.loads(found.extras)) == table
    assert found.complete


@pytest.mark.parametrize(
    ("extras", "lines"), [(101, 1), (90, 100)], ids=["of one line", "of many lines"]
)
def test_extras_without_end(extras: int, lines: int) -> None:
    """What is too much to keep is not passed off as nothing."""
    marker = " or ".join(f"extra=='{number}'" for number in range(extras))
    found = requirements_of(["six", *(f"x{number}; {marker}" for number in range(lines))])
    assert [r.package.name for r in found.installed] == ["six"]
    assert found.extras is None or lines == 1
    assert not found.complete


@given(
    st.lists(
        st.sampled_from(
            ["x", "x>=1", "x<2,>=1", "x~=1.2", "x!=1.*", "x==2.*; os_name=='nt'", "x[a]>=1"]
        ),
        min_size=1,
        max_size=4,
    )
)
def test_declarations_are_the_lines(lines: list[str]) -> None:
    """Constraints and declarations together give each line again."""
    (requirement,) = requirements_of(lines).installed
    default = requirement.constraints
    one = {"text": default}
    found = [one | each for each in json.loads(requirement.declared or "[{}]")]
    read_back = set()
    for each in found:
        extras = f"[{','.join(each['extras'])}]" if "extras" in each else ""
        text = "" if each["text"] == "any" else each["text"]
        marker = f"; {each['marker']}" if "marker" in each else ""
        read_back.add(str(Specification(f"x{extras}{text}{marker}")))
    assert read_back == {str(Specification(line)) for line in lines}


def test_no_lines() -> None:
    """A release without requirements has none."""
    assert requirements_of([]) == Requirements(())


def test_the_reference_environment() -> None:
    """The reference is the newest supported CPython on Linux; all combinations exist."""
    reference = ENVIRONMENTS[REFERENCE]
    assert (reference["sys_platform"], reference["python_version"]) == ("linux", CPYTHONS[-1])
    pairs = {(e["sys_platform"], e["python_version"]) for e in ENVIRONMENTS}
    assert pairs == {(p, v) for p in ("linux", "darwin", "win32") for v in CPYTHONS}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["python_version", "sys_platform", "platform_machine", "extra"]),
            st.sampled_from(["==", "!=", ">=", "<"]),
            st.sampled_from(["3.11", "3.13", "linux", "win32", "arm64", ""]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.sampled_from(["and", "or"]), min_size=3, max_size=3),
)
def test_environments_are_those_where_the_marker_is_true(
    comparisons: list[tuple[str, str, str]], operators: list[str]
) -> None:
    """Shared results equal those of each single environment."""
    clauses = [f'{variable} {operator} "{value}"' for variable, operator, value in comparisons]
    text = clauses[0]
    for operator, clause in zip(operators, clauses[1:], strict=False):
        text += f" {operator} {clause}"

    def is_true(environment: dict[str, Any]) -> bool:
        try:
            return Marker(text).evaluate(environment)
        except ValueError:
            return False

    expected = {i for i, environment in enumerate(ENVIRONMENTS) if is_true(dict(environment))}
    assert environments_of(text) == expected


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_text_is_a_requirement_or_reported(lines: list[str]) -> None:
    """No line raises."""
    found = requirements_of(lines)
    assert set(found.unreadable) <= set(lines)


@pytest.mark.recordings
def test_recorded_requirements(recordings: Path) -> None:
    """Of celery's 42 recorded lines (most for extras, one older than PEP 440) four count."""
    folder = recordings / "dependabot__dependabot-core/python/spec/fixtures/pypi"
    document = json.loads((folder / "pypi_response_extras.json").read_bytes())
    found = requirements_of(document["info"]["requires_dist"])
    assert {r.package.name: r.constraints for r in found.installed} == {
        "pytz": "any",
        "billiard": ">= 3.6.1, < 4.0",
        "kombu": ">= 4.6.7, < 4.7",
        "vine": "== 1.3.0",
    }
    assert found.unreadable == ("pytz (>dev)",)
