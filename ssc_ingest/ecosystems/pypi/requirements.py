"""Converts ``Requires-Dist`` lines to the requirements of a plain installation.

https://packaging.python.org/specifications/dependency-specifiers/
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification

from ssc_ingest.ecosystems.intervals import hull, intersection
from ssc_ingest.ecosystems.pypi.constraints import ALL, SpecifierInterval, interval_of, spell
from ssc_ingest.ecosystems.pypi.environments import EVERYWHERE, REFERENCE, environments_of
from ssc_ingest.ecosystems.pypi.identity import project
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl, Requirement

MAX_LINE_LENGTH = 16 * 1024
"""Maximum characters of a line with its marker; of a longer one, only the text before its marker is
parsed. Nested markers slow the parser down."""


# Before PEP 440 any text could follow an operator; the rest of the line is like today.
_LEGACY_SPECIFIERS = re.compile(r"([\w.-]+ ?(?:\[[^\]]*\])?) ?\(? ?[<>=!~][^;]*(;.*)?", re.ASCII)
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,200})\s*[<>=!~(\[@]", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Line:
    package: PackageRef
    interval: SpecifierInterval
    environments: frozenset[int]
    readable: bool


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements of one release, one per package; ``unreadable`` lines are for the log."""

    installed: tuple[Requirement, ...]
    unreadable: tuple[str, ...] = ()


def requirements_of(lines: Iterable[str]) -> Requirements:
    """Read a release's ``Requires-Dist`` lines.

    - A line counts if its marker is true, without extras, on any supported CPython on Linux,
      macOS or Windows.
    - If several lines name one project, the lines whose markers are true for the newest CPython
      on Linux apply together; without such a line, the smallest range around all applies.
    - A direct reference (``name @ https://...``) allows any version.
    - A requirement with specifiers from before PEP 440 (``pytz (>dev)``) allows any version; one
      that is too long, or too deeply nested, applies everywhere unless it is for an extra; a line
      that is not a requirement at all is skipped. All these lines are in ``unreadable``.
    """
    by_package: dict[Purl, list[_Line]] = {}
    unreadable: dict[str, None] = {}
    for text in lines:
        line = _read(text)
        if line is None or not line.readable:
            unreadable[text] = None
        if line and line.environments:
            by_package.setdefault(line.package.purl, []).append(line)
    return Requirements(tuple(map(_join, by_package.values())), tuple(unreadable))


def _join(lines: list[_Line]) -> Requirement:
    decisive = [line for line in lines if REFERENCE in line.environments]
    join = intersection if decisive else hull
    return Requirement(lines[0].package, spell(join([line.interval for line in decisive or lines])))


# The lines of a project hardly change between releases, and popular lines occur in many projects.
@lru_cache(maxsize=16_384)
def _read(text: str) -> _Line | None:
    try:
        if len(text) <= MAX_LINE_LENGTH:
            return _read_whole(text)
    except RecursionError:
        pass
    requirement, _, marker = text.partition(";")
    if "extra" in marker:
        return None
    name = _NAME.match(requirement)
    if len(requirement) <= MAX_LINE_LENGTH and (line := _parse(requirement, readable=False)):
        return line
    return _parse(name[1], readable=False) if name else None


def _read_whole(text: str) -> _Line | None:
    if (line := _parse(text, readable=True)) is not None:
        return line
    legacy = _LEGACY_SPECIFIERS.fullmatch(" ".join(text.split()))
    return _parse(legacy[1] + (legacy[2] or ""), readable=False) if legacy else None


def _parse(text: str, *, readable: bool) -> _Line | None:
    try:
        specification = Specification(text)
        package = project(specification.name)
        interval = ALL if specification.url else interval_of(specification.specifier)
        marker = specification.marker
        # A marker may be valid although its normal form is not.
        environments = environments_of(str(marker)) if marker else EVERYWHERE
    except (InvalidRequirement, InvalidMarker, InvalidName):
        return None
    return _Line(package, interval, environments, readable)
