"""What a run is, how its packages end, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from ssc_ingest.models import Purl
from ssc_ingest.work.arguments import ExtractPackage

Kind = Literal["ingestion", "update", "staleness"]
KINDS: tuple[Kind, ...] = ("ingestion", "update", "staleness")

State = Literal["running", "paused", "cancelled", "failed", "finished"]

Phase = Literal["listing", "draining"]
"""Reading the registry's pages; waiting for the last packages."""

Mode = Literal["names", "changes", "stale"]
"""What the pages are: those of the whole listing, of the feed, or of what is in the graph and was
not looked at for long."""

MODES: Mapping[Kind, Mode] = {"ingestion": "names", "update": "changes", "staleness": "stale"}
"""What a run of each kind begins with."""


class Ending(StrEnum):
    """How a package of a run ended; each package ends once."""

    EXTRACTED = "extracted"
    """Read from its registry and written."""
    UNCHANGED = "unchanged"
    """The registry has nothing newer than the graph."""
    PRESENT = "present"
    """Somebody else had brought it into the graph since the run looked."""
    MISSING = "missing"
    """The registry does not have it, and neither has the graph."""
    GONE = "gone"
    """The registry does not have it any more; what the graph has stays."""
    FAILED = "failed"
    """In the dead letters."""


DONE = frozenset({Ending.EXTRACTED, Ending.UNCHANGED, Ending.PRESENT})

COUNTED_AT_THE_END = ("versions", "new_versions", "requirements", "requests")
"""Amounts that packages report when they end."""

COUNTED_PER_PAGE = ("listed", "invalid", "skipped", "current", "unknown", "known_missing")
"""Names by what became of them when their page was compared with the graph: ``listed`` is all;
``invalid`` cannot be names; ``skipped`` the graph has; ``current`` it has as the feed says;
``unknown`` it lacks and an update does not add; ``known_missing`` the registry lacked before."""

ESTIMATED = ("listed", "invalid", "known_missing")
"""Those whose names are told apart where a listing repeats them."""

COUNTERS = (*Ending, *COUNTED_AT_THE_END, *COUNTED_PER_PAGE, "published")


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
    mode: Mode
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
    def published(self) -> int:
        """Packages that the run has taken up."""
        return self.counts["published"] + self.on_page

    @property
    def done(self) -> int:
        """Packages that were found in their registry and are in the graph."""
        return sum(self.counts[ending] for ending in DONE)

    @property
    def rate(self) -> float:
        """Packages a second that ended, over the time in which somebody carried the run out."""
        ended = sum(self.counts[ending] for ending in Ending)
        return ended / self.active if self.active else 0.0

    @property
    def share(self) -> float | None:
        """How much of the registry is done with, from 0 to 1, where that is known."""
        if self.state == "finished":
            return 1.0
        if self.mode == "changes" or not self.total:
            return None
        return min(1.0, max(0, self.counts["listed"] - self.pending) / self.total)

    @property
    def seconds_left(self) -> float | None:
        """An estimate, from the pace so far."""
        share = self.share
        if not share or self.ended:
            return None
        return self.active * (1 - share) / share

    def metrics(self) -> dict[str, int | float]:
        """The numbers that stand for the run; docs/operations.md says what each counts."""
        counts = self.counts
        errors = counts[Ending.FAILED]
        if self.kind == "ingestion":
            listed, skipped = counts["listed"], counts["skipped"]
            missing = counts[Ending.MISSING] + counts[Ending.GONE] + counts["known_missing"]
            if self.repeats:
                missing -= counts[Ending.MISSING]
                others = self.done + errors + missing + counts["invalid"] + self.pending
                skipped = max(0, min(skipped, listed - others))
                listed = others + skipped
            total = listed if self.complete else max(listed, self.total or 0)
            return {
                "total_in_registry": total,
                "new_packages_ingested": self.done,
                "skipped_existing": max(0, skipped),
                "errors": errors,
                "ingestion_rate": percentage(self.done, total),
                "missing": max(0, missing),
                "invalid_names": counts["invalid"],
            }
        processed = self.done + counts[Ending.GONE]
        facts: dict[str, int | float] = {
            "packages_processed": processed,
            "total_versions": counts["versions"],
            "errors": errors,
            "success_rate": percentage(processed, processed + errors),
        }
        if self.kind == "staleness":
            return facts | {
                "unchanged": counts[Ending.UNCHANGED],
                "gone": counts[Ending.GONE],
                "missing": counts[Ending.MISSING],
                "new_versions": counts["new_versions"],
            }
        return facts | {
            "changes": counts["listed"],
            "unchanged": counts[Ending.UNCHANGED] + counts["current"],
            "unknown": counts["unknown"],
            "gone": counts[Ending.GONE],
            "new_versions": counts["new_versions"],
        }

    def report(self) -> dict[str, Any]:
        """What the run's task returns, and what the log says at the end."""
        facts = {
            "run_id": self.id,
            "kind": self.kind,
            "ecosystem": self.ecosystem,
            "state": self.state,
            **self.metrics(),
            "requests": self.counts["requests"],
            "seconds": round(self.active, 1),
        }
        return facts | {k: v for k in ("error", "note") if (v := getattr(self, k))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Where the updates of an ecosystem go on."""

    cursor: str
    moment: datetime
    """When the cursor was stored."""
    updated_at: datetime | None
    """When an update was last completed."""


def percentage(part: int, whole: int) -> float:
    """``part`` of ``whole`` in percent; 0.0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0


def moment(text: str | None) -> datetime | None:
    """Unix time as text, as records have it."""
    return datetime.fromtimestamp(float(text), UTC) if text else None
