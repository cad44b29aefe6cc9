"""A job's state, on a real Redis."""

from collections.abc import Sequence

import pytest

from ssc_ingest.models import Installed, Outcome, Purl
from ssc_ingest.on_demand.jobs import BATCH_SIZE, Budget, Jobs, Membership, new_job_id
from ssc_ingest.resources import State

A, B, C, D = (Purl(f"pkg:pypi/{name}") for name in "abcd")
WIDE = Budget(packages=100, requests=100)


async def _enter(jobs: Jobs, job_id: str, purl: Purl, *, insist: bool = False) -> Membership:
    request = {"ecosystem": "pypi", "name": purl}
    return await jobs.enter(job_id, purl, request=request, dependencies="latest", force=insist)


async def _follow(
    jobs: Jobs, job_id: str, purls: Sequence[Purl], budget: Budget = WIDE, *, again: bool = False
) -> list[Purl]:
    return await jobs.follow(job_id, purls, budget, redelivered=again)


async def test_a_job_is_finished_when_nothing_is_pending(state: State) -> None:
    """A package and two requirements end; each is counted once."""
    jobs, job_id = state.jobs, new_job_id()
    assert await _enter(jobs, job_id, A) == "asked"
    assert await _follow(jobs, job_id, [B, C]) == [B, C]
    await jobs.finish(job_id, A, Outcome.EXTRACTED, counts={"versions": 3})
    for purl in (B, C):
        job = await jobs.get(job_id)
        assert job is not None
        assert not job.finished
        assert await _enter(jobs, job_id, purl) == "followed"
        await jobs.finish(job_id, purl, Outcome.EXTRACTED, counts={"versions": 2, "requests": 1})
        await jobs.finish(job_id, purl, Outcome.EXTRACTED, counts={"versions": 2, "requests": 1})
    job = await jobs.get(job_id)
    assert job is not None
    assert job.finished
    assert (job.seen, job.pending, job.roots) == (3, 0, (A,))
    assert job.counts["extracted"] == 3
    assert job.counts["versions"] == 7
    assert job.counts["requests"] == 2


async def test_a_finished_package_is_not_repeated(state: State) -> None:
    """A redelivered task of a finished package has nothing to do, unless forced."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    await jobs.finish(job_id, A, Outcome.EXTRACTED)
    assert await _enter(jobs, job_id, A) == "done"
    assert await _enter(jobs, job_id, A, insist=True) == "asked"
    job = await jobs.get(job_id)
    assert job is not None
    assert not job.finished


async def test_a_redelivered_parent_publishes_its_pending_children_again(state: State) -> None:
    """Requirements are followed once; the second delivery repeats the pending ones."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    assert await _follow(jobs, job_id, [B, C]) == [B, C]
    assert await _follow(jobs, job_id, [B, C, D]) == [D]
    await jobs.finish(job_id, B, Outcome.EXTRACTED)
    assert await _follow(jobs, job_id, [B, C, D], again=True) == [C, D]


@pytest.mark.parametrize(
    ("budget", "followed"),
    [(Budget(packages=3, requests=100), [B, C]), (Budget(packages=100, requests=7), [])],
    ids=["packages", "requests"],
)
async def test_beyond_the_budget_is_left_over(
    state: State, budget: Budget, followed: list[Purl]
) -> None:
    """Requirements within the budget are published, others left over; cycles cost nothing."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    await jobs.finish(job_id, A, Outcome.EXTRACTED, counts={"requests": 7})
    await _enter(jobs, job_id, A, insist=True)
    assert await _follow(jobs, job_id, [B, A, C, D], budget) == followed
    job = await jobs.get(job_id)
    assert job is not None
    assert job.left_over == 3 - len(followed)


async def test_failures_and_missing_requirements_differ(state: State) -> None:
    """A failure has its reason; a requirement that the registry lacks is not a failure."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    await _follow(jobs, job_id, [B])
    await jobs.finish(job_id, A, Outcome.FAILED, reason="RegistryUnavailable: HTTP 502")
    await jobs.finish(job_id, B, Outcome.MISSING)
    job = await jobs.get(job_id)
    assert job is not None
    assert job.finished
    assert job.failed == {A: "RegistryUnavailable: HTTP 502"}
    assert job.missing == (B,)


