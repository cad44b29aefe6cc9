"""One file for the logs of several processes."""

import subprocess
import sys
from pathlib import Path

WRITER = """
import sys
from pathlib import Path
import structlog
from ssc_ingest import logs
from ssc_ingest.settings import load_settings

logs.FILE_SIZE = 20_000
logs.configure(load_settings(None, log_file=Path(sys.argv[1]), log_format="json"))
for number in range(150):
    structlog.get_logger("test").info(f"{sys.argv[2]}-{number}")
"""


def test_no_line_is_lost_when_several_rotate(tmp_path: Path) -> None:
    """Whichever process rotates, the others write to the new file."""
    log = tmp_path / "logs" / "ssc-ingest.log"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, log, str(number)], stderr=subprocess.DEVNULL
        )
        for number in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    files = sorted(log.parent.glob("ssc-ingest.log*"))
    assert 1 < len(files) <= 6
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(lines) == 600
