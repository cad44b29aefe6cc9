"""Libraries without what they load and this program does not use.

``up`` needs numpy for one of its servers, so each worker would load it: Neo4j's driver accepts its
arrays as parameters. structlog would load rich, for tracebacks that we do not print.

Neo4j's driver makes tables when it is imported, 27 MB in each process: the days of all months until
the year 9999, and all numbers of two bytes, which its codec in Rust does not need.
"""

import sys
from calendar import monthrange
from contextlib import suppress
from importlib import import_module

UNUSED = {"neo4j": "numpy", "structlog": "rich"}
"""By the library that imports it, unless the import fails."""


class DaysInMonth(dict[tuple[int, int], int]):
    """The days of the months, by year and month, that were requested."""

    def __missing__(self, month: tuple[int, int]) -> int:
        """Look into the calendar."""
        days = self[month] = monthrange(*month)[1]
        return days


def import_without_unused() -> None:
    """Import these libraries, before any other module does it."""
    for library, unused in UNUSED.items():
        if library in sys.modules or unused in sys.modules:
            continue
        sys.modules[unused] = None  # type: ignore[assignment] # Python's way to fail an import
        try:
            import_module(library)
        finally:
            del sys.modules[unused]
    # Their names are the driver's own: a release without them costs memory, not the worker.
    with suppress(ImportError, AttributeError):
        _drop_tables()


def _drop_tables() -> None:
    """Give the memory of the driver's tables to the modules that are imported next."""
    from neo4j import time  # noqa: PLC0415 - without numpy, so not before
    from neo4j._codec.packstream import v1 as codec  # noqa: PLC0415

    if not isinstance(time._DAYS_IN_MONTH, DaysInMonth):  # noqa: SLF001
        time._DAYS_IN_MONTH = DaysInMonth()  # noqa: SLF001
    if "neo4j._rust" in sys.modules:
        codec.PACKED_UINT_16.clear()
        codec.UNPACKED_UINT_16.clear()
