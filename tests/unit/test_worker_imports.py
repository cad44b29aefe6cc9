"""What a worker process imports: its memory is that of many processes."""

import subprocess
import sys

PROBE = """
import sys
import workers.app
from celery.bin import worker

unused = {"numpy", "pandas", "rich", "typer", "httpx", "flower", "tree_sitter"}
print(*unused & set(sys.modules))
"""


def test_a_worker_imports_no_large_library_that_it_does_not_use() -> None:
    """Also none that another library imports if it is there."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == []
