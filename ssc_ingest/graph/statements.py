"""The Cypher of the writer's transactions.

Labels cannot be parameters, so statements contain ``%(label)s``; labels come only from
:class:`~ssc_ingest.ecosystems.base.Identity`. Names and defaults of properties come from
:mod:`.properties`. Everything else is in the one parameter ``batch``, a map: the server would make
another plan for each order of magnitude of each list that is a parameter.
"""

import re

from ssc_ingest.graph.properties import REQUIREMENT, VERSION

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]*")

FIND_PARENTS = """
UNWIND $batch.ids AS id
MATCH (source) WHERE elementId(source) = id
OPTIONAL MATCH (owner)-[:HAVE]->(source)
RETURN id, labels(source)[0] AS label, source.manager AS manager,
       owner.purl AS owner_purl, labels(owner)[0] AS owner_label
"""
"""The start nodes of callers' edges: the ecosystem of a file, the package of a version.

By element id.
"""

FIND_PACKAGES = """
UNWIND $batch.purls AS purl
MATCH (package:%(label)s {purl: purl})
RETURN package.purl AS purl, package.moment IS NOT NULL AS is_read
"""
"""The packages that exist, and whether they have been read. Unique index on ``purl``."""

LOCK_PACKAGES = """
UNWIND $batch.rows AS row
MERGE (package:%(label)s {purl: row.purl})
ON CREATE SET package += row.stub
SET package.purl = row.purl
WITH package, row WHERE row.changes
RETURN package.purl AS purl, elementId(package) AS id, package.moment AS moment,
       package.gone_since AS gone_since, coalesce(size(package.import_names), 0) > 0 AS has_names,
       COUNT { (package)-[:HAVE]->() } AS versions
"""
"""Create missing packages and write-lock every package of the transaction, in the rows' order.

Setting ``purl`` to its own value changes nothing but takes the node's write lock. Later reads
therefore see the commits of earlier transactions. Unique index on ``purl``.
"""

CREATE_PACKAGES = f"""
UNWIND $batch.locks AS row
MERGE (package:%(label)s {{purl: row.purl}})
ON CREATE SET package += row.stub
SET package.purl = row.purl
WITH collect(package) AS locked
FOREACH (table IN $batch.tables |
  MERGE (node:RequirementTable {{digest: table.digest}})
  ON CREATE SET node.table = table.table)
WITH locked,
     COLLECT {{
       UNWIND $batch.popular AS purl
       MATCH (package:%(label)s {{purl: purl}})
       RETURN package
     }} AS popular
WHERE [node IN locked | node.purl] = [row IN $batch.locks | row.purl]
  AND [node IN popular | node.purl] = $batch.popular
WITH locked + popular AS nodes
UNWIND $batch.rows AS row
WITH nodes, row, nodes[row.place] AS package
WHERE package.moment IS NULL AND package.gone_since IS NULL
  AND coalesce(size(package.import_names), 0) = 0
  AND NOT EXISTS {{ (package)-[:HAVE]->() }}
SET package += row.properties
FOREACH (new IN row.versions |
  CREATE (package)-[:HAVE]->(version:Version {VERSION.cypher_node("new")})
  FOREACH (requirement IN new.requirements |
    FOREACH (node IN [nodes[requirement[0]]] |
      CREATE (version)-[:REQUIRE
        {REQUIREMENT.cypher_edge("requirement", parent_version_name="row.purl")}
      ]->(node))))
WITH nodes, collect(row.place) AS written
UNWIND range(0, size($batch.locks) - 1) AS place
WITH written, place, nodes[place] AS package
WITH written, place, COUNT {{ (package)<-[:REQUIRE]-() }} >= $batch.dense AS is_popular
RETURN written, collect(CASE WHEN is_popular THEN place END) AS popular
"""
"""Packages that were never read, with everything that they have, as a whole transaction.

It locks like ``LOCK_PACKAGES``, and the aggregation lets nothing be read before the last lock.
Packages that have been read in the meantime are not among the ``written``. Nodes are named by
their position in ``locks``, and after these in ``popular``; if a popular one is missing, or the
server returns them in another order, nothing is written. Unique indexes on ``purl`` and
``RequirementTable.digest``.
"""

READ_VERSIONS = f"""
UNWIND $batch.purls AS purl
MATCH (package:%(label)s {{purl: purl}})-[:HAVE]->(version:Version)
RETURN purl, collect({VERSION.cypher_list("version")}) AS versions
"""
"""The current versions of packages. Unique index on ``purl``, then expansion."""

READ_REQUIREMENTS = f"""
UNWIND $batch.purls AS purl
MATCH (:Version {{purl: purl}})-[edge:REQUIRE]->(package)
RETURN purl, collect({{id: elementId(edge), label: labels(package)[0], purl: package.purl,
                      values: {REQUIREMENT.cypher_list("edge")}}}) AS edges
"""
"""The edges of versions whose requirements may have changed. Unique index on ``Version.purl``."""

FIND_NAMESAKES = """
UNWIND $batch.names AS name
MATCH (package:%(label)s {name: name}) WHERE package.moment IS NOT NULL
RETURN name, package.purl AS purl, coalesce(package.registry_name, package.name) AS spelling
"""
"""Packages that were read and have these names. Index on ``name``."""

UPDATE_PACKAGES = """
UNWIND $batch.rows AS row
MATCH (package:%(label)s {purl: row.purl})
SET package += row.properties
"""
"""The packages' own properties; ``null`` removes one. Unique index on ``purl``."""

