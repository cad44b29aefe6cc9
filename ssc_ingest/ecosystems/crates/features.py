"""Cargo's features: the dependencies of a build of one crate.

https://doc.rust-lang.org/cargo/reference/features.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ssc_ingest.models import Installable, Installed, RequiredPackage

DEFAULT = "default"

MAX_FEATURES = 20_000
"""Maximum features and dependencies of one selection; crates.io allows 300 per crate."""


@dataclass(slots=True)
class _Dependency:
    """One declaration of a required crate."""

    crate: RequiredPackage
    optional: bool
    features: frozenset[str]
    enabled: bool = False
    requested: set[str] = field(default_factory=set)
    """Features that the requiring crate's features enable on it."""


def installs(version: Installable, parts: frozenset[str]) -> list[Installed]:
    """The crates of a build with some features of a version.

    Dependencies for all targets count, as they do for ``Cargo.lock``.

    Args:
        version: its requirements and its table of features.
        parts: the selected features, ``default`` among them unless default features are off.

    Returns:
        The crates, with the features that all enabled declarations together select.
    """
    dependencies: dict[str, list[_Dependency]] = {}
    for crate in version.requirements:
        for name, dependency in _declarations(crate):
            dependencies.setdefault(name, []).append(dependency)
    table = json.loads(version.features) if version.features else {}
    _enable(_Selection(table, dependencies), parts)
    found: dict[str, tuple[RequiredPackage, set[str]]] = {}
    for dependency in (each for group in dependencies.values() for each in group):
        if dependency.enabled or not dependency.optional:
            _, features = found.setdefault(dependency.crate.purl, (dependency.crate, set()))
            features |= dependency.features | dependency.requested
    return [
        Installed(crate.purl, crate.registry_name, frozenset(features))
        for crate, features in found.values()
    ]


def _declarations(crate: RequiredPackage) -> Iterator[tuple[str, _Dependency]]:
    """Its declarations by their name in the manifest."""
    declared: list[dict[str, Any]] = json.loads(crate.declared) if crate.declared else []
    for one in declared or [{"optional": crate.optional}]:
        features = set(one.get("features", ()))
        if one.get("default_features", True):
            features.add(DEFAULT)
        optional = bool(one.get("optional"))
        yield (
            one.get("alias") or crate.registry_name,
            _Dependency(crate, optional, frozenset(features)),
        )


@dataclass(frozen=True, slots=True)
class _Selection:
    table: dict[str, list[str]]
    dependencies: dict[str, list[_Dependency]]

    def values(self, feature: str) -> list[str]:
        """The effects of a feature; an optional dependency is a feature of the same name."""
        if feature in self.table:
            return self.table[feature]
        return [f"dep:{feature}"] if feature in self.dependencies else []


def _enable(selection: _Selection, parts: frozenset[str]) -> None:
    pending, seen = list(parts), set(parts)
    weak: list[tuple[str, str]] = []
    while pending and len(seen) < MAX_FEATURES:
        for value in selection.values(pending.pop()):
            name, slash, feature = value.partition("/")
            if slash and name.endswith("?"):
                weak.append((name[:-1], feature))
                continue
            if slash:
                _request(selection, name, feature)
            if slash or value.startswith("dep:"):
                _take(selection, name.removeprefix("dep:"))
            # `name/feature` also enables a feature of the dependency's name, if there is one.
            implied = name if not slash or name in selection.table else None
            if implied and not value.startswith("dep:") and implied not in seen:
                seen.add(implied)
                pending.append(implied)
    for name, feature in weak:  # these enable no dependency
        _request(selection, name, feature)


def _take(selection: _Selection, name: str) -> None:
    for dependency in selection.dependencies.get(name, ()):
        dependency.enabled = True


def _request(selection: _Selection, name: str, feature: str) -> None:
    for dependency in selection.dependencies.get(name, ()):
        dependency.requested.add(feature)
