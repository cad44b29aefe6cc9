"""Requirements that the versions of one package share: mostly, they require the same."""

from collections.abc import Callable

import structlog

from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Requirement

log = structlog.get_logger(__name__)


class SharedRequirements:
    """Makes requirements; equal ones are one object: the largest packages have a million of them.

    Args:
        reference: the package of a name; raises ``InvalidName``.
        to_constraints: the constraint that a package's texts mean together.
    """

    def __init__(
        self, reference: Callable[[str], PackageRef], to_constraints: Callable[..., str]
    ) -> None:
        self._reference = reference
        self._to_constraints = to_constraints
        self._known: dict[tuple[str, ...], Requirement | None] = {}
        self._skipped: set[str] = set()

    def get(self, name: str, *texts: str) -> Requirement | None:
        """The requirement of a package within ranges; ``None`` if no package has such a name."""
        key = (name, *texts)
        if key not in self._known:
            try:
                package = self._reference(name)
                self._known[key] = Requirement(package, self._to_constraints(*texts))
            except InvalidName:
                self._known[key] = None
                self._skipped.add(name[:100])
        return self._known[key]

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
