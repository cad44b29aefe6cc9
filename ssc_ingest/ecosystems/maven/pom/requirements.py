"""From the dependencies of an effective POM to the requirements of one version."""

from collections.abc import Iterable

import structlog

from ssc_ingest.ecosystems.maven.constraints import to_constraints
from ssc_ingest.ecosystems.maven.identity import IDENTITY, Coordinates, reference
from ssc_ingest.ecosystems.maven.pom.model import Declaration
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Requirement

SCOPES = frozenset({"", "compile", "runtime"})
"""Scopes that an installation pulls in: not ``test``, ``provided`` and ``system``."""

logger = structlog.get_logger(__name__)


class RequirementReader:
    """Reads the requirements of one package's versions.

    Versions of a package mostly require the same, so equal requirements share one object.
    """

    def __init__(self, ref: PackageRef) -> None:
        self._ref = ref
        self._known: dict[tuple[str, ...], Requirement | None] = {}
        self._skipped: set[str] = set()

    def read(self, declarations: Iterable[Declaration]) -> tuple[Requirement, ...]:
        """The requirements, one per package; versions of a repeated declaration are united."""
        versions: dict[str, tuple[str, ...]] = {}
        for declaration in declarations:
            optional = declaration.optional.lower() == "true"
            if declaration.scope in SCOPES and not optional:
                name = f"{declaration.group}:{declaration.artifact}"
                versions[name] = (*versions.get(name, ()), declaration.version)
        found = (self._requirement(name, *texts) for name, texts in versions.items())
        return tuple(requirement for requirement in found if requirement)

    def relocated(self, target: Coordinates) -> tuple[Requirement, ...]:
        """The one requirement of a relocated version."""
        found = self._requirement(f"{target.group}:{target.artifact}", target.version)
        return (found,) if found else ()

    def _requirement(self, *key: str) -> Requirement | None:
        if key not in self._known:
            name, *texts = key
            try:
                self._known[key] = Requirement(reference(name), to_constraints(*texts))
            except InvalidName:
                self._known[key] = None
                self._skipped.add(name[:100])
        return self._known[key]

    def report(self) -> None:
        """Log, once per package, the declared names that no package can have."""
        if self._skipped:
            logger.warning(
                "requirements_skipped",
                ecosystem=IDENTITY.name,
                package=self._ref.purl,
                reason="not package names",
                requirements=sorted(self._skipped)[:10],
                count=len(self._skipped),
            )
