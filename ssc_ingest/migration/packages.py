"""First pass: every package gets its identity, and duplicates become one node.

Pages are in the order of the index on names; all nodes of one name are on the same page.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from neo4j import Record

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.statements import for_label
from ssc_ingest.migration.identities import UNNAMED, Identity, PackageNode, identify, lower_name
from ssc_ingest.migration.journal import Journal, Position, Step
from ssc_ingest.migration.progress import Progress

NAMES_PER_PAGE = 1_000
EDGES_PER_TRANSACTION = 10_000

_NODE = """
RETURN elementId(package) AS id, properties(package) AS properties,
       labels(package) AS labels,
       COUNT { (package)-[:HAVE]->() } + COUNT { (package)<-[:REQUIRE]-() } AS edges,
       COUNT { (package)-[:REQUIRE]->() } AS strays
"""

PAGE = (
    """
MATCH (first:%(label)s) USING INDEX first:%(label)s(name) WHERE first.name > $cursor
WITH DISTINCT first.name AS name ORDER BY name LIMIT $names
MATCH (package:%(label)s {name: name})
"""
    + _NODE
    + "ORDER BY package.name"
)
"""The packages of the next names. Index on ``name``, in its order."""

WITH_PURLS = "UNWIND $values AS value MATCH (package:%(label)s {purl: value})" + _NODE
"""Index on ``purl``."""

WITH_NAMES = "UNWIND $values AS value MATCH (package:%(label)s {name: value})" + _NODE
"""Index on ``name``."""

NAME_UNNAMED = """
MATCH (package:%(label)s)
WHERE package.name IS NULL OR NOT package.name IS :: STRING OR package.name = ''
CALL (package) {
  SET package.name =
    coalesce(nullIf(toStringOrNull(package.name), ''), $unnamed + split(elementId(package), ':')[2])
} IN TRANSACTIONS OF 1000 ROWS
RETURN count(*) AS n
"""
"""Name the nameless nodes, so that an index finds them. Scans the label."""

MOVE = """
UNWIND $pairs AS pair
MATCH (duplicate) WHERE elementId(duplicate) = pair[0]
MATCH (survivor) WHERE elementId(survivor) = pair[1]
CALL (duplicate, survivor) {
  MATCH (duplicate)<-[edge:REQUIRE]-(source)
  WITH edge, source, survivor LIMIT $most
  CREATE (source)-[moved:REQUIRE]->(survivor)
  SET moved = properties(edge)
  DELETE edge
  RETURN count(*) AS required
}
CALL (duplicate, survivor) {
  MATCH (duplicate)-[edge:HAVE]->(version)
  WITH edge, version, survivor LIMIT $most
  CREATE (survivor)-[:HAVE]->(version)
  DELETE edge
  RETURN count(*) AS had
}
RETURN coalesce(sum(required + had), 0) AS n
"""
"""Move edges of duplicates to the surviving nodes; at most this number per kind and pair."""

DELETE_NODES = """
UNWIND $ids AS id
MATCH (node) WHERE elementId(node) = id
DETACH DELETE node
"""

SET_PROPERTIES = """
UNWIND $rows AS row
MATCH (node) WHERE elementId(node) = row.id
SET node += row.properties
"""

DELETE_REQUIREMENTS_OF_PACKAGES = """
UNWIND $ids AS id
MATCH (package) WHERE elementId(package) = id
MATCH (package)-[edge:REQUIRE]->()
DELETE edge
RETURN count(edge) AS n
"""


@dataclass(slots=True)
class Page:
    """The next packages by name, with their changes."""

    cursor: str
    identities: list[Identity]
    size: int

    @property
    def counts(self) -> Counter[str]:
        """The counts of the page."""
        kept = [identity for identity in self.identities if not identity.is_lost]
        return Counter(
            packages_changed=sum(_is_changed(identity) for identity in kept),
            packages_merged=sum(len(identity.duplicates) for identity in self.identities),
            packages_invalid=sum(identity.survivor.ref is None for identity in kept),
            packages_twins=sum(_is_twin(identity) for identity in kept),
            packages_deleted=len(self.identities) - len(kept),
        )


async def migrate_packages(
    journal: Journal,
    progress: Progress,
    ecosystem: type[Ecosystem],
    position: Position,
) -> None:
    """Migrate the packages of one ecosystem after the position."""
    label = ecosystem.identity.label
    if not position.cursor:
        statement = for_label(NAME_UNNAMED, label)
        await journal.write_all(statement, None, unnamed=UNNAMED)
    while page := await read_page(journal, ecosystem, position.cursor):
        position = Position(position.step, page.cursor, position.done + page.size)
        await _write_page(journal, page, position)
        for identity in page.identities:
            if identity.survivor.ref is None and identity.properties:
                progress.say(_about_invalid(identity))
        progress.advance(page.size)


async def read_page(journal: Journal, ecosystem: type[Ecosystem], cursor: str) -> Page | None:
    """The packages of the next names, or ``None`` after the last one."""
    label = ecosystem.identity.label
    records = await journal.read(for_label(PAGE, label), cursor=cursor, names=NAMES_PER_PAGE)
    if not records:
        return None
    nodes = {node.id: node for node in map(_node_of(ecosystem), records)}
    first_time = {id_ for id_, n in nodes.items() if n.spelling == n.properties["name"]}
    purls = sorted({node.purl for node in nodes.values()})
    for record in await journal.read(for_label(WITH_PURLS, label), values=purls):
        node = _node_of(ecosystem)(record)
        nodes.setdefault(node.id, node)
    lower = {name for node in nodes.values() if (name := lower_name(node)) is not None}
    named = await journal.read(for_label(WITH_NAMES, label), values=sorted(lower)) if lower else []
    identities = identify(nodes.values(), map(_node_of(ecosystem), named))
    # A node with a new lower-case name appears again, after the capitals.
    size = sum(record["id"] in first_time for record in records)
    return Page(records[-1]["properties"]["name"], identities, size)


async def _write_page(journal: Journal, page: Page, position: Position) -> None:
    merging: list[Identity] = []
    edges = 0
    for identity in page.identities:
        if not identity.duplicates:
            continue
        weight = sum(node.edges for node in identity.duplicates)
        if weight > EDGES_PER_TRANSACTION:
            await _move_all(journal, identity)
            weight = 0
        if merging and edges + weight > EDGES_PER_TRANSACTION:
            await _merge(journal, merging)
            merging, edges = [], 0
        merging.append(identity)
        edges += weight
    if merging:
        await _merge(journal, merging)
    kept = [i for i in page.identities if not i.is_lost]
    changed = [i for i in kept if not i.duplicates]
    steps = list(_update(changed))
    if lost := [i.survivor.id for i in page.identities if i.is_lost]:
        steps.append(Step(DELETE_NODES, {"ids": lost}))
    if strays := [i.survivor.id for i in kept if i.survivor.strays]:
        steps.append(Step(DELETE_REQUIREMENTS_OF_PACKAGES, {"ids": strays}, "requirements_deleted"))
    counts = page.counts
    counts["packages_merged"] = 0  # counted at its deletion
    await journal.write(steps, counts=counts, position=position)


async def _move_all(journal: Journal, identity: Identity) -> None:
    """Move edges in parts, so that no transaction becomes too large."""
    for duplicate in identity.duplicates:
        parameters = {
            "pairs": [[duplicate.id, identity.survivor.id]],
            "most": EDGES_PER_TRANSACTION,
        }
        while (await journal.write([Step(MOVE, parameters, "edges_moved")]))["edges_moved"]:
            pass


async def _merge(journal: Journal, identities: Sequence[Identity]) -> None:
    """Move the remaining edges and delete the duplicates, in one transaction."""
    pairs = [[node.id, i.survivor.id] for i in identities for node in i.duplicates]
    await journal.write(
        [
            Step(MOVE, {"pairs": pairs, "most": EDGES_PER_TRANSACTION}, "edges_moved"),
            Step(DELETE_NODES, {"ids": [duplicate for duplicate, _ in pairs]}),
            *_update(identities),
        ],
        counts={"packages_merged": len(pairs)},
    )


def _update(identities: Iterable[Identity]) -> Iterable[Step]:
    """Write properties, then labels; correct values make no row."""
    identities = list(identities)
    rows: list[Row] = [
        {"id": i.survivor.id, "properties": i.properties} for i in identities if i.properties
    ]
    if rows:
        yield Step(SET_PROPERTIES, {"rows": rows})
    labelled: dict[str, list[str]] = {}
    for identity in identities:
        own = identity.survivor.ecosystem.identity.label
        for label in identity.survivor.labels:
            if label != own:
                labelled.setdefault(label, []).append(identity.survivor.id)
    for label, ids in labelled.items():
        yield Step(remove_label(label), {"ids": ids})


def remove_label(label: str) -> str:
    """The statement that removes a label from nodes."""
    quoted = label.replace("`", "``")
    return f"UNWIND $ids AS id MATCH (node) WHERE elementId(node) = id REMOVE node:`{quoted}`"


def _is_changed(identity: Identity) -> bool:
    return bool(identity.properties) or len(identity.survivor.labels) > 1


def _is_twin(identity: Identity) -> bool:
    name = identity.properties.get("name", identity.survivor.properties.get("name"))
    return identity.survivor.ref is not None and isinstance(name, str) and name != name.lower()


def _about_invalid(identity: Identity) -> str:
    node = identity.survivor
    title = node.ecosystem.identity.title
    fate = "deleted: nothing refers to it" if identity.is_lost else f"kept as {node.purl}, unread"
    return f"{node.properties['name']!r} is not a valid package name of {title}: {fate}"


def _node_of(ecosystem: type[Ecosystem]) -> Any:
    def node(record: Record) -> PackageNode:
        return PackageNode(
            id=record["id"],
            properties=record["properties"],
            labels=tuple(record["labels"]),
            edges=record["edges"],
            strays=record["strays"],
            ecosystem=ecosystem,
        )

    return node
