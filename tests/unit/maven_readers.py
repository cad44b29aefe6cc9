"""The evaluation of a Maven package's constraint by the graph's readers."""

from collections.abc import Iterable
from functools import cache

from univers.version_range import MavenVersionRange
from univers.versions import MavenVersion

version = cache(MavenVersion)


def selected(constraint: str, versions: Iterable[str]) -> set[str]:
    """The versions that the readers select for a constraint.

    Raises:
        Exception: the readers cannot evaluate it; they then select all versions.
    """
    if constraint == "any":
        return set(versions)
    native = MavenVersionRange.from_native(constraint)  # type: ignore[no-untyped-call]
    return {text for text in versions if version(text) in native}


def compare(left: str, right: str) -> int:
    """Compare two versions like the readers: -1, 0 or 1."""
    first, second = version(left), version(right)
    return int(first > second) - int(first < second)


# Without ``RELEASE``, which today's Maven ignores and the readers sort after the release.
VERSIONS = (
    "0.9", "1-alpha-1", "1.0-beta2", "1.0-M1", "1.0-rc1", "1.0-SNAPSHOT", "1", "1.0", "1.0.0",
    "1.0-GA",
    "1.0.Final", "1.0-sp1", "1.0-jre", "1.0-1", "1.0.1", "1.1-rc1", "1.1", "1.2", "1.2.3-beta1",
    "1.2.3", "1.2.4", "1.5", "1.9.9", "1.10", "2.0-alpha", "2.0-rc1", "2.0", "2.1",
    "2.5", "3.0-SNAPSHOT", "3.0", "3.0.1", "10.0",
)  # fmt: skip
