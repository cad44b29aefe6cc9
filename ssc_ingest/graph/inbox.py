"""Submissions that wait for a transaction: urgent ones first, each package once in it."""

from dataclasses import dataclass
from typing import TypeAlias

from ssc_ingest.graph.changes import Change, WriteOutcome
from ssc_ingest.work.batching import Request


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """A change, and whether it goes before bulk work."""

    change: Change
    urgent: bool = False


Waiting: TypeAlias = list[Request[Submission, WriteOutcome]]


def take(waiting: Waiting, rows: int) -> Waiting:
    """Remove the next transaction: as many submissions as fit in ``rows``, at least one.

    Urgent ones come first, so that bulk work only fills the rest. A package that is in the
    transaction already waits for the next one, and so does everything behind it in its lane
    (urgent or bulk), so that nothing overtakes. Submissions of cancelled tasks are dropped.
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
