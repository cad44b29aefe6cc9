"""Shared requirement objects: the versions of one package mostly have equal requirements."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ssc_ingest.errors import InvalidName
from ssc_ingest.logs import get_logger
from ssc_ingest.models import PackageRef, Requirement

log = get_logger(__name__)


DeclarationT = TypeVar("DeclarationT", bound=Hashable)


class SharedRequirements(Generic[DeclarationT]):
    """Creates requirements; equal ones are one object, to save memory.

    Args:
        reference: the package of a name; raises ``InvalidName``.
        to_requirement: the requirement that the declarations of a package make together.
    """

    def __init__(
        self,
        reference: Callable[[str], PackageRef],
        to_requirement: Callable[[PackageRef, tuple[DeclarationT, ...]], Requirement],
    ) -> None:
        self._reference = reference
        self._to_requirement = to_requirement
        self._known: dict[tuple[str, tuple[DeclarationT, ...]], Requirement | None] = {}
        self._skipped: set[str] = set()

    def get(self, name: str, *declarations: DeclarationT) -> Requirement | None:
        """The requirement of a package; ``None`` if no package has such a name."""
        key = (name, declarations)
        if key not in self._known:
            package = self.package(name)
            self._known[key] = self._to_requirement(package, declarations) if package else None
        return self._known[key]

    def package(self, name: str) -> PackageRef | None:
        """The package of a name; ``None`` for an invalid name, which is reported."""
        try:
            return self._reference(name)
        except InvalidName:
            self._skipped.add(name[:100])
            return None

    def report(self, ecosystem: str, package: str) -> None:
        """Log, once per package, the declared names that no package can have."""
        if self._skipped:
            log.warning(
                "requirements_skipped",
                ecosystem=ecosystem,
                package=package,
                reason="not package names",
                requirements=sorted(self._skipped)[:10],
                count=len(self._skipped),
            )
