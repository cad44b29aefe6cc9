"""From the dependencies of an effective POM to the requirements of one version."""

from collections.abc import Iterable

from ssc_ingest.ecosystems.maven.constraints import to_constraints
from ssc_ingest.ecosystems.maven.identity import IDENTITY, Coordinates, reference
from ssc_ingest.ecosystems.maven.pom.model import Declaration
from ssc_ingest.ecosystems.shared_requirements import SharedRequirements
from ssc_ingest.models import PackageRef, Requirement

SCOPES = frozenset({"", "compile", "runtime"})
"""Scopes that an installation pulls in: not ``test``, ``provided`` and ``system``."""


class RequirementReader:
    """Reads the requirements of one package's versions."""

    def __init__(self, ref: PackageRef) -> None:
        self._ref = ref
        self._requirements = SharedRequirements(reference, _requirement)

    def read(self, declarations: Iterable[Declaration]) -> tuple[Requirement, ...]:
        """The requirements, one per package; versions of a repeated declaration are united."""
        versions: dict[str, tuple[str, ...]] = {}
        for declaration in declarations:
            optional = declaration.optional.lower() == "true"
            if declaration.scope in SCOPES and not optional:
                name = f"{declaration.group}:{declaration.artifact}"
                versions[name] = (*versions.get(name, ()), declaration.version)
        found = (self._requirements.get(name, *texts) for name, texts in versions.items())
        return tuple(requirement for requirement in found if requirement)

    def relocated(self, target: Coordinates) -> tuple[Requirement, ...]:
        """The one requirement of a relocated version."""
        found = self._requirements.get(f"{target.group}:{target.artifact}", target.version)
        return (found,) if found else ()

    def report(self) -> None:
        """Log, once per package, the declared names that no package can have."""
        self._requirements.report(IDENTITY.name, self._ref.purl)


def _requirement(package: PackageRef, versions: tuple[str, ...]) -> Requirement:
    return Requirement(package, to_constraints(*versions))
