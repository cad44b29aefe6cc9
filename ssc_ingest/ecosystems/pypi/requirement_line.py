"""Parses one ``Requires-Dist`` line: the requirement and its environments."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ssc_ingest.ecosystems.pypi.constraints import ALL, SpecifierInterval, interval_of
from ssc_ingest.ecosystems.pypi.environments import EVERYWHERE, environments_of, extras_of
from ssc_ingest.ecosystems.pypi.identity import project
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef

MAX_LINE_LENGTH = 16 * 1024
"""Of a longer line, only the part before the marker is read, because the parser is slow for long
nested markers."""


# Before PEP 440 any text could follow an operator; the rest of the line has today's form.
_LEGACY_SPECIFIERS = re.compile(
    r"([\w.-]+ ?(?:\[[^\]]*\])?) ?\(? ?([<>=!~][^;]*?) ?\)? ?(;.*)?", re.ASCII
)
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,200})\s*[<>=!~(\[@]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement of one project."""

    package: PackageRef
    interval: SpecifierInterval
    specifiers: SpecifierSet | None
    """``None`` if ``text`` is not a specifier set."""
    text: str
    """The specifiers, or ``@`` and an address; empty for any version."""
    marker: str = ""
    extras: tuple[str, ...] = ()
    """Extras of the required project, normalized."""
    environments: frozenset[int] = EVERYWHERE
    """The environments in which it applies without extras."""
    extras_that_take_it: tuple[str, ...] | None = ()
    """Normalized extras of this release that activate it. ``None`` if there are too many."""
    readable: bool = True


# Most lines are equal in all releases of a project, and popular ones in many projects.
@lru_cache(maxsize=16_384)
def read_line(text: str) -> Line | None:
    """Parse a line; ``None`` if it is not a requirement.

    Of an :attr:`unreadable <Line.readable>` line, at least the project is known.
    """
    try:
        if len(text) <= MAX_LINE_LENGTH:
            return _read_whole(text)
    except RecursionError:
        pass
    requirement, _, marker = text.partition(";")
    if "extra" in marker:
        return None
    name = _NAME.match(requirement)
    line = _parse(requirement) if len(requirement) <= MAX_LINE_LENGTH else None
    line = line or (_parse(name[1]) if name else None)
    return replace(line, readable=False) if line else None


def _read_whole(text: str) -> Line | None:
    if (line := _parse(text)) is not None:
        return line
    legacy = _LEGACY_SPECIFIERS.fullmatch(" ".join(text.split()))
    line = _parse(legacy[1] + (legacy[3] or "")) if legacy else None
    if legacy is None or line is None:
        return None
    return replace(line, specifiers=None, text=legacy[2], readable=False)


def _parse(text: str) -> Line | None:
    try:
        specification = Specification(text)
        package = project(specification.name)
        interval = ALL if specification.url else interval_of(specification.specifier)
        marker = str(specification.marker or "")
        # The normal form of a valid marker may be invalid.
        environments = environments_of(marker) if marker else EVERYWHERE
        with_extras = () if environments else extras_of(marker)
    except (InvalidRequirement, InvalidMarker, InvalidName):
        return None
    return Line(
        package=package,
        interval=interval,
        specifiers=None if specification.url else specification.specifier,
        text=f"@ {specification.url}" if specification.url else str(specification.specifier),
        marker=marker,
        extras=tuple(sorted({canonicalize_name(extra) for extra in specification.extras})),
        environments=environments,
        extras_that_take_it=with_extras,
    )
