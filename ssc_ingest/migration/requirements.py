"""The requirements of versions: one edge per package, readable constraints, the owner's purl.

There are many edges with few different constraints. So only the constraints are transferred: the
server returns the different ones, and receives the new text of each.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.statements import for_label
from ssc_ingest.migration.journal import Journal, Step
from ssc_ingest.models import ANY_VERSION

EDGES_PER_TRANSACTION = 20_000

_EDGES = """
UNWIND $rows AS row
MATCH (version) WHERE elementId(version) = row.id
MATCH (version)-[edge:REQUIRE]->(required)
"""

SURVEY = (
    _EDGES
    + """
RETURN coalesce(toStringOrNull(edge.constraints), '') AS text, required:%(label)s AS fits,
       coalesce(edge.parent_version_name = row.owner, false) AS owned, count(*) AS edges
"""
)
"""The constraints of some versions' requirements, and whether they are correct."""

FIND_DOUBLED = (
    _EDGES
    + """
WITH row, required, collect(coalesce(toStringOrNull(edge.constraints), '')) AS texts
WHERE size(texts) > 1
RETURN row.id AS version, row.owner AS owner, elementId(required) AS required, texts
"""
)

JOIN = """
UNWIND $rows AS row
MATCH (version) WHERE elementId(version) = row.version
MATCH (required) WHERE elementId(required) = row.required
MATCH (version)-[edge:REQUIRE]->(required)
WITH row, version, edge ORDER BY elementId(edge)
WITH row, version, collect(edge) AS edges
WITH row, version, head(edges) AS kept, tail(edges) AS others
SET kept.constraints = row.constraints, kept.parent_version_name = row.owner,
    version.requirements_digest = null
FOREACH (other IN others | DELETE other)
RETURN coalesce(sum(size(others)), 0) AS n
"""
"""Keep one of the edges from a version to a package. By element id."""

DELETE_MISFITS = (
    _EDGES
    + """
WHERE NOT required:%(label)s
SET version.requirements_digest = null
DELETE edge
RETURN count(*) AS n
"""
)
"""Edges that end in another ecosystem, or in no package."""

REPAIR = (
    _EDGES
    + """
WITH row, version, edge, coalesce(toStringOrNull(edge.constraints), '') AS text
WITH row, version, edge, coalesce($readable[text], text) AS constraints
WHERE edge.constraints IS NULL OR edge.constraints <> constraints
   OR edge.parent_version_name IS NULL OR edge.parent_version_name <> row.owner
SET edge.constraints = constraints, edge.parent_version_name = row.owner,
    version.requirements_digest = null
RETURN count(*) AS n
"""
)
"""Write the new constraints and the owner of each requirement."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A version with requirements."""

    id: str
    package: str
    """Element id of its package."""
    owner: str
    """Purl of its package."""
    edges: int

    @property
    def row(self) -> Row:
        """Its parameter in the statement."""
        return {"id": self.id, "owner": self.owner}


async def repair_requirements(
    journal: Journal, ecosystem: type[Ecosystem], versions: Iterable[Owned]
) -> set[str]:
    """Correct the requirements of these versions.

    Returns:
        Element ids of packages with versions that lost their digests.
    """
    touched: set[str] = set()
    for chunk in chunks(versions, EDGES_PER_TRANSACTION):
        if await _repair(journal, ecosystem, [version.row for version in chunk]):
            touched |= {version.package for version in chunk}
    return touched


async def _repair(journal: Journal, ecosystem: type[Ecosystem], rows: Sequence[Row]) -> bool:
    label = ecosystem.identity.label
    surveyed = await journal.read(for_label(SURVEY, label), rows=rows)
    readable, counts, in_order = read_texts(ecosystem, surveyed)
    steps = []
    if any(not record["fits"] for record in surveyed):
        steps.append(Step(for_label(DELETE_MISFITS, label), {"rows": rows}, "requirements_deleted"))
    if doubled := await journal.read(FIND_DOUBLED, rows=rows):
        joined = [
            {
                "version": record["version"],
                "required": record["required"],
                "owner": record["owner"],
                "constraints": join_texts(ecosystem, record["texts"]),
            }
            for record in doubled
        ]
        steps.append(Step(JOIN, {"rows": joined}, "requirements_joined"))
    if not in_order:
        parameters = {"rows": rows, "readable": readable}
        steps.append(Step(REPAIR, parameters, "requirements_changed"))
    if steps:
        await journal.write(steps, counts=counts)
    return bool(steps)


def read_texts(
    ecosystem: type[Ecosystem], surveyed: Iterable[Any]
) -> tuple[dict[str, str], Counter[str], bool]:
    """The new text of each constraint, the counts, and whether everything is already correct."""
    readable: dict[str, str] = {}
    counts: Counter[str] = Counter()
    in_order = True
    for record in surveyed:
        if not record["fits"]:
            continue
        text = record["text"]
        constraints = ecosystem.constraints(text) if text else ANY_VERSION
        if constraints != text:
            readable[text] = constraints
            if constraints == ANY_VERSION:
                counts["requirements_unreadable"] += record["edges"]
        if constraints != text or not record["owned"]:
            in_order = False
    return readable, counts, in_order


def join_texts(ecosystem: type[Ecosystem], texts: Iterable[str]) -> str:
    """One constraint for several edges to the same package: the smallest range around them.

    An edge without constraints does not count.
    """
    said = sorted({text for text in texts if text})
    return ecosystem.constraints(*said) if said else ANY_VERSION


def chunks(versions: Iterable[Owned], limit: int) -> Iterator[list[Owned]]:
    """Split into parts of about this number of edges; a version with more is its own part."""
    part: list[Owned] = []
    edges = 0
    for version in versions:
        if part and edges + version.edges > limit:
            yield part
            part, edges = [], 0
        part.append(version)
        edges += version.edges
    if part:
        yield part
