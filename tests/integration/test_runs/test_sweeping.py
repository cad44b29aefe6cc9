"""The sweep: runs without a worker, and packages without a message."""

import asyncio
import time

from ssc_ingest.control.recovery import MARGIN
from ssc_ingest.models import Purl
from ssc_ingest.runs.dry_run import estimate
from tests.integration.test_runs.conftest import Bench


async def silent(bench: Bench, names: int = 5) -> str:
    """A run whose packages are all published, without activity for a long time."""
    bench.content.names = [f"package-{number}" for number in range(names)]
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.phase == "draining")
    while not engine.done():  # as the worker does: one cancellation may be taken for nothing
        engine.cancel()
        await asyncio.wait([engine], timeout=1)
    await age(bench, run.id)
    return run.id


async def age(bench: Bench, run_id: str) -> None:
    """Let the time of the last activity be longer ago than killed messages take to return."""
    moment = time.time() - bench.resources.settings.visibility_timeout - MARGIN - 1
    await bench.state.redis.hset(f"run:{run_id}", "touched_at", str(moment))


async def test_a_run_without_an_owner_is_given_to_somebody(bench: Bench) -> None:
    """The sweep sends one message with the run's task id, whose result is stored.

    It sends none while the lease is held.
    """
    run_id = await silent(bench)
    await bench.messages()
    swept = await bench.state.recovery(bench.resources.settings).sweep()
    assert swept.runs == 1
    (message,) = await bench.messages("control")
    run = await bench.runs.get(run_id)
    assert run
    assert (message.task, message.task_id) == ("ingestion.ingest", run.task_id)
    assert message.kwargs == {"ecosystem": "pypi", "run_id": run_id}
    for state in ("paused", "finished"):
        await bench.state.redis.hset(f"run:{run_id}", "state", state)
        assert (await bench.state.recovery(bench.resources.settings).sweep()).runs == 0


async def test_lost_packages_of_a_run_are_published_again(bench: Bench) -> None:
    """Lost packages keep their arguments; delayed and claimed ones are skipped."""
    run_id = await silent(bench)
    lost = await bench.messages("pypi.bulk")
    assert len(lost) == 5
    await bench.state.claims.claim(Purl("pkg:pypi/package-0"), "x", "")
    await bench.state.queues.delay(lost[1], 3600)
    assert (await bench.state.recovery(bench.resources.settings).sweep()).packages == 3
    again = await bench.messages("pypi.bulk")
    assert len(again) == 3
    assert {m.task_id for m in again} < {m.task_id for m in lost}
    assert all(m.kwargs in [one.kwargs for one in lost] for m in again)
    assert (await bench.state.recovery(bench.resources.settings).sweep()).packages == 0
    await age(bench, run_id)
    assert (await bench.state.recovery(bench.resources.settings).sweep()).packages == 3


async def test_a_full_queue_is_no_loss(bench: Bench) -> None:
    """While its packages are queued, a run without activity may only be waiting."""
    await silent(bench)
    assert (await bench.state.recovery(bench.resources.settings).sweep()).packages == 0


async def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    """A dry run returns the number of packages, requests and hours of a run."""
    bench.content.names = [f"package-{number}" for number in range(30)] + ["../bad"]
    first = await estimate(bench.resources.run_services("pypi"), "update")
    assert (first.packages, bool(first.note)) == (0, True)
    await bench.carry_out(await bench.start("ingestion", limit=10))
    before = len(bench.content.fetched)
    pypi = bench.resources.ecosystems["pypi"]
    found = await estimate(bench.resources.run_services("pypi"), "ingestion")
    assert (found.listed, found.total, found.packages) == (31, 31, 20)
    assert found.counts == {"skipped": 10, "invalid": 1}
    assert found.packages_requests == round(20 * pypi.requests_per_package)
    assert found.hours == round(found.packages_requests / 10 / 3600, 2)
    limited = await estimate(bench.resources.run_services("pypi"), "ingestion", limit=7)
    assert limited.packages == 7
    assert len(bench.content.fetched) == before
    assert len(await bench.runs.newest()) == 1
