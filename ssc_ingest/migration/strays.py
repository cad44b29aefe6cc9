"""Last pass: what no package leads to, and the requirements of other services' files."""

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
"""One edge per file and package: one that says more than "any", the first of those by its text."""

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
"""Their texts stay as they are; where there is none, it is "any". Nobody owns them."""

DELETE_ORPHANS = """
MATCH (version:Version) WHERE NOT EXISTS { (version)<-[:HAVE]-() }
CALL (version) { DETACH DELETE version } IN TRANSACTIONS OF 1000 ROWS
RETURN count(*) AS n
"""
"""Versions that no package has. Scans all versions, once."""


async def migrate_files(journal: Journal, progress: Progress, position: Position) -> None:
    """Requirements of files. Only the files are read, not what is required a million times."""
    del progress, position  # two statements, which find by themselves what there is to do
    await journal.write_all(JOIN_FILE_REQUIREMENTS, "file_requirements_joined", any=ANY_VERSION)
    await journal.write_all(REPAIR_FILE_REQUIREMENTS, "file_requirements_changed", any=ANY_VERSION)


async def delete_orphans(journal: Journal, progress: Progress, position: Position) -> None:
    """Versions that nobody can reach."""
    del progress, position
    await journal.write_all(DELETE_ORPHANS, "versions_deleted")
