"""The requirements and runtimes of a version's builds, together and of each build."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.rubygems import RubyGems
from ssc_ingest.ecosystems.rubygems.api import (
    license_of,
    licenses_of,
    parse_gem,
    parse_releases,
)
from ssc_ingest.ecosystems.rubygems.builds import RequirementReader, Requirements
from ssc_ingest.ecosystems.rubygems.info import parse_info
from ssc_ingest.models import VersionName

URL = "https://index.example/info/demo"
FOLDER = "dependabot__dependabot-core/bundler/spec/fixtures/rubygems_responses"


def read(*lines: str) -> Requirements:
    """Version 1 of a gem whose file has these lines."""
    body = "---\n" + "\n".join(lines) + "\n"
    (release,) = parse_info(body.encode(), RubyGems.ref("demo"), URL).values()
    return RequirementReader("demo").read(release)


def loaded(text: str | None) -> Any:
    """A table that may be absent."""
    return text and json.loads(text)


def declared(found: Requirements) -> dict[str, Any]:
    """The declarations by gem."""
    return {r.package.name: loaded(r.declared) for r in found.found}


@pytest.mark.parametrize(
    ("facts", "engines"),
    [
        ("checksum:1", None),
        ("checksum:1,ruby:,rubygems:", None),
        ("checksum:1,ruby:>= 0,rubygems:>= 0", None),
        ("checksum:1,ruby:>= 2.5", {"ruby": ">= 2.5"}),
        ("checksum:1,ruby:< 4.dev&>= 2.7,rubygems:> 1.3.1",
         {"ruby": "< 4.dev, >= 2.7", "rubygems": "> 1.3.1"}),
        (f"checksum:1,ruby:{'>= 1&' * 2000}>= 1", None),
    ],
)  # fmt: skip
def test_engines(facts: str, engines: Any) -> None:
    """Ruby and RubyGems, if the version does not run on any."""
    assert loaded(read(f"1 |{facts}").engines) == engines


def test_a_pure_ruby_build_alone_needs_no_table() -> None:
    """Neither a pure Ruby build alone needs a table, nor do builds with equal requirements."""
    assert read("1 a:>= 1|ruby:>= 2").builds is None
    assert read("1-java a:>= 1|ruby:>= 2", "1 a:>= 1|ruby:>= 2").builds is None


def test_builds_beside_the_pure_ruby_one() -> None:
    """The requirements are those of the pure Ruby build; the table has those of each build."""
    found = read(
        "1-java jar:~> 1|checksum:1",
        "1 a:< 3&>= 1,b:>= 2|checksum:1,ruby:>= 2.7",
        "1-x86_64-linux a:>= 1|checksum:1,ruby:< 3.5.dev&>= 2.7",
    )
    assert [(r.package.name, r.constraints, r.declared) for r in found.found] == [
        ("a", ">= 1, < 3", None),
        ("b", ">= 2", None),
    ]
    assert loaded(found.engines) == {"ruby": ">= 2.7"}
    assert loaded(found.builds) == {
        "java": {"requirements": {"jar": "~> 1"}},
        "ruby": {"requirements": {"a": "< 3, >= 1", "b": ">= 2"}, "engines": {"ruby": ">= 2.7"}},
        "x86_64-linux": {
            "requirements": {"a": ">= 1"},
            "engines": {"ruby": "< 3.5.dev, >= 2.7"},
        },
    }


def test_only_the_engines_differ() -> None:
    """A native build is for some versions of Ruby alone: on others, an install takes another."""
    found = read("1 |ruby:>= 2.7", "1-java |ruby:>= 2.7", "1-x86_64-linux |ruby:< 3.5.dev&>= 2.7")
    assert set(loaded(found.builds)) == {"ruby", "java", "x86_64-linux"}


def test_no_pure_ruby_build() -> None:
    """The requirements are those of all builds, with the platforms that differ."""
    found = read(
        "1-java all:>= 1,jar:~> 1|ruby:>= 2", "1-x86_64-linux all:>= 1,jar:~> 2,ffi:>= 0|ruby:>= 3"
    )
    assert {r.package.name: r.constraints for r in found.found} == {
        "all": ">= 1",
        "jar": ">= 1, < 3",
        "ffi": "any",
    }
    assert declared(found) == {
        "all": None,
        "jar": [
            {"platform": "java", "text": "~> 1"},
            {"platform": "x86_64-linux", "text": "~> 2"},
        ],
        "ffi": [{"platform": "x86_64-linux"}],
    }
    assert found.engines is None, "the builds differ in it"
    assert set(loaded(found.builds)) == {"java", "x86_64-linux"}
    alone = read("1-java a:>= 1|ruby:>= 2")
    assert loaded(alone.engines) == {"ruby": ">= 2"}
    assert loaded(alone.builds) == {
        "java": {"requirements": {"a": ">= 1"}, "engines": {"ruby": ">= 2"}}
    }


@pytest.mark.parametrize(
    ("text", "says_all"),
    [
        (">= 0", True),
        ("~> 1.2", True),
        ("< 3&>= 1.8", True),
        ("!= 1.3.0&~> 1.1", True),
        ("= 1.0", True),
        ("1.0", True),
        ("nonsense", False),
        ("> 2&< 1", False),
        # beside another clause, "~>" becomes a bound, which admits prereleases of it
        (">= 1.0&~> 1.2", False),
        ("~> 1.2.0.rc1", False),
    ],
)
def test_what_the_constraint_does_not_say(text: str, says_all: bool) -> None:  # noqa: FBT001
    """A requirement that the constraint does not express is spelled out, as gemspecs write it."""
    expected = None if says_all else [{"text": text.replace("&", ", ")}]
    assert declared(read(f"1 a:{text}|checksum:1")) == {"a": expected}


texts = st.sampled_from([">= 0", ">= 1", "< 3&>= 1", "~> 1.2", "x"])
builds = st.dictionaries(
    st.sampled_from(["ruby", "java", "x86_64-linux"]),
    st.tuples(
        st.dictionaries(st.sampled_from("ab"), texts), st.sampled_from([">= 0", ">= 2", "< 3&> 1"])
    ),
    min_size=1,
)


@given(builds)
def test_every_build_can_be_read_back(given_: dict[str, tuple[dict[str, str], str]]) -> None:
    """Requirements, engines and the table give the requirements and runtimes of each build."""
    lines = []
    for platform, (requirements, ruby) in given_.items():
        number = "1" if platform == "ruby" else f"1-{platform}"
        lines.append(
            f"{number} {','.join(f'{n}:{t}' for n, t in requirements.items())}|ruby:{ruby}"
        )
    found = read(*lines)
    table = loaded(found.builds)
    if table is None:  # all are like the pure Ruby build
        engines = loaded(found.engines) or {}
        assert "ruby" in given_
        assert {(*requirements,) for requirements, _ in given_.values()} == {
            (*(r.package.name for r in found.found),)
        }
        assert {ruby.replace("&", ", ") for _, ruby in given_.values()} == {
            engines.get("ruby", ">= 0")
        }
    else:
        assert {p: (b.get("requirements", {}), b.get("engines", {})) for p, b in table.items()} == {
            platform: (
                {name: text.replace("&", ", ") for name, text in requirements.items()},
                {} if ruby == ">= 0" else {"ruby": ruby.replace("&", ", ")},
            )
            for platform, (requirements, ruby) in given_.items()
        }


def test_equal_requirements_and_tables_are_one_object() -> None:
    """Equal requirements and tables of all versions of a gem are one object."""
    body = "---\n" + "".join(
        f"{n}-java a:>= 1|ruby:>= 2\n{n} a:~> 1.0.a|ruby:>= 2\n" for n in (1, 2)
    )
    reader = RequirementReader("demo")
    first, second = (
        reader.read(release)
        for release in parse_info(body.encode(), RubyGems.ref("demo"), URL).values()
    )
    assert first.found[0] is second.found[0]
    assert first.engines is second.engines
    assert first.builds is second.builds


# Licences -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("licenses", "facts"),
    [
        (["MIT"], ("MIT", "MIT")),
        ([" mit "], ("mit", "MIT")),
        (["MIT", "Ruby"], ("MIT, Ruby", None)),
        (["MIT", 5, "", None], ("MIT", "MIT")),
        (["Ruby's"], ("Ruby's", None)),
        ([], (None, None)),
        (None, (None, None)),
        ("MIT", (None, None)),
        (5, (None, None)),
    ],
)
def test_licences(licenses: Any, facts: Any) -> None:
    """One licence is an expression; of several, nobody says whether one may choose."""
    assert license_of(licenses) == facts


def test_licences_of_the_pure_ruby_build_count_first() -> None:
    """Where it has none, those of another build."""
    builds = [
        {"number": "1", "platform": "java", "licenses": ["Java"]},
        {"number": "1", "platform": "ruby", "licenses": ["MIT"]},
        {"number": "2", "platform": "ruby", "licenses": None},
        {"number": "2", "platform": "java", "licenses": ["Java"]},
        {"number": "3"},
    ]
    found = licenses_of(parse_releases(json.dumps(builds).encode(), URL))
    assert found == {"1": ("MIT", "MIT"), "2": ("Java", None)}


# Recordings -----------------------------------------------------------------------------


@pytest.mark.recordings
def test_recorded_licences(recordings: Path) -> None:
    """Licences in RubyGems.org's own responses are read."""
    body = (recordings / FOLDER / "versions-business.json").read_bytes()
    found = licenses_of(parse_releases(body, URL))
    assert found[VersionName("1.13.0")] == ("MIT", "MIT")
    gem = parse_gem(
        (recordings / FOLDER / "api_changelog_uri.json").read_bytes(), "activerecord", URL
    )
    assert (gem.version, license_of(gem.licenses)) == ("5.2.2", ("MIT", "MIT"))


@pytest.mark.recordings
def test_recorded_engines(recordings: Path) -> None:
    """Most of the recorded versions name a Ruby."""
    found = {}
    for path in (recordings / FOLDER).glob("info-*"):
        releases = parse_info(path.read_bytes(), RubyGems.ref("demo"), URL)
        reader = RequirementReader(path.name)
        found[path.name] = [loaded(reader.read(r).engines) for r in releases.values()]
    named = [engines for of_gem in found.values() for engines in of_gem if engines]
    assert sum("ruby" in engines for engines in named) > 1000
