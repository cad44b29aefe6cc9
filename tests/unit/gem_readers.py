"""The order of gems and the evaluation of their constraints by the graph's readers."""

from collections.abc import Iterable
from functools import cache

from hypothesis import strategies as st
from univers.gem import GemRequirement, GemVersion
from univers.version_range import GemVersionRange
from univers.versions import RubygemsVersion

version = cache(RubygemsVersion)


def selected(constraint: str, versions: Iterable[str]) -> set[str]:
    """The versions that the readers select for a constraint.

    Raises:
        Exception: the readers cannot evaluate it; they then select all versions.
    """
    if constraint == "any":
        return set(versions)
    native = GemVersionRange.from_native(constraint)  # type: ignore[no-untyped-call]
    return {text for text in versions if version(text) in native}


def admitted(clauses: Iterable[str], versions: Iterable[str]) -> set[str]:
    """The versions that satisfy a requirement by RubyGems' own rules, as implemented by univers."""
    requirement = GemRequirement(*clauses)  # type: ignore[no-untyped-call]
    return {text for text in versions if requirement.satisfied_by(text)}  # type: ignore[no-untyped-call]


def releases(versions: Iterable[str]) -> set[str]:
    """The given versions without prereleases."""
    return {text for text in versions if not GemVersion(text).prerelease()}  # type: ignore[no-untyped-call]


segments = st.sampled_from(["0", "0", "1", "2", "3", "10", "00", "a", "b2", "pre", "rc1", "A"])
versions = st.builds(
    lambda first, rest: ".".join((first, *rest)),
    st.sampled_from(["0", "1", "2", "3", "10"]),
    st.lists(segments, max_size=4),
)
