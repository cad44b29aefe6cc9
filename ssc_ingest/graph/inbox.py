"""Submissions that wait to be written: urgent ones first, each package once per transaction."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from ssc_ingest.graph.changes import Change, WriteOutcome


@dataclass(slots=True, eq=False)
class Submission:
    """A change, and the future that its submitter awaits."""

    change: Change
    urgent: bool = False
    done: "asyncio.Future[WriteOutcome]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Inbox:
    """A queue of submissions for one event loop."""

    def __init__(self) -> None:
        self._urgent: deque[Submission] = deque()
        self._bulk: deque[Submission] = deque()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._bulk)

    def put(self, submission: Submission) -> None:
        """Add a submission at the end of its lane."""
        (self._urgent if submission.urgent else self._bulk).append(submission)

    def take(self, rows: int) -> list[Submission]:
        """The next transaction: as many submissions as fit in ``rows``, at least one.

        Urgent ones come first, so that bulk work only fills what they leave. A package that
        is in the transaction already waits for the next one, and so does all that is behind
        it in its lane, so that nothing overtakes. What nobody awaits any more is dropped.
        """
        taken: list[Submission] = []
        purls: set[str] = set()
        size = 0
        for lane in (self._urgent, self._bulk):
            while lane:
                submission = lane[0]
                change = submission.change
                if submission.done.done():
                    lane.popleft()
                    continue
                if change.ref.purl in purls or (taken and size + change.rows > rows):
                    break
                lane.popleft()
                taken.append(submission)
                purls.add(change.ref.purl)
                size += change.rows
        return taken

    def take_all(self) -> list[Submission]:
        """Everything that waits."""
        waiting = [*self._urgent, *self._bulk]
        self._urgent.clear()
        self._bulk.clear()
        return waiting
