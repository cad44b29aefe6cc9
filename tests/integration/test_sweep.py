"""Recovery of lost work after a crash, on a real Redis."""

import time

from ssc_ingest.control.recovery import MARGIN
from ssc_ingest.models import Outcome, Purl
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage

RICH, MDURL = Purl("pkg:pypi/rich"), Purl("pkg:pypi/mdurl")


async def _silent_job(state: State, settings: Settings) -> str:
    """A job with a package and a requirement pending, without activity for a long time."""
    request = ExtractPackage(ecosystem="pypi", name="rich", dependencies="all", job_id="job")
    await state.jobs.enter("job", RICH, request=request.keywords(), dependencies="all")
    await state.redis.sadd("job:job:seen", MDURL)
    await state.redis.sadd("job:job:pending", MDURL)
    silence = settings.visibility_timeout + MARGIN + 1
    await state.redis.hset("job:job", "touched_at", str(time.time() - silence))
    return "job"


async def test_lost_packages_of_a_job_are_requeued(state: State, settings: Settings) -> None:
    """Both lost packages are requeued, with their arguments, once per period."""
    await _silent_job(state, settings)
    swept = await state.recovery(settings).sweep()
    assert (swept.wishes, swept.packages) == (0, 2)
    queues = ["pypi.urgent", "pypi.fresh"]
    assert await state.queues.lengths(queues) == {"pypi.urgent": 1, "pypi.fresh": 1}
    assert (await state.recovery(settings).sweep()).packages == 0


async def test_work_in_progress_is_left_alone(state: State, settings: Settings) -> None:
    """Claimed packages and delayed tasks are not lost."""
    await _silent_job(state, settings)
    await state.claims.claim(RICH, "somebody", "")
    delayed = job_message(
        MDURL, ExtractPackage(ecosystem="pypi", name="mdurl", dependencies="all", job_id="job")
    )
    await state.queues.delay(delayed, 3600)
    assert (await state.recovery(settings).sweep()).packages == 0


async def test_a_full_queue_is_no_loss(state: State, settings: Settings) -> None:
    """While its queue has messages, a package without activity may only be waiting."""
    await _silent_job(state, settings)
    for name, followed in (("x", False), ("y", True)):
        other = ExtractPackage(ecosystem="pypi", name=name, dependencies="all", job_id="other")
        message = job_message(Purl(f"pkg:pypi/{name}"), other, followed=followed)
        await state.queues.publish([message])
    assert (await state.recovery(settings).sweep()).packages == 0


async def test_a_queue_without_a_worker_keeps_no_job(state: State, settings: Settings) -> None:
    """What is lost is requeued although another registry's work waits, however long."""
    await _silent_job(state, settings)
    waiting = ExtractPackage(ecosystem="npm", name="x", job_id="other")
    await state.queues.publish([job_message(Purl("pkg:npm/x"), waiting)])
    assert (await state.recovery(settings).sweep()).packages == 2


async def test_finished_jobs_are_left_alone(state: State, settings: Settings) -> None:
    """No package is pending, so none is published."""
    await _silent_job(state, settings)
    for purl in (RICH, MDURL):
        await state.jobs.finish("job", purl, Outcome.EXTRACTED)
    assert (await state.recovery(settings).sweep()).packages == 0


async def test_deferred_requests_without_an_owner_are_requeued(
    state: State, settings: Settings
) -> None:
    """Deferred requests without an owner return to their queue."""
    request = ExtractPackage(ecosystem="pypi", name="rich", refresh=True)
    wish = job_message(RICH, request.model_copy(update={"job_id": "j"}))
    await state.claims.claim(RICH, "owner", "")
    await state.claims.claim(RICH, "other", wish.to_json())
    await state.claims.abandon(RICH, "owner")
    assert (await state.recovery(settings).sweep()).wishes == 1
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
