"""Converts ``Requires-Dist`` lines to the requirements of an installation and of its extras.

https://packaging.python.org/specifications/dependency-specifiers/
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from packaging.specifiers import SpecifierSet

from ssc_ingest.ecosystems.declared import declared
from ssc_ingest.ecosystems.intervals import hull, intersection
from ssc_ingest.ecosystems.pypi.constraints import spell
from ssc_ingest.ecosystems.pypi.environments import REFERENCE
from ssc_ingest.ecosystems.pypi.requirement_line import Line, read_line
from ssc_ingest.models import ANY_VERSION, Purl, Requirement

MAX_EXTRAS = 2 * 1024 * 1024
"""Maximum characters of the requirements of all extras. The largest releases have about 100,000."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements of one release, one per package; ``unreadable`` lines are for the log."""

    installed: tuple[Requirement, ...]
    unreadable: tuple[str, ...] = ()
    extras: str | None = None
    """JSON object: for each normalized extra, the lines that apply only with it."""
    complete: bool = True
    """False if the extras have too many requirements to store."""


def requirements_of(lines: Iterable[str]) -> Requirements:
    """Read a release's ``Requires-Dist`` lines.

    - A line counts if its marker is true, without extras, on any supported CPython on Linux,
      macOS or Windows.
    - If several lines name one project, the lines whose markers are true for the newest CPython
      on Linux apply together; without such a line, the smallest range around all applies. Each
      of them is in the requirement's ``declared``.
    - A line that applies only with an extra is in ``extras``, once for each such extra.
    - A direct reference (``name @ https://...``) allows any version.
    - A requirement with specifiers from before PEP 440 (``pytz (>dev)``) allows any version. A
      line that is too long or too deeply nested applies everywhere, or is skipped if it is for an
      extra. A line that is not a requirement is skipped. All these lines are in ``unreadable``.
    """
    by_package: dict[Purl, list[str]] = {}
    unreadable: dict[str, None] = {}
    by_extra: dict[str, dict[str, None]] = {}
    complete = True
    for text in lines:
        line = read_line(text)
        if line is None or not line.readable:
            unreadable[text] = None
        if line and line.environments:
            by_package.setdefault(line.package.purl, []).append(text)
        extras = line.extras_that_take_it if line else ()
        complete = complete and extras is not None
        for extra in extras or ():
            by_extra.setdefault(extra, {})[" ".join(text.split())] = None
    size = sum(len(text) for texts in by_extra.values() for text in texts)
    return Requirements(
        tuple(_join(tuple(texts)) for texts in by_package.values()),
        tuple(unreadable),
        _table(by_extra) if by_extra and size <= MAX_EXTRAS else None,
        complete=complete and size <= MAX_EXTRAS,
    )


def _table(by_extra: Mapping[str, Iterable[str]]) -> str:
    """Equal requirements of extras give equal text, so that releases can share it."""
    table = {extra: list(by_extra[extra]) for extra in sorted(by_extra)}
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))


# As for single lines, most releases of a project repeat those of the release before.
@lru_cache(maxsize=8192)
def _join(texts: tuple[str, ...]) -> Requirement:
    """The requirement of one project, from all of its lines that apply."""
    lines = [line for line in map(read_line, texts) if line]
    decisive = [line for line in lines if REFERENCE in line.environments]
    join = intersection if decisive else hull
    constraints = spell(join([line.interval for line in decisive or lines]))
    declarations = _distinct([_declaration(line, constraints) for line in lines])
    needed = len(declarations) > 1 or any(declarations[0].values())
    return Requirement(
        lines[0].package, constraints, declared=declared(declarations) if needed else None
    )


def _declaration(line: Line, constraints: str) -> dict[str, Any]:
    text = "" if _means(line, constraints) else line.text or ANY_VERSION
    return {"text": text, "marker": line.marker, "extras": list(line.extras)}


def _means(line: Line, constraints: str) -> bool:
    """Whether the graph's constraint and the line accept the same versions."""
    if line.specifiers is None:
        return constraints == line.text
    return line.specifiers == SpecifierSet("" if constraints == ANY_VERSION else constraints)


def _distinct(declarations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for place, one in enumerate(declarations) if one not in declarations[:place]]
