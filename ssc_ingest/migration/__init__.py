"""Convert a graph of the reference implementation to this program's data model, in place.

docs/migration.md has the rules. The first pass gives packages their identity and merges duplicates
(:mod:`.packages`). The second pass corrects versions (:mod:`.versions`) and their requirements
(:mod:`.requirements`). The last pass handles the other nodes (:mod:`.strays`) and the schema. The
first two passes process one ecosystem after the other.

Every step may be repeated: it compares the graph with its required state and writes the difference.
A node of the graph stores the progress, in the same transaction as the work (:mod:`.journal`).
"""

from ssc_ingest.migration.journal import SupersededMigration
from ssc_ingest.migration.progress import Progress
from ssc_ingest.migration.run import migrate
from ssc_ingest.migration.survey import survey

__all__ = ["Progress", "SupersededMigration", "migrate", "survey"]
