"""Pure functions that compute the required state of one package's versions."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.migration.identities import iso_release_date, number_of
from ssc_ingest.models import PackageRef, VersionName


@dataclass(frozen=True, slots=True)
class VersionNode:
    """A node that a package has in the graph."""

    id: str
    properties: Row
    labels: tuple[str, ...]
    links: int
    """Number of HAVE relationships from this package."""
    owners: int
    """Number of HAVE relationships from all packages."""
    requirements: int

    @property
    def age(self) -> int:
        """The number in the element id: an older node has a lower one."""
        return number_of(self.id)


@dataclass(slots=True)
class Releases:
    """The changes of the versions of one package."""

    kept: list[VersionNode] = field(default_factory=list)
    """The nodes to keep."""
    merged: list[tuple[str, str]] = field(default_factory=list)
    """(duplicate, survivor) by element id."""
    nameless: list[str] = field(default_factory=list)
    changed: dict[str, Row] = field(default_factory=dict)
    """Properties by element id of a kept node."""
    relabelled: list[str] = field(default_factory=list)
    """Kept nodes with more labels than ``Version``."""
    copied: list[Row] = field(default_factory=list)
    """Properties of new nodes, copies of those that stay with another package."""


def plan_releases(
    ecosystem: type[Ecosystem],
    ref: PackageRef,
    nodes: Iterable[VersionNode],
    elsewhere: frozenset[str] = frozenset(),
) -> Releases:
    """Compare the versions of a package with their required state.

    Args:
        ecosystem: of the package.
        ref: the package, with its current purl.
        nodes: all its nodes; those that are not a ``Version`` are ignored here.
        elsewhere: ids of nodes that stay with another package.
    """
    result = Releases()
    groups: dict[VersionName, list[VersionNode]] = {}
    for node in sorted(nodes, key=lambda node: node.age):
        name = node.properties["name"]
        if not isinstance(name, str) or not name.strip():
            if node.id not in elsewhere:
                result.nameless.append(node.id)
            continue
        groups.setdefault(ecosystem.version_name(name), []).append(node)
    dates = {name: _release_date(group) for name, group in groups.items()}
    for serial_number, name in enumerate(ecosystem.order(dates.items())):
        group = groups[name]
        wanted: Row = {
            **VERSION.defaults,
            "name": name,
            "purl": ecosystem.version_purl(ref, name),
            "serial_number": serial_number,
            "release_date": dates[name],
            "yanked": any(node.properties["yanked"] is True for node in group),
            **_vulnerabilities(group),
        }
        own = [node for node in group if node.id not in elsewhere]
        if not own:
            result.copied.append(wanted)
            continue
        _keep(result, own, wanted)
    return result


def _keep(result: Releases, group: Sequence[VersionNode], wanted: Row) -> None:
    survivor, *duplicates = group
    result.kept.append(survivor)
    result.merged += [(duplicate.id, survivor.id) for duplicate in duplicates]
    has = survivor.properties
    changed = {key: value for key, value in wanted.items() if not _same(has[key], value)}
    if duplicates and has["requirements_digest"] is not None:
        changed["requirements_digest"] = None
    if changed:
        result.changed[survivor.id] = changed
    if len(survivor.labels) > 1:
        result.relabelled.append(survivor.id)


def _release_date(group: Iterable[VersionNode]) -> str | None:
    dates = (iso_release_date(node.properties["release_date"]) for node in group)
    return next((date for date in dates if date is not None), None)


def _vulnerabilities(group: Iterable[VersionNode]) -> Row:
    """The vulnerabilities of all nodes, and the means of the node with the most of them."""
    known: dict[str, None] = {}
    most = 0
    means: Row = {}
    for node in group:
        stored = node.properties["vulnerabilities"]
        ids = [str(each) for each in stored if each] if isinstance(stored, list) else []
        known.update(dict.fromkeys(ids))
        if len(set(ids)) > most:
            most = len(set(ids))
            means = {key: _score(node.properties[key]) for key in ("mean", "weighted_mean")}
    return {"vulnerabilities": list(known), **means}


def _score(value: Any) -> float:
    usable = isinstance(value, (int, float)) and math.isfinite(value)
    return float(value) if usable else 0.0


def _same(stored: Any, wanted: Any) -> bool:
    return bool(stored == wanted) and type(stored) is type(wanted)
