"""The evaluation of a constraint of an npm package or crate by the graph's readers."""

from collections.abc import Iterable
from functools import cache

from univers.version_range import NpmVersionRange
from univers.versions import SemverVersion

version = cache(SemverVersion)


def selected(constraint: str, versions: Iterable[str]) -> set[str]:
    """The versions that the readers select for a constraint.

    Raises:
        Exception: the readers cannot evaluate it; they then select all versions.
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
