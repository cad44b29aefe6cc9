"""SSC Ingest: keeps a supply-chain graph of package registries up to date.

This package is the library, which does not depend on Celery. :mod:`workers` has the Celery workers,
:mod:`beat_schedule` the schedule.
"""

from importlib.metadata import version

__version__ = version("ssc-ingest")
