"""The environments for which markers are evaluated.

https://packaging.python.org/specifications/dependency-specifiers/#environment-markers
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from packaging.markers import Marker
from packaging.utils import canonicalize_name

Environment: TypeAlias = Mapping[str, str | AbstractSet[str]]

CPYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
"""CPythons with security support in November 2026. https://devguide.python.org/versions/"""

_PATCH_RELEASES = ("0", "99")  # the first and a late patch, for markers on python_full_version

_PLATFORMS: tuple[Mapping[str, str], ...] = tuple(
    {
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "platform_release": release,
        "platform_version": "",
    }
    for os_name, sys_platform, system, machine, release in (
        ("posix", "linux", "Linux", "x86_64", "6.8.0"),
        ("posix", "linux", "Linux", "aarch64", "6.8.0"),
        ("posix", "darwin", "Darwin", "arm64", "24.0.0"),
        ("posix", "darwin", "Darwin", "x86_64", "24.0.0"),
        ("nt", "win32", "Windows", "AMD64", "11"),
        ("nt", "win32", "Windows", "ARM64", "11"),
    )
)


def _environment(platform: Mapping[str, str], python: str, patch: str) -> Environment:
    return {
        **platform,
        "implementation_name": "cpython",
        "implementation_version": f"{python}.{patch}",
        "platform_python_implementation": "CPython",
        "python_version": python,
        "python_full_version": f"{python}.{patch}",
        "extra": "",  # a plain installation requests none
        # Markers of lock files, which have no place in metadata.
        "extras": frozenset(),
        "dependency_groups": frozenset(),
    }


# The first one is the newest CPython on Linux, see REFERENCE.
ENVIRONMENTS: tuple[Environment, ...] = tuple(
    _environment(platform, python, patch)
    for platform, python, patch in product(
        _PLATFORMS, reversed(CPYTHONS), reversed(_PATCH_RELEASES)
    )
)

REFERENCE = 0
"""Index of the environment that decides between contradictory requirements."""

EVERYWHERE = frozenset(range(len(ENVIRONMENTS)))


MAX_EXTRAS = 100
"""Extras that one marker may name: it is evaluated for each of them."""

_EXTRAS = re.compile(
    r"""\bextra\s*(?:==|in)\s*(?:'([^']*)'|"([^"]*)")|(?:'([^']*)'|"([^"]*)")\s*==\s*extra\b"""
)


@lru_cache(maxsize=8192)
def environments_of(marker: str, extra: str = "") -> frozenset[int]:
    """Indexes of the environments in which a valid marker is true for an installation.

    ``extra`` is the extra that the installation requests, if any. An undefined comparison
    (``os_name ~= "nt"``) is not true.
    """
    parsed = _parsed(marker)
    # Many markers use one or two variables; where these are equal, so is the result.
    used = [name for name in ENVIRONMENTS[0] if name in marker]
    results: dict[tuple[object, ...], bool] = {}
    return frozenset(
        index
        for index, environment in enumerate(ENVIRONMENTS)
        if _is_true(
            parsed,
            {**environment, "extra": extra},
            tuple(environment[name] for name in used),
            results,
        )
    )


def extras_of(marker: str) -> tuple[str, ...] | None:
    """The extras (normalized) in a marker with which it is true in some environment.

    ``None`` if it names more than :data:`MAX_EXTRAS`.
    """
    named = {
        canonicalize_name(name)
        for groups in _EXTRAS.findall(marker)
        for text in groups
        for name in re.split(r"[\s,]+", text)
        if name
    }
    if len(named) > MAX_EXTRAS:
        return None
    return tuple(sorted(name for name in named if environments_of(marker, name)))


_parsed = lru_cache(maxsize=16)(Marker)


def _is_true(
    marker: Marker,
    environment: Environment,
    values: tuple[object, ...],
    results: dict[tuple[object, ...], bool],
) -> bool:
    if values not in results:
        try:
            results[values] = marker.evaluate(environment)
        except ValueError:  # UndefinedComparison, UndefinedEnvironmentName
            results[values] = False
    return results[values]
