"""The writer's requests and results for one package.

:func:`prepare` does the work without a server (ordering, digests, collecting required packages)
once, outside the transaction.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ssc_ingest.errors import ParentNotFound
from ssc_ingest.graph.digests import digest
from ssc_ingest.graph.properties import REQUIREMENT, VERSION
from ssc_ingest.models import Package, PackageRef, Purl, Version, VersionName

Order = Callable[[Iterable[tuple[VersionName, str | None]]], list[VersionName]]
"""``Ecosystem.order``: (name, ISO date or ``None``) of versions -> names in serial-number order."""

Row = dict[str, Any]
"""A parameter of a statement: one element of the list that it unwinds."""

TABLE_CHARACTERS = 200
"""Number of characters of a table that cost as much as a row."""

NOTHING: Mapping[VersionName, Row] = MappingProxyType({})

_edge_of = REQUIREMENT.reader("package.purl")

_ELEMENT_ID = re.compile(r"\d{1,9}:[0-9a-fA-F-]{36}:\d{1,18}")


@dataclass(frozen=True, slots=True)
class ParentEdge:
    """A requirement from a caller: an edge from an existing node to the package.

    ``parent_id`` is the elementId of a Version or RequirementFile; ``constraints`` is written
    unchanged.
    """

    parent_id: str
    constraints: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOutcome:
    """The result of writing one package."""

    is_complete: bool = True
    """Whether everything was written; a very large package takes several transactions."""
    stale: bool = False
    """The graph has a later (or the same) reading, so only callers' edges were written."""
    created: bool = False
    """Whether the package was missing from the graph, or a stub."""
    new_versions: int = 0
    total_versions: int = 0
    """Number of versions in the graph, including those that the registry has deleted."""
    requirements_written: int = 0
    """Number of edges created or changed."""
    requirements_removed: int = 0
    parents_attached: int = 0
    statements: int = 0
    """Number of statements of the whole transaction ..."""
    packages: int = 1
    """... and the number of packages that it wrote."""

    def __add__(self, later: "WriteOutcome") -> "WriteOutcome":
        """The combined changes of two transactions to the same package."""
        return replace(
            later,
            created=self.created or later.created,
            new_versions=self.new_versions + later.new_versions,
            requirements_written=self.requirements_written + later.requirements_written,
            requirements_removed=self.requirements_removed + later.requirements_removed,
            statements=self.statements + later.statements,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """One package's part of a transaction; this base class only adds callers' edges."""

    ref: PackageRef
    edges: tuple[ParentEdge, ...] = ()

    @property
    def rows(self) -> int:
        """About how many rows this sends to the server."""
        return 1 + len(self.edges)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribute(Change):
    """Other properties for some versions, those of ``VERSION.elsewhere``."""

    versions: Mapping[Purl, Row]
    """By the purl of a version that the graph has; one that it lacks is passed over."""

    @property
    def rows(self) -> int:
        """About how many rows this sends to the server."""
        return 1 + len(self.versions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NameImports(Change):
    """The import names that were read from a version."""

    version: VersionName
    names: tuple[str, ...]
    """Not empty."""
    is_fallback: bool
    """Whether nothing in the version can be imported, and the name is the fall-back name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading(Change):
    """A reading of the package from its registry."""

    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Touch(Reading):
    """A reading without changes since the last one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gone(Reading):
    """A reading that found that the registry no longer has the package."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Write(Reading):
    """A package as its registry describes it."""

    package: Package
    order: Order
    versions: Mapping[VersionName, Row]
    """One row per version of the registry, as if all were new, in serial-number order.

    A row has the properties of ``VERSION.written``, and ``requirements``, a list of :data:`Edge`.
    """
    required: Mapping[Purl, PackageRef]
    """All packages that a version requires."""
    unasked: Collection[VersionName]
    """Known versions whose documents were not read; all other versions were read completely."""
    tables: Mapping[str, str]
    """The texts that versions have the digest of, by that."""
    unread: bool = False
    """Whether the graph seems to have nothing of the package, or only a stub."""

    @property
    def rows(self) -> int:
        """About how many rows this sends to the server."""
        requirements = sum(len(row["requirements"]) for row in self.versions.values())
        tables = sum(1 + len(text) // TABLE_CHARACTERS for text in self.tables.values())
        nodes = len(self.required) + len(self.versions) + tables
        return 1 + len(self.edges) + nodes + requirements


def prepare(
    package: Package,
    order: Order,
    edges: Sequence[ParentEdge] = (),
    unasked: Collection[VersionName] = (),
    attributed: Mapping[VersionName, Row] = NOTHING,
    *,
    unread: bool = False,
) -> Write:
    """Make a package ready to be written; the arguments are those of ``GraphWriter.write``.

    Raises:
        ParentNotFound: an edge's ``parent_id`` cannot be an elementId.
        ValueError: a requirement is of another ecosystem than the package.
    """
    check_edges(edges)
    by_name = {version.name: version for version in reversed(package.versions)}
    rows = {name: _version_row(version) for name, version in by_name.items()}
    required: dict[Purl, PackageRef] = {}
    tables: dict[str, str] = {}
    versions: dict[VersionName, Row] = {}
    dates = {name: row["release_date"] for name, row in rows.items()}
    for serial_number, name in enumerate(order(dates.items())):
        version = by_name[name]
        for requirement in version.requirements or ():
            if requirement.package.label != package.ref.label:
                raise ValueError(f"{version.purl} requires {requirement.package.purl}")
            required.setdefault(requirement.package.purl, requirement.package)
        versions[name] = rows[name] | attributed.get(name, {})
        versions[name]["serial_number"] = serial_number
        for table in VERSION.tables:
            if key := rows[name][table]:
                tables[key] = getattr(version, table)
    return Write(
        ref=package.ref,
        fetched_at=package.fetched_at,
        edges=tuple(edges),
        package=package,
        order=order,
        versions=versions,
        required=required,
        unasked=frozenset(unasked),
        tables=tables,
        unread=unread,
    )


def _version_row(version: Version) -> Row:
    """A new version with its edges; the first one of two edges to one package."""
    edges = {edge[0]: edge for edge in map(_edge_of, reversed(version.requirements or ()))}
    is_read = version.requirements is not None and not version.provisional
    row = VERSION.row(version)
    row["requirements"] = requirements = list(edges.values())
    row["requirements_digest"] = digest(requirements) if is_read else None
    row["requirements_unknown"] = version.requirements_unknown or None
    return row


def check_edges(edges: Iterable[ParentEdge]) -> None:
    """Reject invalid elementIds before they reach the server.

    Raises:
        ParentNotFound: an elementId is invalid; the error names the first one.
    """
    for edge in edges:
        if not _ELEMENT_ID.fullmatch(edge.parent_id):
            raise ParentNotFound(edge.parent_id)
