"""The workers that ``ssc-ingest up`` starts, with the servers and settings of a benchmark."""

from ssc_ingest.cli.up.fleet import BULK_NICENESS
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.work.names import CONTROL, DEFAULT, queue_name, work_queues
from tests.acceptance.fleet import Fleet, WorkerProcess


def start_worker(fleet: Fleet, name: str) -> WorkerProcess:
    """A worker of all work, which leaves the processor to others."""
    return fleet.start(*work_queues(ecosystems()), name=name, niceness=BULK_NICENESS)


def start_others(fleet: Fleet) -> None:
    """The worker of urgent work, and control."""
    fleet.start(*(queue_name(name, "urgent") for name in ecosystems()), name="urgent@test")
    fleet.start(CONTROL, DEFAULT, name="control@test")