NAME_IMPORTS = """
UNWIND $batch.rows AS row
MATCH (package:%(label)s {purl: row.purl})
USING INDEX SEEK package:%(label)s(purl)
WITH package, row,
     (package.import_names_from IS NULL OR package.latest = row.version
      OR package.import_names_from <> package.latest)
     AND (NOT row.is_fallback OR size(coalesce(package.import_names, [])) = 0
          OR package.import_names = row.names) AS wanted
FOREACH (_ IN CASE WHEN wanted THEN [true] ELSE [] END |
  SET package.import_names = row.names, package.import_names_from = row.version)
"""
"""Import names that were read. Those of the latest version are not replaced by those of another
one, and no names by the fall-back name of a version without names. Unique index on ``purl``."""

FIND_TABLES = """
UNWIND $batch.digests AS digest
MATCH (table:RequirementTable {digest: digest})
RETURN digest
"""
"""Which tables are there already. Unique index on ``RequirementTable.digest``."""

CREATE_TABLES = """
UNWIND $batch.rows AS row
MERGE (table:RequirementTable {digest: row.digest})
ON CREATE SET table.table = row.table
"""
"""Tables that were missing. Each locks its digest, in the rows' order.

Whoever waits for such a lock has the locks of its packages already and takes no others but those
of later digests: nobody waits in a circle. Unique index on ``RequirementTable.digest``.
"""

CREATE_VERSIONS = f"""
UNWIND range(0, size($batch.required) - 1) AS place
MATCH (package:%(label)s {{purl: $batch.required[place]}})
WITH place, package ORDER BY place
WITH collect(package) AS required
UNWIND $batch.rows AS row
MATCH (package:%(label)s {{purl: row.purl}})
UNWIND row.versions AS new
CREATE (package)-[:HAVE]->(version:Version {VERSION.cypher_node("new")})
WITH row, new, version, required
UNWIND new.requirements AS requirement
WITH row, version, requirement, required[requirement[0]] AS package
CREATE (version)-[:REQUIRE
  {REQUIREMENT.cypher_edge("requirement", parent_version_name="row.purl")}
]->(package)
"""
"""New versions with all their edges. Unique index on ``purl``, for both ends.

The versions are new, because their package is locked; CREATE is a third faster than MERGE. The
versions of a package mostly require the same packages, so each required package is matched once and
then used by its position in ``required``. All of them exist, because they are locked; a missing one
would shift the positions of the others.
"""

UPDATE_VERSIONS = """
UNWIND $batch.rows AS row
MATCH (version:Version {purl: row.purl})
SET version += row.properties
"""
"""Changed versions, with only the changed properties. Unique index on ``Version.purl``."""

WRITE_REQUIREMENTS = """
UNWIND $batch.rows AS row
MATCH (version:Version {purl: row.version})
MATCH (required:%(label)s {purl: row.purl})
MERGE (version)-[edge:REQUIRE]->(required)
SET edge += row.properties
"""
"""New or changed edges of existing versions; ``null`` removes a property.

Unique indexes on ``purl``.
"""

DELETE_REQUIREMENTS = """
UNWIND $batch.ids AS id
MATCH ()-[edge:REQUIRE]->() WHERE elementId(edge) = id
DELETE edge
"""
"""Removed edges of existing versions. By element id."""

ATTACH_PARENTS = """
UNWIND $batch.rows AS row
MATCH (source) WHERE elementId(source) = row.parent
MATCH (package) WHERE elementId(package) = row.package
MERGE (source)-[edge:REQUIRE]->(package)
SET source.requirements_digest =
      CASE WHEN edge.constraints = row.constraints THEN source.requirements_digest END,
    edge.constraints = row.constraints, edge.parent_version_name = row.owner
RETURN count(DISTINCT row) AS attached
"""
"""Edges from callers: one per source and package. By element id, both ends.

If a version's edges then differ from its registry's requirements, its digest is removed, so that
the next reading corrects them. (On a requirement file ``row.owner`` and the digest are null, so
neither property is created.)
"""

WITH_LABEL = {
    "FIND_PACKAGES": FIND_PACKAGES,
    "LOCK_PACKAGES": LOCK_PACKAGES,
    "CREATE_PACKAGES": CREATE_PACKAGES,
    "READ_VERSIONS": READ_VERSIONS,
    "FIND_NAMESAKES": FIND_NAMESAKES,
    "UPDATE_PACKAGES": UPDATE_PACKAGES,
    "NAME_IMPORTS": NAME_IMPORTS,
    "CREATE_VERSIONS": CREATE_VERSIONS,
    "WRITE_REQUIREMENTS": WRITE_REQUIREMENTS,
}
"""Statements with a label, sent once per label."""

WITHOUT_LABEL = {
    "FIND_PARENTS": FIND_PARENTS,
    "READ_REQUIREMENTS": READ_REQUIREMENTS,
    "FIND_TABLES": FIND_TABLES,
    "CREATE_TABLES": CREATE_TABLES,
    "UPDATE_VERSIONS": UPDATE_VERSIONS,
    "DELETE_REQUIREMENTS": DELETE_REQUIREMENTS,
    "ATTACH_PARENTS": ATTACH_PARENTS,
}
"""Statements without a label."""


def check_label(label: str) -> str:
    """Validate a label.

    Raises:
        ValueError: the label is not a plain word like every ecosystem's label.
    """
    if not _LABEL.fullmatch(label):
        raise ValueError(f"{label!r} cannot be a graph label")
    return label


def for_label(statement: str, label: str) -> str:
    """The statement for packages of one label."""
    return statement % {"label": check_label(label)}
