"""The order of NuGet's versions and the evaluation of constraints by the graph's readers."""

from collections.abc import Iterable
from functools import cache

from hypothesis import strategies as st
from univers.version_range import NugetVersionRange
from univers.versions import NugetVersion

version = cache(NugetVersion)


def selected(constraint: str, versions: Iterable[str]) -> set[str]:
    """The versions that the readers select for a constraint.

    Raises:
        Exception: the readers cannot evaluate it; they then select all versions.
    """
    if constraint == "any":
        return set(versions)
    native = NugetVersionRange.from_native(constraint)  # type: ignore[no-untyped-call]
    return {text for text in versions if version(text) in native}


numbers = st.lists(st.sampled_from(["0", "0", "1", "2", "10", "01"]), min_size=1, max_size=4)
labels = st.lists(
    st.sampled_from(["alpha", "Beta", "beta2", "rc", "preview", "0", "1", "10", "a-b", "ga", "x1"]),
    max_size=3,
)
builds = st.sampled_from(["", "", "", "+build", "+1.a"])
versions = st.builds(
    lambda numbers, labels, build: (
        ".".join(numbers) + ("-" + ".".join(labels) if labels else "") + build
    ),
    numbers,
    labels,
    builds,
)
