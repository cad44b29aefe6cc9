"""What a worker process imports: its memory is that of many processes."""

import subprocess
import sys

PROBE = """
import sys
import celery.apps.worker
from workers.__main__ import main

sys.argv = ["workers", "worker", "--help"]
try:
    main()
finally:
    unused = {"numpy", "pandas", "rich", "typer", "httpx", "flower", "tree_sitter"}
    print("unused:", *(unused | {"prompt_toolkit"}) & set(sys.modules))
"""


def test_a_worker_imports_no_large_library_that_it_does_not_use() -> None:
    """Also none that another library imports if it is there."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.endswith("unused:\n")


TABLES = """
import workers.app
from io import BytesIO
from neo4j import time
from neo4j._codec.packstream import v1, v2

assert time.Date(2024, 2, -1).day == 29
assert time.Date.days_in_month(9999, 12) == 31
try:
    time.Date(2023, 2, 29)
except ValueError:
    print(len(time._DAYS_IN_MONTH))
for codec in v1, v2:
    packed = BytesIO()
    codec.Packer(packed).pack([300, -300, 70_000])
    print(packed.getvalue().hex(), len(codec.PACKED_UINT_16), len(codec.UNPACKED_UINT_16))
"""


def test_a_worker_has_no_tables_that_the_graphs_driver_makes_and_does_not_need() -> None:
    """The driver's dates and numbers are what they were."""
    done = subprocess.run(
        [sys.executable, "-c", TABLES], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    numbers = "93c9012cc9fed4ca00011170"
    assert done.stdout.split("\n")[:3] == ["3", f"{numbers} 0 0", f"{numbers} 0 0"]


ENDING = """
import atexit, gc

atexit.register(lambda: print("frozen:", gc.get_freeze_count() > 100_000))

import workers
"""


def test_the_end_of_a_celery_process() -> None:
    """Python does not look for garbage among all objects when beat, Flower or ``call`` ends."""
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "frozen: True\n"
