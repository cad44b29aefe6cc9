"""Libraries without the large optional ones that they import and this program does not use.

``up`` needs numpy for one of its servers, so each worker would load it: Neo4j's driver accepts its
arrays as parameters. structlog would load rich, for tracebacks that we do not print.
"""

import sys
from importlib import import_module

UNUSED = {"neo4j": "numpy", "structlog": "rich"}
"""By the library that imports it, unless the import fails."""


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
