"""One ``Requires-Dist`` line: what it requires, and where it applies."""

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
"""Of a longer line, only what stands before its marker is read: nested markers make the parser's
time grow with their length."""


# Before PEP 440 any text could follow an operator; the rest of the line is like today.
_LEGACY_SPECIFIERS = re.compile(
    r"([\w.-]+ ?(?:\[[^\]]*\])?) ?\(? ?([<>=!~][^;]*?) ?\)? ?(;.*)?", re.ASCII
)
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,200})\s*[<>=!~(\[@]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement on one project."""

    package: PackageRef
    interval: SpecifierInterval
    specifiers: SpecifierSet | None
    """``None`` where ``text`` is not one."""
    text: str
    """The specifiers, or ``@`` and an address; empty for any version."""
    marker: str = ""
    extras: tuple[str, ...] = ()
    """Extras of the required project, normalized."""
    environments: frozenset[int] = EVERYWHERE
    """Where it applies to an installation without extras."""
    extras_that_take_it: tuple[str, ...] | None = ()
    """Extras of this release, normalized, with which it applies; without one, it does not.
    ``None`` if there are too many."""
    readable: bool = True


# The lines of a project hardly change from release to release, nor popular ones from
# project to project.
@lru_cache(maxsize=16_384)
def read_line(text: str) -> Line | None:
    """Read a line; ``None`` if it is no requirement.

    Of one that is :attr:`not readable <Line.readable>`, the project is known, and perhaps more.
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
        # A marker may be valid although its normal form is not.
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
