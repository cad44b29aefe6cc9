"""The submissions that wait for a transaction: urgent ones first, each package once."""

from dataclasses import dataclass
from typing import TypeAlias

from ssc_ingest.graph.changes import Change, WriteOutcome
from ssc_ingest.work.batching import Request


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """A change, and whether it has priority over bulk work."""

    change: Change
    urgent: bool = False


Waiting: TypeAlias = list[Request[Submission, WriteOutcome]]


def take(waiting: Waiting, rows: int) -> Waiting:
    """Remove the submissions of the next transaction: up to ``rows`` rows, at least one submission.

    Urgent ones come first, and bulk work fills the rest. If a package is already in the
    transaction, its next submission waits, with all later ones of its lane (urgent or bulk), so
    that the order is kept. Submissions of cancelled tasks are dropped.
    """
    awaited = [request for request in waiting if not request.answer.done()]
    taken: dict[str, Request[Submission, WriteOutcome]] = {}
    size = 0
    for urgent in (True, False):
        for request in awaited:
            change = request.item.change
            if request.item.urgent is not urgent:
                continue
            if change.ref.purl in taken or (taken and size + change.rows > rows):
                break
            taken[change.ref.purl] = request
            size += change.rows
    chosen = set(taken.values())
    waiting[:] = [request for request in awaited if request not in chosen]
    return list(taken.values())
