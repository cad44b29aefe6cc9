"""The sweep: runs that nobody carries out, and packages that no queue holds any more."""

import asyncio
import time

from ssc_ingest.control.recovery import MARGIN
from ssc_ingest.models import Purl
from ssc_ingest.runs.dry_run import estimate
from tests.integration.test_runs.conftest import Bench


async def silent(bench: Bench, names: int = 5) -> str:
    """A run of which all is published and nothing has happened for long."""
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
    """Nothing has happened for longer than a killed worker's messages need to come back."""
    moment = time.time() - bench.resources.settings.visibility_timeout - MARGIN - 1
    await bench.state.redis.hset(f"run:{run_id}", "touched_at", str(moment))


async def test_a_run_without_an_owner_is_given_to_somebody(bench: Bench) -> None:
    """One message with the run's own task id, whose result is kept; none while it is held."""
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
    """With their arguments, once per silence; not those that wait or are being worked on."""
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
    """While its packages wait in their queue, a silent run may just have to wait."""
    await silent(bench)
    assert (await bench.state.recovery(bench.resources.settings).sweep()).packages == 0


async def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    """It tells packages, requests and hours for what a run would do now."""
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
