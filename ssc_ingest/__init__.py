"""SSC Ingest: keeps a supply-chain graph of package registries up to date.

This package is the library, which does not depend on Celery. :mod:`workers` has the Celery workers,
:mod:`beat_schedule` the schedule.
"""


def __getattr__(name: str) -> str:
    """``__version__``, read when it is used: it takes an eighth of the time of a short command."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("ssc-ingest")
