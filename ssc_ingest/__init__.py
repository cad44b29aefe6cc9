"""SSC Ingest: keeps a supply-chain graph of package registries current.

This package is the library: everything that would be the same without Celery.
The queue lives in :mod:`workers`, the schedule in :mod:`beat_schedule`.
"""

from importlib.metadata import version

__version__ = version("ssc-ingest")
