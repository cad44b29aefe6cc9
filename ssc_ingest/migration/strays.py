"""Last pass: versions without a package, and the requirements of other services' files."""

from ssc_ingest.migration.journal import Journal, Position
from ssc_ingest.migration.progress import Progress
from ssc_ingest.models import ANY_VERSION

JOIN_FILE_REQUIREMENTS = """
MATCH (file:RequirementFile)
CALL (file) {
  MATCH (file)-[edge:REQUIRE]->(package)
  WITH package, edge
  ORDER BY coalesce(edge.constraints, '') IN ['', $any], edge.constraints, elementId(edge)
  WITH package, collect(edge) AS edges WHERE size(edges) > 1
  FOREACH (edge IN tail(edges) | DELETE edge)
  RETURN coalesce(sum(size(edges) - 1), 0) AS joined
} IN TRANSACTIONS OF 1000 ROWS
RETURN coalesce(sum(joined), 0) AS n
"""
"""Keep one edge per file and package: the first in text order that is not "any"."""

REPAIR_FILE_REQUIREMENTS = """
MATCH (file:RequirementFile)
CALL (file) {
  MATCH (file)-[edge:REQUIRE]->()
  WHERE edge.parent_version_name IS NOT NULL OR coalesce(edge.constraints, '') = ''
  SET edge.parent_version_name = null,
      edge.constraints =
        CASE WHEN coalesce(edge.constraints, '') = '' THEN $any ELSE edge.constraints END
  RETURN count(*) AS repaired
} IN TRANSACTIONS OF 1000 ROWS
RETURN coalesce(sum(repaired), 0) AS n
"""
"""Constraints stay unchanged; missing ones become "any". These edges have no owner."""

DELETE_ORPHANS = """
MATCH (version:Version) WHERE NOT EXISTS { (version)<-[:HAVE]-() }
CALL (version) { DETACH DELETE version } IN TRANSACTIONS OF 1000 ROWS
RETURN count(*) AS n
"""
"""Versions without a package. Scans all versions, once."""


async def migrate_files(journal: Journal, progress: Progress, position: Position) -> None:
    """Repair the requirements of files; reads only the files, not the required packages."""
    del progress, position  # two statements that find their own work
    await journal.write_all(JOIN_FILE_REQUIREMENTS, "file_requirements_joined", any=ANY_VERSION)
    await journal.write_all(REPAIR_FILE_REQUIREMENTS, "file_requirements_changed", any=ANY_VERSION)


async def delete_orphans(journal: Journal, progress: Progress, position: Position) -> None:
    """Delete versions without a package."""
    del progress, position
    await journal.write_all(DELETE_ORPHANS, "versions_deleted")
