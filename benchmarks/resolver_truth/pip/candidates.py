"""Versions and requirements of projects, from the graph only, by pip's rules."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from benchmarks.resolver_truth.graph import (
    Graph,
    StoredPackage,
    StoredRequirement,
    StoredVersion,
)

Environment = dict[str, str]
"""The variables of markers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A requirement on a project."""

    project: str
    specifiers: SpecifierSet
    extras: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a project with some extras.

    Without a version, the project is not extracted yet.
    """

    project: str
    extras: frozenset[str]
    version: Version | None = None
    stored: StoredVersion | None = None


class Projects:
    """The projects in the graph, for one installation."""

    def __init__(self, graph: Graph, environment: Environment) -> None:
        self._graph = graph
        self._environment = environment
        self._versions: dict[str, dict[Version, StoredVersion] | None] = {}

    def candidates(
        self, project: str, extras: frozenset[str], specifiers: SpecifierSet
    ) -> Iterator[Candidate]:
        """The versions that satisfy the specifiers, best first.

        Prereleases only if a specifier contains one or there are no others; yanked versions only if
        all are yanked or the specifiers pin one.
        """
        versions = self._versions_of(project)
        if versions is None:
            yield Candidate(project, extras)
            return
        fitting = sorted(specifiers.filter(versions), reverse=True)
        yanked = {version for version in fitting if versions[version].properties["yanked"]}
        takes_yanked = len(yanked) == len(fitting) or _is_pin(specifiers)
        for version in fitting:
            if version not in yanked or takes_yanked:
                yield Candidate(project, extras, version, versions[version])

    def requirements(self, candidate: Candidate) -> Iterator[Wanted]:
        """The candidate's requirements in the environment, with its extras."""
        if candidate.stored is None:
            return
        extras = candidate.extras or {""}
        for requirement in self._graph.requirements(candidate.stored):
            yield from self._declared(requirement, extras)
        for extra, lines in self._graph.table(candidate.stored, "extra_requirements").items():
            if extra in candidate.extras:
                yield from self._of_extra(lines, candidate.extras)

    def _versions_of(self, project: str) -> dict[Version, StoredVersion] | None:
        """The versions that support the Python of the environment."""
        if project not in self._versions:
            package = self._graph.package(project)
            self._versions[project] = installable(package, self._environment) if package else None
        return self._versions[project]

    def _declared(self, requirement: StoredRequirement, extras: Iterable[str]) -> Iterator[Wanted]:
        for declaration in requirement.declarations:
            if self._applies(declaration.get("marker"), extras):
                yield Wanted(
                    canonicalize_name(requirement.name),
                    _specifiers(declaration["text"]),
                    frozenset(declaration.get("extras", ())),
                )

    def _of_extra(self, lines: Sequence[str], extras: Iterable[str]) -> Iterator[Wanted]:
        for line in lines:
            try:
                read = Specification(line)
            except InvalidRequirement:
                continue
            if self._applies(str(read.marker or ""), extras):
                wanted = frozenset(canonicalize_name(extra) for extra in read.extras)
                yield Wanted(canonicalize_name(read.name), read.specifier, wanted)

    def _applies(self, marker: str | None, extras: Iterable[str]) -> bool:
        return not marker or any(self._is_true(Marker(marker), extra) for extra in extras)

    def _is_true(self, marker: Marker, extra: str) -> bool:
        try:
            return marker.evaluate({**self._environment, "extra": extra})
        except (UndefinedComparison, UndefinedEnvironmentName):
            return False


def installable(package: StoredPackage, environment: Environment) -> dict[Version, StoredVersion]:
    """The versions that support the Python of the environment."""
    python = environment["python_full_version"]
    return {
        version: stored
        for text, stored in package.versions.items()
        if (version := _parsed(text)) and _supports(stored, python)
    }


def latest(package: StoredPackage, environment: Environment) -> str | None:
    """The version that pip installs for the bare name."""
    found = installable(package, environment)
    kept = {version for version, stored in found.items() if not stored.properties["yanked"]}
    best = max(SpecifierSet().filter(kept), default=None)
    return None if best is None else found[best].name


def _supports(version: StoredVersion, python: str) -> bool:
    """As in pip, an invalid specifier excludes nothing."""
    try:
        supported = SpecifierSet(version.properties.get("requires_python") or "")
    except InvalidSpecifier:
        return True
    return supported.contains(python, prereleases=True)


def _specifiers(text: str) -> SpecifierSet:
    """An address, or a text from before PEP 440, allows any version."""
    try:
        return SpecifierSet("" if text in {"*", "any"} else text)
    except InvalidSpecifier:
        return SpecifierSet()


def _is_pin(specifiers: SpecifierSet) -> bool:
    return any(
        specifier.operator == "===" or (specifier.operator == "==" and "*" not in specifier.version)
        for specifier in specifiers
    )


def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
