"""The requirements of one version."""

from collections.abc import Iterable
from typing import Any

from ssc_ingest.ecosystems.declared import declared
from ssc_ingest.ecosystems.maven.constraints import is_range, to_constraints
from ssc_ingest.ecosystems.maven.identity import IDENTITY, Coordinates, reference
from ssc_ingest.ecosystems.maven.pom.model import Declaration
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.models import PackageRef, Requirement

PLAIN = "compile"
"""The scope of a dependency that gives none."""

SCOPES = frozenset({"", PLAIN, "runtime"})
"""Scopes that an installation pulls in: not ``test``, ``provided`` and ``system``."""

RELOCATION = "relocation"
"""The kind of a relocated version's requirement: it stands for the version itself."""


class RequirementReader:
    """Reads the requirements of one package's versions."""

    def __init__(self, ref: PackageRef) -> None:
        self._ref = ref
        self._requirements = SharedRequirements(reference, _requirement)

    def read(self, declarations: Iterable[Declaration]) -> tuple[Requirement, ...]:
        """The requirements, one per package; versions of a repeated declaration are united."""
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
        """Log, once per package, the declared names that no package can have."""
        self._requirements.report(IDENTITY.name, self._ref.purl)


def _requirement(package: PackageRef, several: tuple[Declaration, ...]) -> Requirement:
    """The requirement that the declarations of one package make."""
    constraints = to_constraints(*(declaration.version for declaration in several))
    facts = _distinct(_facts(declaration, constraints) for declaration in several)
    kinds = {declaration.scope or PLAIN for declaration in several}
    says_all = len(facts) == 1 and not facts[0].keys() - {"scope"}
    return Requirement(
        package,
        constraints,
        kind=kinds.pop() if kinds == {"runtime"} else None,
        declared=None if says_all else declared(facts),
    )


def _facts(declaration: Declaration, constraints: str) -> dict[str, Any]:
    """What a declaration says beside the constraint; what is usual is left out."""
    facts = {
        "text": _beyond(constraints, declaration.version),
        "scope": None if declaration.scope == PLAIN else declaration.scope,
        "type": None if declaration.type == "jar" else declaration.type,
        "classifier": declaration.classifier,
        "exclusions": list(declaration.exclusions),
        "managed": declaration.managed,
    }
    return {key: value for key, value in facts.items() if value}


def _beyond(constraints: str, version: str) -> str | None:
    """The version as it is declared, if the constraint does not say it.

    ``[1.2]`` stands for the soft requirement ``1.2``, which nearly all are. So a hard one, which is
    in brackets itself, is spelled out, as is whatever differs from the constraint.
    """
    if constraints == f"[{version}]":
        return None
    is_hard = is_range(version) and "," not in constraints
    return version if is_hard or "".join(version.split()) != constraints else None


def _distinct(facts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each once: a model may have a dependency twice, after interpolation."""
    found: list[dict[str, Any]] = []
    for each in facts:
        if each not in found:
            found.append(each)
    return found
