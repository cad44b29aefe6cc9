"""The changes of one package in the graph, computed without a server.

The input is the package from its registry and its versions in the graph. The output is the rows of
the statements; equal values make no row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ssc_ingest.graph.changes import Row, Write
from ssc_ingest.graph.digests import Edge, closed, is_outdated, same_requirements
from ssc_ingest.graph.properties import REQUIREMENT, VERSION
from ssc_ingest.models import VersionName

Stored = Mapping[VersionName, Row]
"""The graph's versions by name, with the properties of ``VERSION.written``."""


@dataclass(frozen=True, slots=True)
class StoredEdge:
    """A requirement of a version in the graph."""

    id: str
    label: str
    purl: str
    properties: Row
    """The values of ``REQUIREMENT.written``."""


@dataclass(slots=True)
class Plan:
    """Rows for one package."""

    total_versions: int = 0
    new_versions: list[Row] = field(default_factory=list)
    changed_versions: list[Row] = field(default_factory=list)
    compare: dict[str, Mapping[str, Row]] = field(default_factory=dict)
    """The required edges by the purl of an existing version, then of the required package."""
    without_facts: int = 0
    """Versions of the graph whose facts are still to be read."""
    is_complete: bool = True
    """Whether no rows are left for another transaction."""


def plan(write: Write, stored: Stored, limit: int) -> Plan:
    """Compare a package with its versions in the graph.

    Serial numbers cover the union of both, from 0 without gaps. New versions and versions with
    changed requirements are taken in their order, up to ``limit`` rows. The others are planned
    again after these are stored.
    """
    names = _union_order(write, stored)
    left = _left_for_later(write, stored, names, limit)
    kept = [name for name in names if name in stored or name not in left]
    result = Plan(total_versions=len(kept), is_complete=not left)
    for serial_number, name in enumerate(kept):
        known = stored.get(name)
        if known is None:
            new = VERSION.new(write.versions[name])
            result.new_versions.append({**new, "serial_number": serial_number})
            continue
        changed: Row = {}
        row = None if name in left else _as_told(write.versions.get(name), known)
        if row is not None:
            changed = VERSION.changes(row, known) | _knowledge(row, known)
            if _requires_otherwise(row, known):
                new = changed["requirements_digest"] = row["requirements_digest"]
                if not same_requirements(new, known["requirements_digest"]):
                    result.compare[known["purl"]] = _wanted_edges(write, row["requirements"])
        if is_outdated(digest := known["requirements_digest"]) and not changed.get(
            "requirements_digest"
        ):
            if name in write.unasked or name in left:
                result.without_facts += 1
            else:
                changed["requirements_digest"] = closed(digest)
        if known["serial_number"] != serial_number:
            changed["serial_number"] = serial_number
        if changed:
            result.changed_versions.append({"purl": known["purl"], "properties": changed})
    return result


def compare_edges(
    version: str, wanted: Mapping[str, Row], edges: Iterable[StoredEdge]
) -> tuple[list[Row], list[StoredEdge]]:
    """Compare the edges of the version with this purl.

    Args:
        version: the purl of the version.
        wanted: the required properties of its edges, by purl of the required package.
        edges: the edges in the graph.

    Returns:
        Rows to write, and edges to delete.
    """
    vanished: list[StoredEdge] = []
    right: set[str] = set()
    present: set[str] = set()
    for edge in edges:
        if edge.purl not in wanted or edge.purl in present:
            vanished.append(edge)
            continue
        present.add(edge.purl)
        if edge.properties == wanted[edge.purl]:
            right.add(edge.purl)
    rows = [
        {"version": version, "purl": purl, "properties": properties}
        for purl, properties in wanted.items()
        if purl not in right
    ]
    return rows, vanished


def _wanted_edges(write: Write, edges: Iterable[Edge]) -> dict[str, Row]:
    return {
        purl: {
            **REQUIREMENT.edge(values),
            "parent_version_name": write.ref.purl,
        }
        for purl, *values in edges
    }


def _union_order(write: Write, stored: Stored) -> list[VersionName]:
    dates: dict[VersionName, str | None] = {
        name: row["release_date"] for name, row in write.versions.items()
    }
    learnt = False
    for name, known in stored.items():
        if name not in dates or (dates[name] is None and known["release_date"] is not None):
            dates[name] = known["release_date"]
            learnt = True
    # The registry's versions are already in order; usually the graph has no others.
    return write.order(dates.items()) if learnt else list(dates)


def _requires_otherwise(row: Row, known: Row) -> bool:
    """Whether the registry's requirements of a version are known and differ from the graph's."""
    digest = row["requirements_digest"]
    return (
        digest is not None and digest != known["requirements_digest"] and not _says_less(row, known)
    )


def _as_told(row: Row | None, known: Row) -> Row | None:
    """The row; if it is less complete than the graph, that of a version that was not read."""
    if row and _says_less(row, known):
        return {**row, "requirements_digest": None, **dict.fromkeys(VERSION.tables)}
    return row


def _says_less(row: Row, known: Row) -> bool:
    """Whether only a part of the requirements was read, while the graph has all of them."""
    was_read = known["requirements_digest"] is not None and not known["requirements_unknown"]
    return bool(was_read and row["requirements_unknown"])


def _knowledge(row: Row, known: Row) -> Row:
    """The new ``requirements_unknown``, if it changes; known requirements stay known."""
    is_read = row["requirements_digest"] is not None
    was_read = known["requirements_digest"] is not None
    before = known["requirements_unknown"]
    after = before if was_read and not is_read else row["requirements_unknown"]
    if not is_read and not was_read:
        after = after or before
    return {} if after == before else {"requirements_unknown": after}


def _left_for_later(
    write: Write, stored: Stored, names: Iterable[VersionName], limit: int
) -> set[VersionName]:
    """The versions beyond the first ``limit`` rows; the first version is always taken."""
    left: set[VersionName] = set()
    size = 0
    for name in names:
        row, known = write.versions.get(name), stored.get(name)
        if row is None or (known is not None and not _requires_otherwise(row, known)):
            continue
        weight = 1 + len(row["requirements"])
        if size and size + weight > limit:
            left.add(name)
        size += weight
    return left
