"""The requirements of a version's builds: together, and of each build.

An installation selects the build for its platform if its Ruby version matches, otherwise the pure
Ruby build. A version's requirements are those of the pure Ruby build; a table has those of other
builds, with their Ruby versions. Without a pure Ruby build, the requirements are those of all
builds.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ssc_ingest.ecosystems.declared import declared_beyond
from ssc_ingest.ecosystems.rubygems.identity import IDENTITY, reference
from ssc_ingest.ecosystems.rubygems.info import PURE_RUBY, Build, Release
from ssc_ingest.ecosystems.rubygems.requirements import is_said_by, spelled, to_constraints
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.models import PackageRef, Requirement


class Requirements(NamedTuple):
    """The requirements of a version; fields are explained in ``models.Version``."""

    found: tuple[Requirement, ...]
    engines: str | None
    builds: str | None


class _Declaration(NamedTuple):
    platform: str | None
    """``None``: it is the only build, or all builds are equal."""
    text: str


class RequirementReader:
    """Reads the requirements of one gem's versions."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._requirements = SharedRequirements(reference, _requirement)
        self._tables: dict[str, str] = {}

    def read(self, release: Release) -> Requirements:
        """The requirements of a version; invalid names are skipped."""
        pure = release.builds.get(PURE_RUBY)
        builds = {PURE_RUBY: pure} if pure else release.builds
        found = [
            self._requirements.get(name, *declarations)
            for name, declarations in _by_gem(builds).items()
        ]
        differ = any(not _are_alike(build, pure) for build in release.builds.values())
        first, *others = builds.values()
        engines = first.engines if all(b.engines == first.engines for b in others) else {}
        return Requirements(
            tuple(requirement for requirement in found if requirement),
            self._table(engines) if engines else None,
            self._table(_facts(release.builds)) if differ else None,
        )

    def report(self) -> None:
        """Log invalid names, once per gem."""
        self._requirements.report(IDENTITY.name, self._package)

    def _table(self, value: Any) -> str:
        """Equal tables are one object."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return self._tables.setdefault(text, text)


def _are_alike(build: Build, pure: Build | None) -> bool:
    return bool(pure and (build.requirements, build.engines) == (pure.requirements, pure.engines))


def _facts(builds: Mapping[str, Build]) -> dict[str, Any]:
    """The table of the builds; empty values are omitted."""
    parts = {
        platform: {
            "requirements": {name: spelled(text) for name, text in build.requirements.items()},
            "engines": build.engines,
        }
        for platform, build in builds.items()
    }
    return {
        platform: {name: value for name, value in of_build.items() if value}
        for platform, of_build in parts.items()
    }


def _by_gem(builds: Mapping[str, Build]) -> dict[str, tuple[_Declaration, ...]]:
    """The declarations of each gem; a declaration of all builds only once."""
    texts: dict[str, dict[str, str]] = {}
    for platform, build in builds.items():
        for name, text in build.requirements.items():
            texts.setdefault(name, {})[platform] = text
    return {
        name: (_Declaration(None, next(iter(by_platform.values()))),)
        if len(by_platform) == len(builds) and len(set(by_platform.values())) == 1
        else tuple(_Declaration(platform, text) for platform, text in by_platform.items())
        for name, by_platform in texts.items()
    }


def _requirement(package: PackageRef, declarations: tuple[_Declaration, ...]) -> Requirement:
    constraints = to_constraints(*(declaration.text for declaration in declarations))
    facts = (
        {"platform": platform, "text": None if is_said_by(constraints, text) else spelled(text)}
        for platform, text in declarations
    )
    return Requirement(package, constraints, declared=declared_beyond({}, facts))
