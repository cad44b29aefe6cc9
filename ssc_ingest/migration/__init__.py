"""Bring a graph that the reference implementation wrote to this program's data contract, in place.

What it left, and what becomes of each thing, is in docs/migration.md. Three passes, each over
one ecosystem after the other: packages get their identity and duplicates are merged
(:mod:`.packages`), then their versions (:mod:`.versions`) and these versions' requirements
(:mod:`.requirements`) are put in order; what is left (:mod:`.strays`) comes last, then the schema.

Every step may be repeated: it compares what is with what ought to be, and writes the
difference. How far the migration is stands in a node of the graph, written in the same
transaction as what it speaks of (:mod:`.journal`).
"""

from ssc_ingest.migration.journal import SupersededMigration
from ssc_ingest.migration.progress import Progress
from ssc_ingest.migration.run import migrate
from ssc_ingest.migration.survey import survey

__all__ = ["Progress", "SupersededMigration", "migrate", "survey"]
