"""NuGet's versions: Semantic Versioning with up to four numbers, in any case.

The order is that of the graph's readers, ``NugetVersion`` of univers, and NuGet's own: numbers (a
missing one is 0), then the prerelease by Semantic Versioning's rules, ignoring case. Versions that
break those rules (``1.0.0-beta.01``) have no position in it.
https://learn.microsoft.com/nuget/concepts/package-versioning
"""

import re
from functools import lru_cache
from typing import NamedTuple

from ssc_ingest.models import VersionName

_RELEASE: tuple[tuple[int, int | str], ...] = ((2, ""),)

_LABELS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_NUMBERS = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?")
_WRITTEN = re.compile(rf"({_NUMBERS.pattern})(-{_LABELS})?(?:\+{_LABELS})?")
_LEADING_ZERO = re.compile(r"0[0-9]+")


class Version(NamedTuple):
    """A version without its build metadata, which does not affect the order.

    Identifiers of a prerelease are ranked: numbers (0) before texts (1) before none at all (2).
    """

    major: int
    minor: int
    patch: int
    revision: int
    prerelease: tuple[tuple[int, int | str], ...] = _RELEASE

    @property
    def is_prerelease(self) -> bool:
        """Whether it has a prerelease part."""
        return self.prerelease != _RELEASE


def normalize(text: str) -> VersionName:
    """The normal spelling of a version; the case of its prerelease stays.

    ``1.0``, ``1.00.0`` and ``1.0.0.0+build`` are ``1.0.0``. A text that is not a version stays.
    https://learn.microsoft.com/nuget/concepts/package-versioning#normalized-version-numbers
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return VersionName(text)
    major, minor, patch, revision = (
        (number or "").lstrip("0") or "0" for number in match.group(2, 3, 4, 5)
    )
    numbers = [major, minor, patch, *([revision] if revision != "0" else [])]
    return VersionName(".".join(numbers) + (match[6] or ""))


@lru_cache(maxsize=32_768)
def parse_version(text: str) -> Version | None:
    """The version's position in the order, or ``None`` if it has none.

    Versions in NuGet's normal form are parsed here, all others by univers.
    """
    match = _WRITTEN.fullmatch(text)
    labels = (match[6] or "")[1:].lower().split(".") if match else []
    try:
        if match and not any(map(_LEADING_ZERO.fullmatch, labels)):
            major, minor, patch, revision = (int(n or 0) for n in match.group(2, 3, 4, 5))
            prerelease = _ranked(labels) if match[6] else _RELEASE
            return Version(major, minor, patch, revision, prerelease)
        return _parsed_by_univers(text)
    except ValueError:  # InvalidVersion, or more than 4300 digits
        return None


def _parsed_by_univers(text: str) -> Version | None:
    from univers.nuget import InvalidNuGetVersion
    from univers.versions import NugetVersion

    try:
        value = NugetVersion(text).value
    except InvalidNuGetVersion:
        return None
    if value is None:
        return None
    prerelease = _ranked(value.prerelease.split(".")) if value.prerelease else _RELEASE
    return Version(value.major, value.minor, value.patch, value.revision, prerelease)


@lru_cache(maxsize=32_768)
def own_order(text: str) -> Version | None:
    """The position in NuGet's own order, or ``None`` for a text that NuGet rejects.

    It differs from the readers' order in one thing: numbers in a prerelease may begin with 0.
    https://learn.microsoft.com/nuget/concepts/package-versioning#version-ordering
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    try:
        major, minor, patch, revision = (int(number or 0) for number in match.group(2, 3, 4, 5))
        labels = match[6][1:].lower().split(".") if match[6] else None
        prerelease = _ranked(labels) if labels else _RELEASE
    except ValueError:  # a number with more digits than Python converts
        return None
    return Version(major, minor, patch, revision, prerelease)


def _ranked(labels: list[str]) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, int(label)) if label.isdecimal() else (1, label) for label in labels)
