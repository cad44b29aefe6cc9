"""The builds of a gem's versions, and their correct data in the graph."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from zlib import crc32

from tests.simulator.universe import Package, Release, Requirement

RUBY, PLATFORMS, NATIVE = "ruby", "platforms", "native"
"""Ways to publish a version: pure Ruby; besides for two platforms; for these two alone."""

JAVA, LINUX = "java", "x86_64-linux"

JAVA_ONLY = "java-only"
"""A requirement of the build for Java, which does not count beside a pure Ruby one."""


class Build(NamedTuple):
    """A version as it was built for one platform."""

    release: Release
    platform: str
    requirements: tuple[Requirement, ...]
    later: timedelta
    """After the first build."""

    @property
    def engines(self) -> dict[str, str]:
        """What it needs, as the index writes it; a compiled build fits some Rubies only."""
        choice = crc32(self.release.version.encode()) % 4
        found = {}
        if self.platform == LINUX:
            found["ruby"] = "< 3.5.dev&>= 3.1"
        elif choice > 0:
            found["ruby"] = ("", ">= 1.9", ">= 0", "< 4.dev&>= 2.7")[choice]
        if choice > 1 or self.release.prerelease:
            found["rubygems"] = "> 1.3.1" if self.release.prerelease else ">= 1.8.11"
        return found


def builds_of(release: Release) -> Iterator[Build]:
    """The builds of a version, the first one first."""
    both = (*release.requirements, *release.noise)
    match release.form:
        case "ruby":
            yield Build(release, RUBY, release.requirements, timedelta(0))
        case "platforms":
            # What is not for Java: the pure Ruby build alone tells what counts.
            yield Build(release, JAVA, both[1:], timedelta(0))
            yield Build(release, RUBY, release.requirements, timedelta(minutes=1))
            yield Build(release, LINUX, release.requirements[:1], timedelta(minutes=2))
        case "native":
            # Together the two require what the version requires.
            yield Build(release, LINUX, release.requirements[::2], timedelta(0))
            yield Build(release, JAVA, release.requirements[1:], timedelta(days=1))


def is_dated(package: Package) -> bool:
    """Whether the lines of its file of the index tell dates."""
    return crc32(package.name.encode()) % 3 == 0


def licenses(package: Package, release: Release) -> list[str]:
    """As the API has them; whoever reads dates in the index does not read all of the API."""
    choices: tuple[list[str], ...] = ([], ["MIT"], ["Ruby", "BSD-2-Clause"])
    return [] if is_dated(package) else choices[_license(release)]


def license_facts(package: Package, release: Release) -> dict[str, Any]:
    """Licence and expression; of two, nobody knows whether one may choose."""
    choices: tuple[dict[str, Any], ...] = (
        {},
        {"license": "MIT", "license_spdx": "MIT"},
        {"license": "Ruby, BSD-2-Clause"},
    )
    return {} if is_dated(package) else choices[_license(release)]


def facts_of(release: Release) -> dict[str, Any]:
    """``engines`` and ``builds``."""
    builds = {build.platform: _table(build) for build in builds_of(release)}
    engines = {platform: build.get("engines", {}) for platform, build in builds.items()}
    own = engines.get(RUBY)
    if own is None and engines[JAVA] == engines[LINUX]:
        own = engines[JAVA]
    differ = any(build != builds.get(RUBY) for build in builds.values())
    return ({"engines": own} if own else {}) | ({"builds": builds} if differ else {})


def edge_of(release: Release, requirement: Requirement) -> dict[str, Any]:
    """Platforms, where there is no pure Ruby build, and the text."""
    text = {} if requirement.text is None else {"text": requirement.text}
    platforms = [b.platform for b in builds_of(release) if requirement in b.requirements]
    if release.form == NATIVE and len(platforms) == 1:
        return {"declared": [{"platform": platforms[0], **text}]}
    return {"declared": [text]} if text else {}


def _table(build: Build) -> dict[str, Any]:
    requirements: dict[str, str] = {}
    for requirement in build.requirements:
        name, text = requirement.name, requirement.wire.replace("&", ", ")
        requirements[name] = f"{requirements[name]}, {text}" if name in requirements else text
    needs = {name: text.replace("&", ", ") for name, text in build.engines.items()}
    engines = {name: text for name, text in needs.items() if text != ">= 0"}
    return {k: v for k, v in (("requirements", requirements), ("engines", engines)) if v}


def _license(release: Release) -> int:
    return crc32(f"licence of {release.version}".encode()) % 3
