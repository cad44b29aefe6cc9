"""Estimates the changes of a migration without writing anything, not even an index.

All nodes are streamed once, in any order, and compared by the functions of the migration.
Consequences of merged packages, such as duplicate versions, are not counted.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from neo4j import READ_ACCESS, AsyncDriver, AsyncResult, Record

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.graph.statements import for_label
from ssc_ingest.migration.identities import UNNAMED, PackageNode, identify, lower_name
from ssc_ingest.migration.progress import Progress
from ssc_ingest.migration.releases import plan_releases
from ssc_ingest.migration.requirements import read_texts
from ssc_ingest.migration.versions import reference, version_node

PACKAGES = f"""
MATCH (package:%(label)s)
RETURN elementId(package) AS id, properties(package) AS properties, labels(package) AS labels,
  COUNT {{ (package)-[:HAVE]->() }} + COUNT {{ (package)<-[:REQUIRE]-() }} AS edges,
  COUNT {{ (package)-[:REQUIRE]->() }} AS strays,
  COLLECT {{
    MATCH (package)-[link:HAVE]->(version:Version)
    WITH version, count(link) AS links
    RETURN {{
      id: elementId(version), labels: labels(version), links: links,
      properties: {VERSION.cypher_map("version")},
      owners: COUNT {{ (version)<-[:HAVE]-() }}, requirements: 0
    }}
  }} AS versions,
  COLLECT {{
    MATCH (package)-[:HAVE]->(version:Version)-[edge:REQUIRE]->(required)
    WITH coalesce(toStringOrNull(edge.constraints), '') AS text, required:%(label)s AS fits,
         edge.parent_version_name AS owner, count(*) AS edges
    RETURN {{text: text, fits: fits, owner: owner, edges: edges}}
  }} AS requirements,
  COUNT {{
    MATCH (package)-[:HAVE]->(version:Version)-[:REQUIRE]->(required)
    WITH version, required, count(*) AS edges WHERE edges > 1 RETURN 1
  }} AS doubled
"""
"""Each package with all its versions: one scan of the label."""

COUNT_PACKAGES = "MATCH (package:%(label)s) RETURN count(package) AS n"

ORPHANS = """
MATCH (version:Version) WHERE NOT EXISTS { (version)<-[:HAVE]-() } RETURN count(version) AS n
"""

FILES = """
MATCH (file:RequirementFile)-[edge:REQUIRE]->(package)
WITH file, package, count(edge) AS edges,
     sum(CASE WHEN edge.parent_version_name IS NOT NULL OR coalesce(edge.constraints, '') = ''
         THEN 1 ELSE 0 END) AS wrong
RETURN coalesce(sum(edges - 1), 0) AS joined, coalesce(sum(wrong), 0) AS changed
"""


async def survey(
    driver: AsyncDriver, ecosystems: Iterable[type[Ecosystem]], progress: Progress
) -> Counter[str]:
    """Count the changes of a migration, by the keys of :data:`~.progress.COUNTS`.

    Raises:
        StoreUnavailable: the graph is unavailable.
    """
    counts: Counter[str] = Counter()
    with translated("a scan of the whole graph"):
        for ecosystem in ecosystems:
            counts.update(await _survey_packages(driver, ecosystem, progress))
        progress.begin("requirement files", None)
        async with _stream(driver, FILES) as records:
            async for record in records:
                counts["file_requirements_joined"] += record["joined"]
                counts["file_requirements_changed"] += record["changed"]
        progress.begin("versions without a package", None)
        async with _stream(driver, ORPHANS) as records:
            async for record in records:
                counts["versions_deleted"] += record["n"]
    return counts


async def _survey_packages(
    driver: AsyncDriver, ecosystem: type[Ecosystem], progress: Progress
) -> Counter[str]:
    identity = ecosystem.identity
    async with _stream(driver, for_label(COUNT_PACKAGES, identity.label)) as records:
        async for record in records:
            progress.begin(f"{identity.title}: packages and versions", record["n"])
    counts: Counter[str] = Counter()
    purls, lower = (
        array("Q"),
        array("Q"),
    )  # 8 bytes per package, so millions of packages are no problem
    async with _stream(driver, for_label(PACKAGES, identity.label)) as records:
        async for record in records:
            node = _package(record, ecosystem)
            purls.append(_digest(node.purl))
            if (name := lower_name(node)) is not None:
                lower.append(_digest(ecosystem.ref(name).purl))
            counts.update(_package_counts(node))
            counts.update(_version_counts(node, record))
            progress.advance(1)
    counts["packages_merged"], counts["packages_twins"] = _repeated(purls, lower)
    return counts


def _repeated(purls: "array[int]", lower: "array[int]") -> tuple[int, int]:
    """The number of duplicate nodes, and of names that another package owns."""
    ordered = sorted(purls)
    merged = sum(one == other for one, other in pairwise(ordered))

    def exists(purl: int) -> bool:
        index = bisect_left(ordered, purl)
        return index < len(ordered) and ordered[index] == purl

    twins = sum(
        # If no package is in lower case, the first one gets the name.
        exists(purl) or (index > 0 and names[index - 1] == purl)
        for names in (sorted(lower),)
        for index, purl in enumerate(names)
    )
    return merged, twins


def _package_counts(node: PackageNode) -> Counter[str]:
    (identity,) = identify([node], ())
    if identity.is_lost:
        return Counter(packages_deleted=1)
    return Counter(
        packages_changed=int(bool(identity.properties) or len(node.labels) > 1),
        packages_invalid=int(node.ref is None),
        requirements_deleted=node.strays,
    )


def _version_counts(node: PackageNode, record: Record) -> Counter[str]:
    of = reference(node.ecosystem, {**node.properties, "purl": node.purl})
    versions = [version_node(row) for row in record["versions"]]
    plan = plan_releases(node.ecosystem, of, versions)
    surveyed = [{**row, "owned": row["owner"] == node.purl} for row in record["requirements"]]
    _, counts, _ = read_texts(node.ecosystem, surveyed)
    counts += Counter(
        versions_changed=len(plan.changed.keys() | set(plan.relabelled)),
        versions_merged=len(plan.merged),
        versions_deleted=len(plan.nameless),
        versions_detached=sum(version.links - 1 for version in versions),
        requirements_deleted=sum(row["edges"] for row in surveyed if not row["fits"]),
        requirements_joined=record["doubled"],
        requirements_changed=_changed_edges(node.ecosystem, surveyed),
    )
    return counts


def _changed_edges(ecosystem: type[Ecosystem], surveyed: Iterable[dict[str, Any]]) -> int:
    return sum(
        row["edges"]
        for row in surveyed
        if row["fits"] and not (row["owned"] and ecosystem.constraints(row["text"]) == row["text"])
    )


def _package(record: Record, ecosystem: type[Ecosystem]) -> PackageNode:
    properties = dict(record["properties"])
    name = properties.get("name")
    properties["name"] = str(name) if name not in (None, "") else UNNAMED
    return PackageNode(
        id=record["id"],
        properties=properties,
        labels=tuple(record["labels"]),
        edges=record["edges"],
        strays=record["strays"],
        ecosystem=ecosystem,
    )


def _digest(purl: str) -> int:
    return int.from_bytes(blake2b(purl.encode(errors="surrogatepass"), digest_size=8).digest())


@asynccontextmanager
async def _stream(driver: AsyncDriver, statement: str) -> AsyncIterator[AsyncResult]:
    async with driver.session(default_access_mode=READ_ACCESS) as session:
        yield await session.run(statement)
