"""The requirements of a package's versions: ``dependencies`` and related fields of manifests.

https://docs.npmjs.com/cli/configuring-npm/package-json
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from ssc_ingest.ecosystems.declared import declared_beyond
from ssc_ingest.ecosystems.npm.aliases import resolve_alias
from ssc_ingest.ecosystems.npm.identity import IDENTITY, reference
from ssc_ingest.ecosystems.npm.packument import Manifest
from ssc_ingest.ecosystems.npm.ranges import (
    MAX_RANGE_LENGTH,
    says_all,
    to_constraints,
)
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.models import PackageRef, Requirement

MAX_PEERS = 1000
"""Maximum requirements of a version; real ones have some dozens."""


class Declaration(NamedTuple):
    """A requirement in a manifest."""

    range: str
    alias: str | None
    """The name in the manifest, if it differs from the package's."""
    optional: bool

    def beyond(self, constraints: str) -> dict[str, Any]:
        """Its entry in ``declared`` for an edge with these constraints."""
        # A text that is too long cannot be evaluated.
        is_told = len(self.range) <= MAX_RANGE_LENGTH and not says_all(constraints, self.range)
        return {
            "text": self.range if is_told else None,
            "optional": self.optional,
            "alias": self.alias,
        }


class RequirementReader:
    """Reads the requirements of one package's versions."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._requirements = SharedRequirements(reference, _requirement)

    def read(self, manifest: Manifest) -> tuple[Requirement, ...]:
        """The requirements, one per package; ranges of a repeated package become their union."""
        found: dict[str, tuple[Declaration, ...]] = {}
        for name, text, optional in _installed(manifest):
            target, range_ = resolve_alias(name, text if isinstance(text, str) else "")
            declaration = Declaration(range_, name if name != target else None, optional)
            found[target] = (*found.get(target, ()), declaration)
        requirements = (self._requirements.get(name, *each) for name, each in found.items())
        return tuple(requirement for requirement in requirements if requirement)

    def peers(self, manifest: Manifest) -> str | None:
        """``peer_requirements`` of the version: packages that its users must install."""
        meta = manifest.peer_dependencies_meta
        table: dict[str, dict[str, Any]] = {}
        for name, text in islice(_by_name(manifest.peer_dependencies).items(), MAX_PEERS):
            if self._requirements.package(name):
                range_ = text.strip() if isinstance(text, str) else ""
                table[name] = {"range": range_[:MAX_RANGE_LENGTH]}
                about = meta.get(name) if isinstance(meta, dict) else None
                if isinstance(about, dict) and about.get("optional"):
                    table[name]["optional"] = True
        if not table:
            return None
        return json.dumps(table, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    def report(self) -> None:
        """Log invalid names, once per package."""
        self._requirements.report(IDENTITY.name, self._package)


def _requirement(package: PackageRef, declarations: tuple[Declaration, ...]) -> Requirement:
    constraints = to_constraints(*(each.range for each in declarations))
    optional = all(each.optional for each in declarations)
    said = [each.beyond(constraints) for each in declarations]
    return Requirement(
        package,
        constraints,
        optional=optional,
        declared=declared_beyond({"optional": optional}, said),
    )


def _installed(manifest: Manifest) -> Iterator[tuple[str, Any, bool]]:
    """Name, range and optionality of the packages that an installation may fetch.

    Older clients copied ``optionalDependencies`` into ``dependencies``; a package in both is
    optional, with the range of ``optionalDependencies``. Bundled packages are in the version's own
    archive.
    """
    needed, optional = _by_name(manifest.dependencies), _by_name(manifest.optional_dependencies)
    bundled = [
        each for each in (manifest.bundle_dependencies, manifest.bundled_dependencies) if each
    ]
    for name, text in (needed | optional).items():
        if not (bundled and _is_bundled(name, bundled)):
            yield name, text, name in optional


def _is_bundled(name: str, bundled: Iterable[Any]) -> bool:
    """Whether one of the field's two spellings names the package, or all with ``true``."""
    return any(each is True or (isinstance(each, list | dict) and name in each) for each in bundled)


_LISTED_NAME = re.compile(r"[^\s@><=]+")


def _by_name(dependencies: Any) -> dict[str, Any]:
    """Read ``dependencies``; in old manifests a list of ``name range`` or ``name@range``.

    They may also be one text of names. https://github.com/npm/normalize-package-data
    """
    if isinstance(dependencies, dict):
        return dependencies
    if isinstance(dependencies, str):
        dependencies = re.split(r"[\s,]+", dependencies)
    if not isinstance(dependencies, list):
        return {}
    listed = [item.strip() for item in dependencies if isinstance(item, str)]
    names = [(item, match[0]) for item in listed if (match := _LISTED_NAME.match(item))]
    return {name: item.removeprefix(name).strip().removeprefix("@") for item, name in names}
