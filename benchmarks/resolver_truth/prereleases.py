"""Ranges as in npm and Cargo: a prerelease needs a bound with the same release."""

from ssc_ingest.ecosystems.semver import Alternative, Cut, SemVer


def admits(range_: Alternative, version: SemVer, *, prereleases: bool = False) -> bool:
    """Whether the range contains the version; ``prereleases``.

    Whether it may contain prereleases.
    """
    if range_.interval is None:
        return False
    lower, upper = range_.interval
    if not lower <= Cut(version, after=False) < upper:
        return False
    return prereleases or not version.is_prerelease or version.release in range_.named
