"""Fields of npm's manifests in their shapes, and the facts that the graph must hold of them.

https://docs.npmjs.com/cli/configuring-npm/package-json
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from tests.simulator.universe import Package, Release, Requirement

OPTIONAL, COPIED, TWICE = "optionalDependencies", "optional-and-copied", "two-aliases"
DEV, PEER, OPTIONAL_PEER = "devDependencies", "peerDependencies", "optional-peer"
"""Forms of requirements beside the plain one; most are the section's name."""

DEPRECATED = "deprecated"
"""A form of releases."""


class License(NamedTuple):
    """A manifest's fields, and the facts."""

    wire: Mapping[str, Any]
    facts: Mapping[str, str]


class Note(NamedTuple):
    """The value of ``deprecated``, and the fact."""

    wire: str | bool
    fact: str


LICENSES = (
    License({"license": "MIT"}, {"license": "MIT", "license_spdx": "MIT"}),
    License(
        {"license": "(mit or Apache-2.0)"},
        {"license": "(mit or Apache-2.0)", "license_spdx": "(MIT OR Apache-2.0)"},
    ),
    License({"license": {"type": "BSD", "url": "https://example.org/bsd"}}, {"license": "BSD"}),
    License(
        {"licenses": [{"type": "MIT"}, {"type": "ISC"}]},
        {"license": "MIT OR ISC", "license_spdx": "MIT OR ISC"},
    ),
    License({"license": "SEE LICENSE IN LICENSE"}, {"license": "SEE LICENSE IN LICENSE"}),
    License({}, {}),
)
NOTES = (Note("no longer maintained", "no longer maintained"), Note(wire=True, fact="deprecated"))
ENGINES: Sequence[Mapping[str, str]] = (
    {"node": ">=18"},
    {"node": ">=18"},
    {"node": "^18 || >=20", "npm": ">=8"},
    {},
)
PLATFORMS: Sequence[Mapping[str, Any]] = (
    {},
    {},
    {},
    {"os": ["linux", "darwin"], "cpu": ["x64"]},
    {"os": ["!win32"]},
    {"os": "linux"},
)


def license_of(package: Package, release: Release) -> License:
    """The version's licence."""
    return LICENSES[_draw(package, release) % len(LICENSES)]


def note(package: Package, release: Release) -> Note:
    """What is said of a version that is deprecated."""
    return NOTES[_draw(package, release) % len(NOTES)]


def platforms(package: Package, release: Release) -> dict[str, Any]:
    """``engines``, ``os`` and ``cpu``."""
    number = _draw(package, release)
    engines = ENGINES[number // 7 % len(ENGINES)]
    return {**PLATFORMS[number // 77 % len(PLATFORMS)], **({"engines": engines} if engines else {})}


def facts(package: Package, release: Release) -> dict[str, Any]:
    """The properties of the version."""
    found = platforms(package, release)
    if isinstance(found.get("os"), str):
        found["os"] = [found["os"]]
    found |= license_of(package, release).facts
    if release.form == DEPRECATED:
        found["deprecated"] = note(package, release).fact
    peers = {
        r.name: {"range": r.wire} | ({"optional": True} if r.form == OPTIONAL_PEER else {})
        for r in release.noise
        if r.form in {PEER, OPTIONAL_PEER}
    }
    return found | ({"peer_requirements": peers} if peers else {})


def edge(requirement: Requirement) -> dict[str, Any]:
    """The properties of the requirement beside its constraints."""
    found = {"optional": True} if requirement.form in {OPTIONAL, COPIED} else {}
    said: dict[str, Any] = {"text": requirement.text} if requirement.text else {}
    aliases = [key for _, key, _ in lines(requirement) if key != requirement.name]
    declared = [said | found | {"alias": alias} for alias in aliases]
    if said and not aliases:
        declared = [said | found]
    return found | ({"declared": declared} if declared else {})


def lines(requirement: Requirement) -> Iterator[tuple[str, str, Any]]:
    """Section, key and value of the lines that a requirement makes in a manifest."""
    name, wire = requirement.name, requirement.wire
    alias = "alias-of-" + name.lstrip("@").replace("/", "-")
    match requirement.form:
        case "optional-peer":
            yield PEER, name, wire
            yield "peerDependenciesMeta", name, {"optional": True}
        case "optional-and-copied":
            yield OPTIONAL, name, wire
            yield "dependencies", name, "^0.0.1"  # the optional entry wins
        case "two-aliases":
            for key in (alias, f"other-{alias}"):
                yield "dependencies", key, f"npm:{name}@{wire}"
        case "plain":
            yield "dependencies", alias if wire.startswith("npm:") else name, wire
        case section:
            yield section, name, wire


def _draw(package: Package, release: Release) -> int:
    """A number by which a version's facts are chosen."""
    return crc32(f"{package.name}@{release.version}".encode())
