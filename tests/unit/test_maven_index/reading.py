"""Index files for tests: a small generated one, and recorded ones."""

import io
from collections.abc import Sequence

from ssc_ingest.ecosystems.maven.index.documents import IndexReader, Row
from ssc_ingest.ecosystems.maven.index.index_pass import Pass
from ssc_ingest.ecosystems.maven.index.records import Changes, Names, by_package
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from tests.simulator.maven.index_format import Fields

INDEX = "aboutcode-org__purldb/minecode/tests/testfiles/maven/index"

SMALL: Sequence[Fields] = (
    {"DESCRIPTOR": "NexusIndex", "IDXINFO": "1.0|central"},
    {"u": "org.example|one|1.0|NA", "m": "1300000000000", "i": "jar|1|2|1|1|0|jar"},
    {"u": "org.example|one|1.0|sources|jar", "m": "1300000000001"},
    {"del": "org.example|two|1.0|NA", "m": "1300000000002"},
    {"m": "1", "n": "a name and no coordinates"},
    {"allGroups": "allGroups", "allGroupsList": "org.example|com.example"},
)


def rows_of(content: bytes) -> list[Row]:
    """The rows that the reader returns for an index file."""
    return [row for rows in IndexReader(io.BytesIO(content)) for row in rows]


def versions(lines: list[str], most: int = 100) -> dict[str, Sequence[str]]:
    """The versions in lines of changes."""
    return dict(by_package((line.encode() for line in lines), most))


def gathered(content: bytes, records: Names | Changes, **arguments: int) -> list[str]:
    """The lines of a whole pass."""
    with SortedLines(**arguments) as lines:
        for _ in Pass(io.BytesIO(content), records, lines, url="index"):
            pass
        count = lines.finish()
        found = [line.decode() for line in lines.after(b"")]
    assert len(found) == count
    return found
