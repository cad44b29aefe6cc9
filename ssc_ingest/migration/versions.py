"""Second pass: each package's versions in order, without duplicates, and their requirements.

Pages are in the order of the packages' purls, which are unique after the first pass.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.changes import Row
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.graph.statements import for_label
from ssc_ingest.migration.identities import number_of
from ssc_ingest.migration.journal import Journal, Position, Step
from ssc_ingest.migration.packages import DELETE_NODES, SET_PROPERTIES, remove_label
from ssc_ingest.migration.progress import Progress
from ssc_ingest.migration.releases import Releases, VersionNode, plan_releases
from ssc_ingest.migration.requirements import Owned, repair_requirements
from ssc_ingest.models import PackageRef, Purl

PACKAGES_PER_PAGE = 2_000
VERSIONS_PER_TRANSACTION = 4_000

PAGE = """
MATCH (package:%(label)s) USING INDEX package:%(label)s(purl) WHERE package.purl > $cursor
RETURN elementId(package) AS id, package.purl AS purl, package.name AS name,
       package.registry_name AS registry_name, COUNT { (package)-[:HAVE]->() } AS versions
ORDER BY purl LIMIT $packages
"""
"""The next packages. Index on ``purl``, in its order."""

_VERSION = f"""
elementId(version) AS id, {VERSION.cypher_map("version")} AS properties,
labels(version) AS labels, links,
COUNT {{ (version)<-[:HAVE]-() }} AS owners, COUNT {{ (version)-[:REQUIRE]->() }} AS requirements
"""

READ_VERSIONS = f"""
UNWIND $ids AS package_id
MATCH (package) WHERE elementId(package) = package_id
MATCH (package)-[link:HAVE]->(version)
WITH package_id, version, count(link) AS links
RETURN package_id, {_VERSION}
"""
"""The versions of some packages. By element id, then expansion."""

READ_OWNERS = """
UNWIND $ids AS id
MATCH (version) WHERE elementId(version) = id
RETURN id,
  COLLECT { MATCH (version)<-[:HAVE]-(package)
            RETURN DISTINCT [elementId(package), package.name, package.purl] } AS owners,
  COLLECT { MATCH (version)-[edge:REQUIRE]->()
            RETURN DISTINCT edge.parent_version_name } AS parents
"""
"""The packages of a version, and those that its requirements name as owner."""

MOVE_REQUIREMENTS = """
UNWIND $pairs AS pair
MATCH (duplicate) WHERE elementId(duplicate) = pair[0]
MATCH (survivor) WHERE elementId(survivor) = pair[1]
MATCH (duplicate)-[edge:REQUIRE]->(required)
CREATE (survivor)-[moved:REQUIRE]->(required)
SET moved = properties(edge)
DELETE edge
"""

UNLINK = """
UNWIND $pairs AS pair
MATCH (package) WHERE elementId(package) = pair[0]
MATCH (version) WHERE elementId(version) = pair[1]
MATCH (package)-[link:HAVE]->(version)
WITH pair, collect(link) AS links
FOREACH (link IN links[pair[2]..] | DELETE link)
RETURN coalesce(sum(size(links[pair[2]..])), 0) AS n
"""
"""Keep this number of links from a package to a version: none or one."""

CREATE_COPIES = """
UNWIND $rows AS row
MATCH (package) WHERE elementId(package) = row.id
CREATE (package)-[:HAVE]->(version:Version)
SET version = row.properties
"""

FORGET_ETAGS = """
UNWIND $ids AS id
MATCH (package) WHERE elementId(package) = id
SET package.etag = null
"""
"""Remove the validators, so that the next reading is a full one. By element id."""


@dataclass(slots=True)
class Batch:
    """Packages with their versions, up to the size of a transaction (or one package)."""

    packages: list[Row] = field(default_factory=list)
    versions: int = 0


async def migrate_versions(
    journal: Journal,
    progress: Progress,
    ecosystem: type[Ecosystem],
    position: Position,
) -> None:
    """Migrate the versions and requirements of one ecosystem's packages after the position."""
    async for batch in _batches(journal, ecosystem, position.cursor):
        position = Position(
            position.step, batch.packages[-1]["purl"], position.done + batch.versions
        )
        if batch.versions:
            await _migrate_batch(journal, ecosystem, batch)
        await journal.write(position=position)
        progress.advance(batch.versions)


async def _batches(
    journal: Journal, ecosystem: type[Ecosystem], cursor: str
) -> AsyncIterator[Batch]:
    statement = for_label(PAGE, ecosystem.identity.label)
    while records := await journal.read(statement, cursor=cursor, packages=PACKAGES_PER_PAGE):
        batch = Batch()
        for record in records:
            if batch.versions and batch.versions + record["versions"] > VERSIONS_PER_TRANSACTION:
                yield batch
                batch = Batch()
            batch.packages.append(record.data())
            batch.versions += record["versions"]
        yield batch
        cursor = records[-1]["purl"]


