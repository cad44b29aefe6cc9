"""The requirements of one version."""

from collections.abc import Iterable
from typing import Any

from ssc_ingest.ecosystems.declared import declared_beyond
from ssc_ingest.ecosystems.maven.constraints import is_range, to_constraints
from ssc_ingest.ecosystems.maven.identity import IDENTITY, Coordinates, reference
from ssc_ingest.ecosystems.maven.pom.model import Declaration
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.models import PackageRef, Requirement

PLAIN = "compile"
"""The scope of a dependency that gives none."""

RUNTIME = "runtime"

SCOPES = frozenset({"", PLAIN, RUNTIME})
"""Scopes that an installation pulls in: not ``test``, ``provided`` and ``system``."""

RELOCATION = "relocation"
"""The kind of a relocated version's requirement: it stands for the version itself."""


class RequirementReader:
    """Reads the requirements of one package's versions."""

    def __init__(self, ref: PackageRef) -> None:
        self._ref = ref
        self._requirements = SharedRequirements(reference, _requirement)

    def read(self, declarations: Iterable[Declaration]) -> tuple[Requirement, ...]:
        """The requirements, one per package; ranges of a repeated package become their union."""
        by_name: dict[str, tuple[Declaration, ...]] = {}
        for declaration in declarations:
            optional = declaration.optional.lower() == "true"
            if declaration.scope in SCOPES and not optional:
                name = f"{declaration.group}:{declaration.artifact}"
                by_name[name] = (*by_name.get(name, ()), declaration)
        found = (self._requirements.get(name, *several) for name, several in by_name.items())
        return tuple(requirement for requirement in found if requirement)

    def relocated(self, target: Coordinates) -> tuple[Requirement, ...]:
        """The one requirement of a relocated version."""
        package = self._requirements.package(f"{target.group}:{target.artifact}")
        constraints = to_constraints(target.version)
        return (Requirement(package, constraints, RELOCATION),) if package else ()

    def report(self) -> None:
        """Log invalid names, once per package."""
        self._requirements.report(IDENTITY.name, self._ref.purl)


def _requirement(package: PackageRef, several: tuple[Declaration, ...]) -> Requirement:
    """The requirement that the declarations of one package make."""
    constraints = to_constraints(*(declaration.version for declaration in several))
    scopes = {declaration.scope or PLAIN for declaration in several}
    kind = RUNTIME if scopes == {RUNTIME} else None
    facts = [_facts(declaration, constraints) for declaration in several]
    return Requirement(package, constraints, kind, declared=declared_beyond({"scope": kind}, facts))


def _facts(declaration: Declaration, constraints: str) -> dict[str, Any]:
    """The facts of a declaration that the constraint does not express."""
    return {
        "text": _beyond(constraints, declaration.version),
        "scope": declaration.scope or PLAIN,
        "type": declaration.type,
        "classifier": declaration.classifier,
        "exclusions": list(declaration.exclusions),
        "managed": declaration.managed,
    }


def _beyond(constraints: str, version: str) -> str | None:
    """The declared version, if the constraint does not express it.

    ``[1.2]`` stands for the soft requirement ``1.2``, which nearly all are. So a hard requirement,
    whose own text has brackets, is spelled out, and so is every other text that differs from the
    constraint.
    """
    if constraints == f"[{version}]":
        return None
    is_hard = is_range(version) and "," not in constraints
    return version if is_hard or "".join(version.split()) != constraints else None
