"""How the graph's readers evaluate a constraint of an npm package or a crate."""

from collections.abc import Iterable
from functools import cache

from univers.version_range import NpmVersionRange
from univers.versions import SemverVersion

version = cache(SemverVersion)


def selected(constraint: str, versions: Iterable[str]) -> set[str]:
    """The versions that the readers find in the range.

    Raises:
        Exception: they cannot evaluate it, and then take all versions.
    """
    if constraint == "any":
        return set(versions)
    native = NpmVersionRange.from_native(constraint)  # type: ignore[no-untyped-call]
    return {text for text in versions if version(text) in native}


RELEASES = tuple(f"{a}.{b}.{c}" for a in range(4) for b in range(4) for c in range(4))
"""All that ranges with numbers from 0 to 2 can tell apart, and more."""

PRERELEASES = tuple(
    f"{release}-{label}" for release in RELEASES[1::3] for label in ("0", "alpha", "beta.2", "rc")
)
