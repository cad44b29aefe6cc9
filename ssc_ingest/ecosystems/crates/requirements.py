"""The requirements of a crate's versions.

https://doc.rust-lang.org/cargo/reference/registry-index.html#json-schema
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ssc_ingest.ecosystems.crates.identity import IDENTITY, reference
from ssc_ingest.ecosystems.crates.ranges import MAX_RANGE_LENGTH, says_all, to_constraints
from ssc_ingest.ecosystems.declared import declared_beyond
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.models import PackageRef, Requirement


@dataclass(frozen=True, slots=True)
class Dependency:
    """An entry of ``deps``; ``package`` is the crate's name if ``name`` is an alias."""

    name: str
    req: str
    kind: Literal["normal", "build", "dev"] | None = None
    registry: str | None = None
    package: str | None = None
    optional: bool | None = False
    features: tuple[str, ...] | None = ()
    default_features: bool | None = True
    target: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether building the crate may fetch it, for some target or feature."""
        return self.kind != "dev" and self.registry is None

    @property
    def crate(self) -> str:
        """The name of the required crate."""
        return self.package or self.name

    def beyond(self, constraints: str) -> dict[str, Any]:
        """Its entry in ``declared`` for an edge with these constraints."""
        # A text that is too long cannot be evaluated.
        is_told = len(self.req) <= MAX_RANGE_LENGTH and not says_all(constraints, self.req)
        return {
            "text": self.req if is_told else None,
            "kind": "build" if self.kind == "build" else None,
            "optional": self.optional,
            "target": self.target,
            "features": self.features,
            "default_features": self.default_features,
            "alias": self.name if self.name != self.crate else None,
        }


class RequirementReader:
    """Reads the requirements of one crate's versions."""

    def __init__(self, crate: str) -> None:
        self._crate = crate
        self._requirements = SharedRequirements(reference, _requirement)

    def read(self, dependencies: Iterable[Dependency]) -> tuple[Requirement, ...]:
        """The requirements, one per crate; ranges of a repeated crate become their union."""
        found: dict[str, list[Dependency]] = {}
        for dependency in dependencies:
            if dependency.is_installed:
                found.setdefault(dependency.crate.lower(), []).append(dependency)
        requirements = (self._requirements.get(each[0].crate, *each) for each in found.values())
        return tuple(requirement for requirement in requirements if requirement)

    def report(self) -> None:
        """Log invalid names of crates, once per crate."""
        self._requirements.report(IDENTITY.name, self._crate)


def _requirement(crate: PackageRef, dependencies: tuple[Dependency, ...]) -> Requirement:
    constraints = to_constraints(*(each.req for each in dependencies))
    kind = "build" if all(each.kind == "build" for each in dependencies) else None
    optional = all(each.optional for each in dependencies)
    said = [each.beyond(constraints) for each in dependencies]
    return Requirement(
        crate,
        constraints,
        kind=kind,
        optional=optional,
        declared=declared_beyond({"kind": kind, "optional": optional}, said),
    )
