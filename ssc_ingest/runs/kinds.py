"""The kinds of runs, with all their differences, as one table.

A new kind is a name in :data:`Kind`, a row of :data:`KINDS` and a page source in :mod:`.pages`. The
source may read the graph instead of the registry, like :mod:`.staleness`. Its task follows from the
row. The choices of ``runs list --kind`` repeat the names, and a schedule is an entry in
:mod:`ssc_ingest.control.schedules`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.runs.comparison import SelectAll, SelectChanged, Selection, SelectMissing
from ssc_ingest.runs.pages import FEED, LISTING, NAMES, STALE, PageSource
from ssc_ingest.runs.staleness_budget import daily_budget
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import BackfillImportNames, IngestRegistry, UpdateRegistry

if TYPE_CHECKING:
    from ssc_ingest.runs.model import Run

Kind = Literal["ingestion", "update", "staleness", "import_names"]

Metrics = dict[str, int | float]
"""The metrics of a run by name; docs/operations.md explains each."""


def percentage(part: int, whole: int) -> float:
    """``part`` of ``whole`` in percent; 0.0 if ``whole`` is 0."""
    return round(100 * part / whole, 2) if whole else 0.0


def _ingestion(run: "Run") -> Metrics:
    counts = run.counts
    listed, skipped = counts["listed"], counts["skipped"]
    missing = counts["missing"] + counts["gone"] + counts["known_missing"]
    if run.repeats:
        missing -= counts["missing"]
        others = run.done + counts["failed"] + missing + counts["invalid"] + run.pending
        skipped = max(0, min(skipped, listed - others))
        listed = others + skipped
    total = listed if run.complete else max(listed, run.total or 0)
    return {
        "total_in_registry": total,
        "new_packages_ingested": run.done,
        "skipped_existing": max(0, skipped),
        "errors": counts["failed"],
        "ingestion_rate": percentage(run.done, total),
        "missing": max(0, missing),
        "invalid_names": counts["invalid"],
    }


def _refresh(run: "Run") -> Metrics:
    processed, errors = run.done + run.counts["gone"], run.counts["failed"]
    return {
        "packages_processed": processed,
        "total_versions": run.counts["versions"],
        "errors": errors,
        "success_rate": percentage(processed, processed + errors),
    }


def _update(run: "Run") -> Metrics:
    counts = run.counts
    return _refresh(run) | {
        "changes": counts["listed"],
        "unchanged": counts["unchanged"] + counts["current"],
        **{name: counts[name] for name in ("unknown", "gone", "new_versions")},
    }


def _staleness(run: "Run") -> Metrics:
    names = ("unchanged", "gone", "missing", "new_versions")
    return _refresh(run) | {name: run.counts[name] for name in names}


def _backfill(run: "Run") -> Metrics:
    counts = run.counts
    without, errors = counts["without_names"], counts["failed"]
    total = run.done + counts["missing"] + errors
    return {
        "succeeded": run.done - without,
        "without_imports": without,
        "download_errors": counts["download_errors"],
        "processing_errors": counts["processing_errors"],
        "errors": errors,
        "packages_processed": total,
        "seconds_per_package": round(run.active / total, 3) if total else 0.0,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKind:
    """The properties of one kind of run."""

    task: str
    """Public name of the task that executes such a run."""
    arguments: type[UpdateRegistry] = UpdateRegistry
    """Names of the task's arguments."""
    source: PageSource
    """The source of the pages."""
    selection: type[Selection]
    """Selects the packages of a page that are published."""
    urgency: str
    """Urgency of the published tasks."""
    refresh: bool
    """Whether the tasks read the registry even if the graph has the package."""
    budget: Callable[[Endpoints, Settings], int] | None = None
    """Limit of a run, if the caller does not set it."""
    report: Callable[["Run"], Metrics]
    progress: Mapping[str, str]
    """Metrics of the progress bar, with their labels."""

    @property
    def follows_feed(self) -> bool:
        """Whether runs start at the feed's cursor and move it.

        Other kinds do not change a stored cursor; the first listing stores one.
        """
        return self.source is FEED


KINDS: Mapping[Kind, RunKind] = {
    "ingestion": RunKind(
        task="ingestion.ingest",
        arguments=IngestRegistry,
        source=LISTING,
        selection=SelectMissing,
        urgency="bulk",
        refresh=False,
        report=_ingestion,
        progress={"new_packages_ingested": "new", "skipped_existing": "had"},
    ),
    "update": RunKind(
        task="updates.update",
        source=FEED,
        selection=SelectChanged,
        urgency="fresh",
        refresh=True,
        report=_update,
        progress={"packages_processed": "updated"},
    ),
    "staleness": RunKind(
        task="staleness.sweep",
        source=STALE,
        selection=SelectAll,
        urgency="bulk",
        refresh=True,
        budget=daily_budget,
        report=_staleness,
        progress={"packages_processed": "looked at"},
    ),
    "import_names": RunKind(
        task="import_names.backfill",
        arguments=BackfillImportNames,
        source=NAMES,
        selection=SelectAll,
        urgency="bulk",
        refresh=False,
        report=_backfill,
        progress={"succeeded": "named", "without_imports": "without imports"},
    ),
}