async def test_a_failed_package_can_be_reopened(state: State) -> None:
    """A replayed dead letter is pending again, with its original arguments."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    await jobs.finish(job_id, A, Outcome.FAILED, reason="x")
    await jobs.reopen(job_id, A)
    assert await _enter(jobs, job_id, A) == "asked"
    assert await jobs.pending(job_id) == {A: {"ecosystem": "pypi", "name": A}}
    job = await jobs.get(job_id)
    assert job is not None
    assert job.failed == {}


async def test_everything_expires(state: State) -> None:
    """No key of a job stays for more than a day."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    await _follow(jobs, job_id, [B, C], Budget(packages=2, requests=9))
    await jobs.finish(job_id, A, Outcome.FAILED, reason="x")
    await jobs.finish(job_id, B, Outcome.MISSING)
    keys = [key async for key in state.redis.scan_iter("job:*")]
    assert len(keys) == 5  # nothing is pending, so that set does not exist
    for key in keys:
        assert 0 < await state.redis.ttl(key) <= 24 * 3600


async def test_unknown_job(state: State) -> None:
    """An unknown id has no job."""
    assert await state.jobs.get("nothing") is None
    assert await state.jobs.ids() == []


async def test_silent_jobs_are_found(state: State) -> None:
    """Only a job with pending packages and no activity is unfinished."""
    jobs = state.jobs
    for job_id in ("silent", "finished"):
        await _enter(jobs, job_id, A)
    await jobs.finish("finished", A, Outcome.EXTRACTED)
    assert await jobs.unfinished(untouched_for=-1) == ["silent"]
    assert await jobs.unfinished(untouched_for=60) == []


async def test_more_silent_jobs_than_one_page_are_found(state: State) -> None:
    """Silent jobs on several pages are found, each once."""
    ids = [f"{n:04}" for n in range(BATCH_SIZE + 1)]
    for job_id in ids:
        await _enter(state.jobs, job_id, A)
    assert sorted(await state.jobs.unfinished(untouched_for=-1)) == ids


async def test_a_failure_goes_when_the_package_succeeds_after_all(state: State) -> None:
    """A success after another request, or after a replay, removes the failure."""
    jobs, job_id = state.jobs, new_job_id()
    await _enter(jobs, job_id, A)
    for tries_again in (jobs.reopen(job_id, A), _enter(jobs, job_id, A, insist=True)):
        await jobs.finish(job_id, A, Outcome.FAILED, reason="no such luck")
        job = await jobs.get(job_id)
        assert job is not None
        assert (job.failed, job.finished) == ({A: "no such luck"}, True)
        await tries_again
        job = await jobs.get(job_id)
        assert job is not None
        assert (job.failed, job.finished) == ({}, False)
    await jobs.finish(job_id, A, Outcome.EXTRACTED)
    job = await jobs.get(job_id)
    assert job is not None
    assert (job.failed, job.finished, job.counts["extracted"]) == ({}, True, 1)


async def test_parts_that_are_selected_later_are_followed_again(state: State) -> None:
    """No part is missed, in any order of following and selecting."""
    jobs, job_id = state.jobs, new_job_id()

    async def select(purl: Purl, *parts: str) -> set[Purl]:
        return await jobs.select_parts(job_id, [Installed(purl, purl, frozenset(parts))])

    async def take(purl: Purl, *, named: bool = False) -> frozenset[str]:
        return await jobs.take_parts(job_id, purl, ["default"], named=named)

    assert await take(A) == {"default"}
    assert await select(A, "default") == set()
    assert await select(A, "tls") == {A}
    assert await take(A) == {"default", "tls"}
    assert await select(A, "tls", "default") == set()
    assert await select(B) == set()
    assert await select(B, "tls") == set()
    assert await take(B) == {"tls"}
    assert await select(C, "tls") == set()
    assert await take(C, named=True) == {"default", "tls"}
    assert await jobs.select_parts(job_id, []) == set()


async def test_direct_requirements_are_filled_beyond_the_budget(state: State) -> None:
    """The job's own packages are not repeated; the job does not wait for the requirements."""
    jobs, job_id = state.jobs, new_job_id()
    budget = Budget(packages=2, requests=100, direct=1)
    await _enter(jobs, job_id, A)
    assert await _follow(jobs, job_id, [B, C], budget) == [B]
    assert await jobs.fill(job_id, [B, C, D], budget, redelivered=False) == [C]
    assert await jobs.fill(job_id, [B, C, D], budget, redelivered=False) == []
    assert await jobs.fill(job_id, [B, C, D], budget, redelivered=True) == [C]
    for purl in (A, B):
        await jobs.finish(job_id, purl, Outcome.EXTRACTED)
    job = await jobs.get(job_id)
    assert job
    assert job.finished
    assert (job.direct, job.filling, job.unfilled) == (1, 1, 1)
    await jobs.filled(job_id, C)
    job = await jobs.get(job_id)
    assert job
    assert (job.direct, job.filling) == (1, 0)
