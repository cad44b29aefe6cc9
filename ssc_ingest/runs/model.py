"""What a run is, how its packages end, and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ssc_ingest.models import Outcome, Purl
from ssc_ingest.runs.kinds import KINDS, Kind, Metrics
from ssc_ingest.runs.pages import FEED
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.names import queue_name

State = Literal["running", "paused", "cancelled", "failed", "finished"]

FINISHED_WITH_ERRORS = "finished with errors"
"""How a run ends in which packages failed."""

Phase = Literal["listing", "draining"]
"""Reading the registry's pages; waiting for the last packages."""


OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.LEFT_OVER)
"""How packages of a run end: runs have no budget."""

DONE = frozenset({Outcome.EXTRACTED, Outcome.UNCHANGED, Outcome.PRESENT})

COUNTED_AT_THE_END = ("versions", "new_versions", "requirements", "requests")
"""Amounts that packages report when they end."""

COUNTED_PER_PAGE = ("listed", "invalid", "skipped", "current", "unknown", "known_missing")
"""Names by the result of comparing their page with the graph: ``listed`` counts all; ``invalid``
those that cannot be names; ``skipped`` those that the graph has; ``current`` those that it has as
new as the feed says; ``unknown`` those that it lacks and an update does not add; ``known_missing``
those that the registry lacked a short time ago."""

ESTIMATED = ("listed", "invalid", "known_missing")
"""Those that count different names, by an estimate, where a listing repeats them."""

COUNTERS = (*OUTCOMES, *COUNTED_AT_THE_END, *COUNTED_PER_PAGE, "published")


@dataclass(frozen=True, slots=True)
class Item:
    """One package of a run: which, and the arguments of its task."""

    purl: Purl
    request: ExtractPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it stands. Moments are aware, in UTC."""

    id: str
    kind: Kind
    ecosystem: str
    state: State
    phase: Phase
    mode: str
    """Which pages it reads now: those of its kind, or the whole listing if the feed has expired."""
    cursor: str | None
    """Behind the last page that is done with; ``None`` before the first."""
    feed_end: str | None
    """Where the feed ended before the listing began; becomes the feed's cursor."""
    complete: bool
    """Whether the listing or the feed was read to its end."""
    repeats: bool = False
    """Whether names come again in the listing. Then ``listed``, ``invalid`` and ``known_missing``
    are estimates of how many different ones there are, and what the run found missing itself is
    among the last."""
    limit: int | None
    """Most packages to publish."""
    task_id: str
    """Of the task that carries it out, whoever does; its result is the run's."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    touched_at: datetime
    """When something was last done about it."""
    active: float
    """Seconds for which somebody carried it out."""
    owner: str | None
    """Who carries it out now."""
    restarts: int
    stuck: int
    """Restarts since it last came on."""
    pages: int
    total: int | None
    """Names in the whole listing, where the registry tells."""
    pending: int
    """Packages published and not finished."""
    on_page: int
    """Packages of the page that is being done."""
    error: str | None
    note: str | None
    """What a person should know: why it waits, why nothing was to be done."""
    counts: Mapping[str, int]
    """By :data:`COUNTERS`."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in {"running", "paused"}

    @property
    def standing(self) -> str:
        """Its state, but a run in which packages failed is not plainly finished."""
        if self.state == "finished" and self.counts["failed"]:
            return FINISHED_WITH_ERRORS
        return self.state

    @property
    def published(self) -> int:
        """Packages for which the run has published tasks."""
        return self.counts["published"] + self.on_page

    @property
    def done(self) -> int:
        """Packages that were found in their registry and are in the graph."""
        return sum(self.counts[outcome] for outcome in DONE)

    @property
    def rate(self) -> float:
        """Packages a second that ended, over the time in which somebody carried the run out."""
        ended = sum(self.counts[outcome] for outcome in OUTCOMES)
        return ended / self.active if self.active else 0.0

    @property
    def share(self) -> float | None:
        """How much of the registry is done with, from 0 to 1, where that is known."""
        if self.state == "finished":
            return 1.0
        if self.mode == FEED.mode or not self.total:
            return None
        return min(1.0, max(0, self.counts["listed"] - self.pending) / self.total)

    @property
    def seconds_left(self) -> float | None:
        """An estimate, from the pace so far."""
        share = self.share
        if not share or self.ended:
            return None
        return self.active * (1 - share) / share

    @property
    def queue(self) -> str:
        """The queue of its packages' tasks."""
        return queue_name(self.ecosystem, KINDS[self.kind].urgency)

    def metrics(self) -> Metrics:
        """The numbers that stand for the run, by its kind."""
        return KINDS[self.kind].report(self)

    def report(self) -> dict[str, Any]:
        """What the run's task returns, and what the log says at the end."""
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
        """The report and what is of interest before the end; the ``--json`` of commands."""
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
    """Where the updates of an ecosystem go on."""

    cursor: str
    moment: datetime
    """When the cursor was stored."""
    updated_at: datetime | None
    """When an update was last completed."""


def moment(text: str | None) -> datetime | None:
    """Unix time as text, as records have it."""
    return datetime.fromtimestamp(float(text), UTC) if text else None
