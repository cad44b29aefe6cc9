"""Ranges as npm and Cargo evaluate them: a prerelease needs a bound that names its release."""

from ssc_ingest.ecosystems.semver import Alternative, Cut, SemVer


def admits(range_: Alternative, version: SemVer, *, prereleases: bool = False) -> bool:
    """Whether the version is in the range; ``prereleases``: whether any prerelease can be."""
    if range_.interval is None:
        return False
    lower, upper = range_.interval
    if not lower <= Cut(version, after=False) < upper:
        return False
    return prereleases or not version.is_prerelease or version.release in range_.named
