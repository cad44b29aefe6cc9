"""Listings that begin again while packages of the run are pending."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest

from ssc_ingest.errors import CursorExpired
from ssc_ingest.models import Purl
from ssc_ingest.runs.comparison import Named, SelectMissing, Verdict
from tests.integration.test_runs.conftest import Bench

NAMES = [f"package-{number:02}" for number in range(25)]


async def test_a_package_that_ends_while_it_is_listed_again_is_counted_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages are pending when the listing is replaced, and end after the next comparison."""
    monkeypatch.setattr("ssc_ingest.runs.engine.FIRST_PAUSE", 0.01)
    bench.content.names = NAMES
    bench.content.deleted = {"package-03"}
    bench.content.etags["package-06"] = "\ud800"  # what no graph takes
    bench.content.page_size = 8
    bench.content.errors = [CursorExpired("replaced")]
    bench.content.errors_from = 8
    run = await bench.start("ingestion")
    comparisons = 0
    listed_again = asyncio.Event()
    compare = SelectMissing.verdicts

    async def slow(self: SelectMissing, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        nonlocal comparisons
        found = await compare(self, batch)
        comparisons += 1
        if comparisons == 2:
            listed_again.set()
            await bench.until(run, lambda run: not run.pending)
        return found

    monkeypatch.setattr(SelectMissing, "verdicts", slow)
    engine = asyncio.create_task(bench.engine(run).carry_out())
    with suppress(TimeoutError):  # the run waits for its packages before it lists again
        async with asyncio.timeout(3):
            await listed_again.wait()
    run = await bench.work_until(engine)
    assert bench.content.errors == []
    metrics = run.metrics()
    assert metrics["new_packages_ingested"] == 23
    assert (metrics["skipped_existing"], metrics["missing"], metrics["errors"]) == (0, 1, 1)
