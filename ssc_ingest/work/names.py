"""The public names of queues, and of the task that every room names.

Every other task's name stands with the code that it starts: those of runs in
:mod:`ssc_ingest.runs.kinds`, those of upkeep in :mod:`ssc_ingest.control`. Other services use these
names: a published name stays.
"""

from collections.abc import Iterable

EXTRACT = "extraction.extract_package"

CONTROL = "control"
DEFAULT = "celery"
"""Where callers without our configuration publish; control forwards it."""

URGENCIES = ("urgent", "fresh", "bulk")


def queue_name(ecosystem: str, urgency: str) -> str:
    """The queue of one ecosystem's work of one urgency: ``pypi.urgent``."""
    return f"{ecosystem}.{urgency}"


def queue_names(ecosystems: Iterable[str]) -> list[str]:
    """All queues, the most urgent first, control and the default queue last."""
    names = list(ecosystems)
    work = [queue_name(ecosystem, urgency) for urgency in URGENCIES for ecosystem in names]
    return [*work, CONTROL, DEFAULT]
