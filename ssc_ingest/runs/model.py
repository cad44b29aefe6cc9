"""The model of a run: its state, its counters and its reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ssc_ingest.models import Outcome, Purl
from ssc_ingest.runs.kinds import KINDS, Kind, Metrics
from ssc_ingest.runs.pages import FEED
from ssc_ingest.work.arguments import BackfillImportNames, ExtractImportNames, ExtractPackage
from ssc_ingest.work.names import queue_name

State = Literal["running", "paused", "cancelled", "failed", "finished"]

FINISHED_WITH_ERRORS = "finished with errors"
"""How a run ends in which packages failed."""

Phase = Literal["listing", "draining"]
"""``listing``: the run reads pages; ``draining``: it waits for its last packages."""


OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.LEFT_OVER)
"""The outcomes of a run's packages; runs have no budget."""

DONE = frozenset({Outcome.EXTRACTED, Outcome.UNCHANGED, Outcome.PRESENT})

COUNTED_AT_THE_END = ("versions", "new_versions", "requirements", "requests")
"""Counts that a package reports with its outcome."""

COUNTED_OF_NAMES = ("without_names", "download_errors", "processing_errors")
"""Counts that a package of a backfill of import names reports with its outcome."""

COUNTED_PER_PAGE = ("listed", "invalid", "skipped", "current", "unknown", "known_missing")
"""Results of comparing a page with the graph: ``listed`` counts all names; ``invalid`` invalid
ones; ``skipped`` packages that the graph has; ``current`` packages that are as new as the feed
says; ``unknown`` packages that the graph lacks and the update does not add; ``known_missing``
packages in the not-found cache."""

ESTIMATED = ("listed", "invalid", "known_missing")
"""Counters that are estimates of different names if the listing repeats names."""

COUNTERS = (*OUTCOMES, *COUNTED_AT_THE_END, *COUNTED_OF_NAMES, *COUNTED_PER_PAGE, "published")


@dataclass(frozen=True, slots=True)
class Item:
    """One package of a run, with the arguments of its task."""

    purl: Purl
    request: ExtractPackage | ExtractImportNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The current state of a run. Times are aware, in UTC."""

    id: str
    kind: Kind
    ecosystem: str
    state: State
    phase: Phase
    mode: str
    """The name of its page source: that of its kind, or the whole listing if the feed has
    expired."""
    cursor: str | None
    """The cursor after the last complete page; ``None`` before the first one."""
    feed_end: str | None
    """The end of the feed before the listing; becomes the feed's cursor."""
    complete: bool
    """Whether the run has read the listing or feed to its end."""
    repeats: bool = False
    """Whether the listing repeats names. Then ``listed``, ``invalid`` and ``known_missing``
    estimate the number of different names, and ``known_missing`` includes packages that the run
    itself found missing."""
    limit: int | None
    """Maximum number of packages to publish."""
    task_id: str
    """Id of every task that executes the run; the result of the task is the run's."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    touched_at: datetime
    """Time of the last activity."""
    active: float
    """Seconds for which a worker executed it."""
    owner: str | None
    """The worker that executes it now."""
    restarts: int
    stuck: int
    """Restarts since the last progress."""
    pages: int
    total: int | None
    """Number of names in the whole listing, if the registry states it."""
    pending: int
    """Number of pending packages."""
    on_page: int
    """Packages published for the current page."""
    error: str | None
    note: str | None
    """A remark for people, such as the reason for waiting."""
    counts: Mapping[str, int]
    """Values by :data:`COUNTERS`."""
    backfill: BackfillImportNames | None = None
    """The options of a backfill of import names."""

    @property
    def ended(self) -> bool:
        """Whether the run is in a final state."""
        return self.state not in {"running", "paused"}

    @property
    def title(self) -> str:
        """What people call it: ``update of npm``."""
        return f"{self.kind.replace('_', ' ')} of {self.ecosystem}"

    @property
    def standing(self) -> str:
        """Its state; a finished run with failed packages has a state of its own."""
        if self.state == "finished" and self.counts["failed"]:
            return FINISHED_WITH_ERRORS
        return self.state

    @property
    def published(self) -> int:
        """Number of packages for which the run has published tasks."""
        return self.counts["published"] + self.on_page

    @property
    def done(self) -> int:
        """Number of packages that are in their registry and in the graph."""
        return sum(self.counts[outcome] for outcome in DONE)

    @property
    def rate(self) -> float:
        """Packages with an outcome per second of execution."""
        ended = sum(self.counts[outcome] for outcome in OUTCOMES)
        return ended / self.active if self.active else 0.0

    @property
    def share(self) -> float | None:
        """Completed share of the registry, from 0 to 1, if known."""
        if self.state == "finished":
            return 1.0
        if self.mode == FEED.mode or not self.total:
            return None
        return min(1.0, max(0, self.counts["listed"] - self.pending) / self.total)

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the pace so far."""
        share = self.share
        if not share or self.ended:
            return None
        return self.active * (1 - share) / share

    @property
    def queue(self) -> str:
        """The queue for the tasks of its packages."""
        return queue_name(self.ecosystem, KINDS[self.kind].urgency)

    def metrics(self) -> Metrics:
        """The metrics of the run, as defined by its kind."""
        return KINDS[self.kind].report(self)

    def report(self) -> dict[str, Any]:
        """The result of the run's task; also logged at the end."""
        facts = {
            "run_id": self.id,
            "kind": self.kind,
            "ecosystem": self.ecosystem,
            "state": self.standing,
            **self.metrics(),
            "requests": self.counts["requests"],
            "seconds": round(self.active, 1),
        }
        return facts | {k: v for k in ("error", "note") if (v := getattr(self, k))}

    def document(self) -> dict[str, Any]:
        """The report with progress information; the ``--json`` output of commands."""
        return {
            **self.report(),
            "phase": self.phase,
            "limit": self.limit,
            "pending": self.pending,
            "packages_per_second": round(self.rate, 2),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "restarts": self.restarts,
            "task_id": self.task_id,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The position of an ecosystem's updates in the feed."""

    cursor: str
    moment: datetime
    """Time when the cursor was stored."""
    updated_at: datetime | None
    """End of the last completed update."""


def moment(text: str | None) -> datetime | None:
    """Parse a stored Unix time."""
    return datetime.fromtimestamp(float(text), UTC) if text else None
