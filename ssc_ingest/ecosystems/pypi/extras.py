"""Extras: the projects that an installation with some extras fetches.

https://packaging.python.org/specifications/dependency-specifiers/#extras
"""

import json
from collections.abc import Iterator
from contextlib import suppress

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification

from ssc_ingest.ecosystems.pypi.environments import ENVIRONMENTS
from ssc_ingest.ecosystems.pypi.identity import project
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import Installable, Installed, Purl


def installs(version: Installable, extras: frozenset[str]) -> list[Installed]:
    """The projects that an installation with some extras may fetch on a supported platform.

    Args:
        version: its requirements, and the table of its extras' requirements.
        extras: the selected extras.

    Returns:
        The projects, with the extras that are selected of each.
    """
    names: dict[Purl, str] = {}
    parts: dict[Purl, set[str]] = {}
    for required in version.requirements:
        names[required.purl] = required.registry_name
        selected = parts.setdefault(required.purl, set())
        for one in json.loads(required.declared) if required.declared else ():
            selected.update(one.get("extras", ()))
    table: dict[str, list[str]] = json.loads(version.extra_requirements or "{}")
    for extra in extras & table.keys():
        for specification in _applicable(table[extra], extra):
            with suppress(InvalidName):
                ref = project(specification.name)
                names.setdefault(ref.purl, ref.registry_name)
                parts.setdefault(ref.purl, set()).update(specification.extras)
    return [Installed(purl, names[purl], frozenset(parts[purl])) for purl in names]


def _applicable(lines: list[str], extra: str) -> Iterator[Specification]:
    """The readable lines whose marker is true for the extra on some supported platform."""
    for line in lines:
        with suppress(InvalidRequirement):
            specification = Specification(line)
            if specification.marker is None or _holds(specification.marker, extra):
                yield specification


def _holds(marker: Marker, extra: str) -> bool:
    return any(marker.evaluate({**environment, "extra": extra}) for environment in ENVIRONMENTS)
