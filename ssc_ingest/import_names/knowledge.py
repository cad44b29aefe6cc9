"""Whether a package's import names were read from a version or only guessed."""

from collections.abc import Sequence

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.models import PackageRef


def is_guess(
    ecosystem: type[Ecosystem], ref: PackageRef, names: Sequence[str], names_from: str | None
) -> bool:
    """Whether a package's import names in the graph are only guessed from its own name.

    Args:
        ecosystem: of the package.
        ref: the package.
        names: ``import_names`` in the graph.
        names_from: ``import_names_from`` in the graph. Graphs of the reference implementation have
            no such property; their names are a guess if they are the fall-back name.
    """
    return names_from is None and list(names) == [ecosystem.fallback_import_name(ref)]
