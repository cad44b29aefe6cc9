"""The public names of queues, of the tasks about one package, and of the sweep.

Other task names are defined next to the code that they start, for example those of runs in
:mod:`ssc_ingest.runs.kinds`.
Other services use these names, so they never change.
"""

from collections.abc import Iterable

EXTRACT = "extraction.extract_package"
EXTRACT_NAMES = "import_names.extract"
SWEEP = "runs.sweep"
"""Requeues lost work: :mod:`ssc_ingest.control.recovery`."""

CONTROL = "control"
DEFAULT = "celery"
"""The queue of callers without our configuration; control forwards its messages."""

URGENCIES = ("urgent", "fresh", "bulk")


def queue_name(ecosystem: str, urgency: str) -> str:
    """The queue of one ecosystem and urgency: ``pypi.urgent``."""
    return f"{ecosystem}.{urgency}"


def queue_names(ecosystems: Iterable[str]) -> list[str]:
    """All queues, the most urgent first, control and the default queue last."""
    return [*work_queues(ecosystems), CONTROL, DEFAULT]


def work_queues(ecosystems: Iterable[str]) -> list[str]:
    """The queues of work about packages, the most urgent first."""
    names = list(ecosystems)
    return [queue_name(ecosystem, urgency) for urgency in URGENCIES for ecosystem in names]