async def _migrate_batch(journal: Journal, ecosystem: type[Ecosystem], batch: Batch) -> None:
    ids = [package["id"] for package in batch.packages if package["versions"]]
    found: dict[str, list[VersionNode]] = {}
    for record in await journal.read(READ_VERSIONS, ids=ids):
        found.setdefault(record["package_id"], []).append(version_node(record))
    elsewhere = await _elsewhere(journal, found)
    plans: dict[str, Releases] = {}
    owned: list[Owned] = []
    unlink: list[list[Any]] = []
    for package in batch.packages:
        nodes = found.get(package["id"], [])
        away = elsewhere.get(package["id"], frozenset())
        for node in nodes:
            if node.id in away or "Version" not in node.labels:
                unlink.append([package["id"], node.id, 0])
            elif node.links > 1:
                unlink.append([package["id"], node.id, 1])
        versions = [node for node in nodes if "Version" in node.labels]
        plan = plans[package["id"]] = plan_releases(
            ecosystem, reference(ecosystem, package), versions, away
        )
        moved: Counter[str] = Counter()
        requirements = {node.id: node.requirements for node in nodes}
        for duplicate, survivor in plan.merged:
            moved[survivor] += requirements[duplicate]
        owned += [
            Owned(node.id, package["id"], package["purl"], edges)
            for node in plan.kept
            if (edges := node.requirements + moved[node.id])
        ]
    await _write(journal, plans, unlink)
    reread = await repair_requirements(journal, ecosystem, owned)
    reread |= {id_ for id_, plan in plans.items() if plan.merged or plan.copied}
    if reread:
        await journal.write([Step(FORGET_ETAGS, {"ids": sorted(reread)})])


async def _write(journal: Journal, plans: dict[str, Releases], unlink: list[list[Any]]) -> None:
    """All changes except requirements; none if nothing has to change."""
    merged = [list(pair) for plan in plans.values() for pair in plan.merged]
    gone = [duplicate for duplicate, _ in merged]
    nameless = [id_ for plan in plans.values() for id_ in plan.nameless]
    changed = {id_: row for plan in plans.values() for id_, row in plan.changed.items()}
    relabelled = {id_ for plan in plans.values() for id_ in plan.relabelled}
    copied = [{"id": id_, "properties": row} for id_, plan in plans.items() for row in plan.copied]
    steps = []
    if merged:
        steps.append(Step(MOVE_REQUIREMENTS, {"pairs": merged}))
    if gone or nameless:
        steps.append(Step(DELETE_NODES, {"ids": gone + nameless}))
    if unlink:
        steps.append(Step(UNLINK, {"pairs": unlink}, "versions_detached"))
    if changed:
        rows = [{"id": id_, "properties": row} for id_, row in changed.items()]
        steps.append(Step(SET_PROPERTIES, {"rows": rows}))
    if copied:
        steps.append(Step(CREATE_COPIES, {"rows": copied}))
    steps += [Step(*step) for step in _relabel(plans.values())]
    if steps:
        await journal.write(
            steps,
            counts={
                "versions_changed": len(changed.keys() | relabelled),
                "versions_merged": len(merged),
                "versions_copied": len(copied),
                "versions_deleted": len(nameless),
            },
        )


def _relabel(plans: Iterable[Releases]) -> list[tuple[str, Row]]:
    labels: dict[str, list[str]] = {}
    for plan in plans:
        for node in plan.kept:
            for label in node.labels:
                if label != "Version":
                    labels.setdefault(label, []).append(node.id)
    return [(remove_label(label), {"ids": ids}) for label, ids in labels.items()]


async def _elsewhere(
    journal: Journal, found: dict[str, list[VersionNode]]
) -> dict[str, frozenset[str]]:
    """By package, shared versions that stay with another package.

    They stay with the package that their requirements name as owner, otherwise with the oldest one.
    """
    shared = {node.id for nodes in found.values() for node in nodes if node.owners > node.links}
    if not shared:
        return {}
    keepers: dict[str, str] = {}
    for record in await journal.read(READ_OWNERS, ids=sorted(shared)):
        keepers[record["id"]] = _keeper(record["owners"], record["parents"])
    return {
        package: frozenset(n.id for n in nodes if n.id in shared and keepers[n.id] != package)
        for package, nodes in found.items()
    }


def _keeper(owners: Iterable[list[Any]], parents: Collection[Any]) -> str:
    named = {str(parent).lower() for parent in parents}

    def rank(owner: list[Any]) -> tuple[bool, int]:
        id_, *spellings = owner
        return not named.intersection(str(s).lower() for s in spellings), number_of(id_)

    return str(min(owners, key=rank)[0])


def reference(ecosystem: type[Ecosystem], package: Row) -> PackageRef:
    """The package of a node, even if its name is invalid."""
    identity = ecosystem.identity
    return PackageRef(
        ecosystem=identity.name,
        label=identity.label,
        purl=Purl(package["purl"]),
        name=package["name"],
        registry_name=package.get("registry_name") or package["name"],
    )


def version_node(record: Any) -> VersionNode:
    """A version from a result of the statements."""
    return VersionNode(
        id=record["id"],
        properties=record["properties"],
        labels=tuple(record["labels"]),
        links=record["links"],
        owners=record["owners"],
        requirements=record["requirements"],
    )
