"""The reports of a run, computed from its counters."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ssc_ingest.runs.kinds import percentage
from ssc_ingest.runs.model import COUNTERS, Run

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)


def run(counts: Mapping[str, int], **fields: Any) -> Run:
    """A run with these counters and no other activity."""
    plain: dict[str, Any] = {
        "id": "1",
        "kind": "ingestion",
        "ecosystem": "pypi",
        "state": "running",
        "phase": "listing",
        "mode": "names",
        "cursor": None,
        "feed_end": None,
        "complete": False,
        "limit": None,
        "task_id": "t",
        "created_at": BEGUN,
        "started_at": BEGUN,
        "finished_at": None,
        "touched_at": BEGUN,
        "active": 0.0,
        "owner": None,
        "restarts": 0,
        "stuck": 0,
        "pages": 0,
        "total": None,
        "pending": 0,
        "on_page": 0,
        "error": None,
        "note": None,
    }
    nothing: dict[str, int] = dict.fromkeys(COUNTERS, 0)
    return Run(counts={**nothing, **counts}, **(plain | fields))


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(0, 0, 0.0), (3, 0, 0.0), (1, 3, 33.33), (7, 7, 100.0)]
)
def test_percentages(part: int, whole: int, percent: float) -> None:
    """A percentage has two digits, and is 0.0 of an empty whole."""
    assert percentage(part, whole) == percent


def test_an_ingestion_adds_up() -> None:
    """The total of a completed listing is the sum of the other counts."""
    counts = {"extracted": 50, "present": 2, "unchanged": 1, "failed": 3, "missing": 4}
    counts |= {"skipped": 30, "invalid": 5, "known_missing": 5, "listed": 100}
    found = run(counts, complete=True, total=99).metrics()
    assert found["new_packages_ingested"] == 53
    assert found["ingestion_rate"] == 53.0
    assert found["total_in_registry"] == 100
    names = ("new_packages_ingested", "skipped_existing", "errors", "missing", "invalid_names")
    assert sum(found[name] for name in names) == 100


@pytest.mark.parametrize(
    ("listed", "skipped", "total", "left"),
    [(100, 900, 100, 40), (70, 900, 70, 10), (55, 900, 60, 0), (63, 0, 60, 0), (63, 2, 62, 2)],
)
def test_estimates_of_names_that_repeat_add_up(
    listed: int, skipped: int, total: int, left: int
) -> None:
    """Never fewer names than ended packages, never more skipped than listed ones."""
    counts = {"extracted": 50, "failed": 1, "missing": 4, "known_missing": 6, "invalid": 3}
    counts |= {"listed": listed, "skipped": skipped}
    found = run(counts, repeats=True, complete=True).metrics()
    assert (found["total_in_registry"], found["skipped_existing"]) == (total, left)
    assert (found["missing"], found["new_packages_ingested"]) == (6, 50)


@pytest.mark.parametrize(
    ("listed", "total", "shown"), [(10, None, 10), (10, 500, 500), (510, 500, 510)]
)
def test_before_the_end_the_announced_total_stands(
    listed: int, total: int | None, shown: int
) -> None:
    """The total is the announced one, unless more names were listed."""
    assert run({"listed": listed}, total=total).metrics()["total_in_registry"] == shown


def test_an_update_counts_what_is_gone_as_processed() -> None:
    """A gone package is a success; an error is not."""
    counts = {"extracted": 5, "unchanged": 2, "gone": 1, "failed": 2, "current": 3}
    found = run(counts, kind="update", mode="changes").metrics()
    assert (found["packages_processed"], found["errors"]) == (8, 2)
    assert found["success_rate"] == 80.0
    assert found["unchanged"] == 5


def test_pace_and_estimate() -> None:
    """Both are computed from completed packages and the time of execution, without pending ones."""
    begun = run({"listed": 300, "extracted": 150}, total=1000, pending=50, active=60.0)
    assert begun.rate == 2.5
    assert begun.share == 0.25
    assert begun.seconds_left == 180.0
    assert replace(begun, total=None).seconds_left is None
    assert replace(begun, mode="changes").share is None
    assert replace(begun, state="finished").share == 1.0
    assert replace(begun, state="finished").seconds_left is None
    assert run({}).rate == 0.0


def test_the_report_has_errors_and_notes_only_where_there_are_some() -> None:
    """A report is the result of a task, so it has plain values."""
    assert "error" not in run({}).report()
    failed = run({}, state="failed", error="MalformedMetadata: ?").report()
    assert failed["error"] == "MalformedMetadata: ?"
    assert failed["state"] == "failed"
