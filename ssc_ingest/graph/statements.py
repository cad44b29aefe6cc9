"""The Cypher that writes packages: every statement that a transaction of the writer sends.

Labels cannot be parameters, so a statement that names one holds ``%(label)s``; labels come
from :class:`~ssc_ingest.ecosystems.base.Identity` alone. Names and defaults of properties come
from :mod:`.properties`. Everything else is a parameter.
"""

import re

from ssc_ingest.graph.properties import REQUIREMENT, VERSION

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]*")

FIND_PARENTS = """
UNWIND $ids AS id
MATCH (source) WHERE elementId(source) = id
OPTIONAL MATCH (owner)-[:HAVE]->(source)
RETURN id, labels(source)[0] AS label, source.manager AS manager,
       owner.purl AS owner_purl, labels(owner)[0] AS owner_label
"""
"""Which nodes required edges may start from: files of which ecosystem, versions of which package.

By element id.
"""

FIND_PACKAGES = """
UNWIND $purls AS purl
MATCH (package:%(label)s {purl: purl})
RETURN package.purl AS purl, package.moment IS NOT NULL AS is_read
"""
"""Which packages are there, and have been read. Unique index on ``purl``."""

LOCK_PACKAGES = """
UNWIND $rows AS row
MERGE (package:%(label)s {purl: row.purl})
ON CREATE SET package += row.stub
SET package.purl = row.purl
WITH package, row WHERE row.changes
RETURN package.purl AS purl, elementId(package) AS id, package.moment AS moment,
       package.gone_since AS gone_since, COUNT { (package)-[:HAVE]->() } AS versions
"""
"""Create what is missing and write-lock every package of the transaction, in the rows' order.

Setting ``purl`` to what it is changes nothing but takes the node's write lock. What is read
behind it is therefore what the transaction before us committed. Unique index on ``purl``.
"""

READ_VERSIONS = f"""
UNWIND $purls AS purl
MATCH (package:%(label)s {{purl: purl}})-[:HAVE]->(version:Version)
RETURN purl, collect({VERSION.cypher_list("version")}) AS versions
"""
"""The versions that packages have now. Unique index on ``purl``, then expansion."""

READ_REQUIREMENTS = f"""
UNWIND $purls AS purl
MATCH (:Version {{purl: purl}})-[edge:REQUIRE]->(package)
RETURN purl, collect({{id: elementId(edge), label: labels(package)[0], purl: package.purl,
                      values: {REQUIREMENT.cypher_list("edge")}}}) AS edges
"""
"""The edges of versions whose requirements may have changed. Unique index on ``Version.purl``."""

FIND_NAMESAKES = """
UNWIND $names AS name
MATCH (package:%(label)s {name: name}) WHERE package.moment IS NOT NULL
RETURN name, package.purl AS purl, coalesce(package.registry_name, package.name) AS spelling
"""
"""Packages that were read and have these names. Index on ``name``."""

UPDATE_PACKAGES = """
UNWIND $rows AS row
MATCH (package:%(label)s {purl: row.purl})
SET package += row.properties
"""
"""The packages' own properties; ``null`` removes one. Unique index on ``purl``."""

FIND_TABLES = """
UNWIND $digests AS digest
MATCH (table:RequirementTable {digest: digest})
RETURN digest
"""
"""Which tables are there already. Unique index on ``RequirementTable.digest``."""

CREATE_TABLES = """
UNWIND $rows AS row
MERGE (table:RequirementTable {digest: row.digest})
ON CREATE SET table.table = row.table
"""
"""Tables that were missing. Each locks its digest, in the rows' order.

Whoever waits for such a lock has the locks of its packages already and takes no others but those
of later digests: nobody waits in a circle. Unique index on ``RequirementTable.digest``.
"""

CREATE_VERSIONS = f"""
UNWIND range(0, size($required) - 1) AS place
MATCH (package:%(label)s {{purl: $required[place]}})
WITH place, package ORDER BY place
WITH collect(package) AS required
UNWIND $rows AS row
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

The versions are known to be new, since their package is locked: no MERGE, a third faster. What
they require is looked up once and then known by its place in ``required``: the versions of a
package mostly require the same packages. All of these exist, since they are locked; one that did
not would move the others to wrong places.
"""

UPDATE_VERSIONS = """
UNWIND $rows AS row
MATCH (version:Version {purl: row.purl})
SET version += row.properties
"""
"""Versions that changed, with the changed properties only. Unique index on ``Version.purl``."""

WRITE_REQUIREMENTS = """
UNWIND $rows AS row
MATCH (version:Version {purl: row.version})
MATCH (required:%(label)s {purl: row.purl})
MERGE (version)-[edge:REQUIRE]->(required)
SET edge += row.properties
"""
"""Edges that existing versions gained, or whose properties changed; ``null`` removes one.

Unique indexes on ``purl``.
"""

DELETE_REQUIREMENTS = """
UNWIND $ids AS id
MATCH ()-[edge:REQUIRE]->() WHERE elementId(edge) = id
DELETE edge
"""
"""Edges that existing versions lost. By element id."""

ATTACH_PARENTS = """
UNWIND $rows AS row
MATCH (source) WHERE elementId(source) = row.parent
MATCH (package) WHERE elementId(package) = row.package
MERGE (source)-[edge:REQUIRE]->(package)
SET source.requirements_digest =
      CASE WHEN edge.constraints = row.constraints THEN source.requirements_digest END,
    edge.constraints = row.constraints, edge.parent_version_name = row.owner
RETURN count(DISTINCT row) AS attached
"""
"""Edges asked for by a caller: one per source and package. By element id, both ends.

A version whose edges differ from what its registry said loses the digest that says that they
are the same, so that the next reading puts them right. (On a requirement file ``row.owner``
and the digest are null: neither property comes into being.)
"""

WITH_LABEL = {
    "FIND_PACKAGES": FIND_PACKAGES,
    "LOCK_PACKAGES": LOCK_PACKAGES,
    "READ_VERSIONS": READ_VERSIONS,
    "FIND_NAMESAKES": FIND_NAMESAKES,
    "UPDATE_PACKAGES": UPDATE_PACKAGES,
    "CREATE_VERSIONS": CREATE_VERSIONS,
    "WRITE_REQUIREMENTS": WRITE_REQUIREMENTS,
}
"""Statements that are sent once for each label."""

WITHOUT_LABEL = {
    "FIND_PARENTS": FIND_PARENTS,
    "READ_REQUIREMENTS": READ_REQUIREMENTS,
    "FIND_TABLES": FIND_TABLES,
    "CREATE_TABLES": CREATE_TABLES,
    "UPDATE_VERSIONS": UPDATE_VERSIONS,
    "DELETE_REQUIREMENTS": DELETE_REQUIREMENTS,
    "ATTACH_PARENTS": ATTACH_PARENTS,
}
"""Statements that are the same for all labels."""


def check_label(label: str) -> str:
    """The label itself.

    Raises:
        ValueError: it is not a plain word, which every ecosystem's label is.
    """
    if not _LABEL.fullmatch(label):
        raise ValueError(f"{label!r} cannot be a graph label")
    return label


def for_label(statement: str, label: str) -> str:
    """The statement for packages of one label."""
    return statement % {"label": check_label(label)}
