"""The requirements of one version, from its groups of dependencies.

A group is for one target framework, or for projects that match no other group. An installation uses
only the nearest matching group: https://learn.microsoft.com/nuget/create-packages/dependencies. If
the groups require a package differently, it has a declaration for each of its groups. The version
has the list of its groups, because no requirement names a group without dependencies.

The groups of registrations lack included and excluded assets, which are only in nuspecs.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from ssc_ingest.ecosystems.declared import declared_beyond
from ssc_ingest.ecosystems.nuget.identity import IDENTITY, invariant_lower, reference
from ssc_ingest.ecosystems.nuget.ranges import is_said_by, to_constraints
from ssc_ingest.ecosystems.nuget.registration import EVERY, CatalogEntry, Dependency
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.ecosystems.wire import Unreadable, log_skipped
from ssc_ingest.models import PackageRef, Requirement


class Requirements(NamedTuple):
    """The requirements of a version."""

    found: tuple[Requirement, ...] | None
    """One per package, for all target frameworks; ``None`` if the groups are unreadable."""
    frameworks: str | None
    """The value of :attr:`ssc_ingest.models.Version.frameworks`."""


class _Declaration(NamedTuple):
    framework: str | None
    """``None``: it is in every group."""
    text: str


class RequirementReader:
    """Reads the requirements of one package's versions."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._requirements = SharedRequirements(reference, _requirement)
        self._frameworks: dict[tuple[str, ...], str] = {}
        self._unreadable: list[str] = []

    def read(self, entry: CatalogEntry) -> Requirements:
        """The requirements of a version. Dependencies with an invalid name are skipped."""
        groups = entry.dependency_groups
        if isinstance(groups, Unreadable):
            return Requirements(None, None)
        frameworks = tuple(dict.fromkeys(group.framework for group in groups or ()))
        spelled: dict[str, str] = {}
        texts: dict[str, dict[str, tuple[str, ...]]] = {}
        for group in groups or ():
            for dependency in self._readable(group.dependencies or ()):
                name = (dependency.id or "").strip()
                key = invariant_lower(name)
                spelled.setdefault(key, name)
                of_package = texts.setdefault(key, {})
                known = of_package.get(group.framework, ())
                of_package[group.framework] = (*known, *dependency.ranges)
        found = [
            self._requirements.get(spelled[key], *_declarations(by_framework, len(frameworks)))
            for key, by_framework in texts.items()
        ]
        requirements = tuple(requirement for requirement in found if requirement)
        return Requirements(requirements, self._table(frameworks) if requirements else None)

    def report(self) -> None:
        """Log skipped dependencies, once per package."""
        self._requirements.report(IDENTITY.name, self._package)
        log_skipped(IDENTITY.name, self._package, self._unreadable)

    def _readable(self, dependencies: tuple[Dependency | Unreadable, ...]) -> Iterator[Dependency]:
        for dependency in dependencies:
            if isinstance(dependency, Unreadable):
                self._unreadable.append(dependency.reason)
            else:
                yield dependency

    def _table(self, frameworks: tuple[str, ...]) -> str | None:
        """One object for equal lists; ``None`` for a single group for all projects."""
        if frameworks == (EVERY,):
            return None
        if frameworks not in self._frameworks:
            self._frameworks[frameworks] = json.dumps(frameworks, separators=(",", ":"))
        return self._frameworks[frameworks]


def _declarations(
    by_framework: dict[str, tuple[str, ...]], groups: int
) -> tuple[_Declaration, ...]:
    """The declarations of one package; a declaration of all groups only once."""
    alike = set(by_framework.values())
    if len(by_framework) == groups and len(alike) == 1:
        return tuple(_Declaration(None, text) for text in alike.pop())
    return tuple(_Declaration(f, text) for f, texts in by_framework.items() for text in texts)


def _requirement(package: PackageRef, declarations: tuple[_Declaration, ...]) -> Requirement:
    constraints = to_constraints(*(declaration.text for declaration in declarations))
    facts = (
        {"framework": framework, "text": None if is_said_by(constraints, text) else text}
        for framework, text in declarations
    )
    return Requirement(package, constraints, declared=declared_beyond({}, facts))
