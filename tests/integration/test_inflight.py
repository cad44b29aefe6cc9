"""Claims on packages, on a real Redis."""

import asyncio

from ssc_ingest.models import Purl
from ssc_ingest.resources import State

RICH = Purl("pkg:pypi/rich")


async def test_a_second_task_defers_its_request(state: State) -> None:
    """The owner gets every deferred request, in order, when it releases the claim."""
    inflight = state.claims
    assert await inflight.claim(RICH, "first", "its own")
    assert not await inflight.claim(RICH, "second", "wish 2")
    assert not await inflight.claim(RICH, "third", "wish 3")
    assert await inflight.release(RICH, "first") == ["wish 2", "wish 3"]
    assert await inflight.owner(RICH) is None
    assert await inflight.count() == 0


async def test_a_deferred_request_stays_until_it_is_acknowledged(state: State) -> None:
    """An owner that dies between releasing the claim and publishing loses nothing."""
    inflight = state.claims
    await inflight.claim(RICH, "first", "")
    await inflight.claim(RICH, "second", "wish")
    assert await inflight.release(RICH, "first") == ["wish"]
    assert await inflight.orphaned_requests() == {RICH: ["wish"]}
    await inflight.claim(RICH, "third", "")
    await inflight.claim(RICH, "fourth", "later")
    await inflight.acknowledge(RICH, ["wish"])
    assert await inflight.release(RICH, "third") == ["later"]
    await inflight.acknowledge(RICH, ["later"])
    assert await inflight.orphaned_requests() == {}


async def test_a_redelivery_knows_its_own_claim(state: State) -> None:
    """The task whose worker was killed claims the package again under its id."""
    assert await state.claims.claim(RICH, "task", "")
    assert await state.claims.claim(RICH, "task", "")
    assert await state.claims.release(RICH, "task") == []


async def test_only_the_owner_renews_and_releases(state: State) -> None:
    """A task that lost its claim cannot take it from the next owner."""
    assert await state.claims.claim(RICH, "owner", "")
    assert not await state.claims.renew(RICH, "other")
    await state.claims.abandon(RICH, "other")
    assert await state.claims.release(RICH, "other") == []
    assert await state.claims.renew(RICH, "owner")
    assert await state.claims.owner(RICH) == "owner"


async def test_an_abandoned_claim_keeps_deferred_requests(state: State) -> None:
    """The next owner, or the sweep, requeues them."""
    await state.claims.claim(RICH, "owner", "")
    await state.claims.claim(RICH, "other", "wish")
    assert await state.claims.orphaned_requests() == {}
    await state.claims.abandon(RICH, "owner")
    assert await state.claims.orphaned_requests() == {RICH: ["wish"]}


async def test_no_request_is_lost_between_claim_and_release(state: State) -> None:
    """Of many concurrent tasks each either owns the package or defers its request to an owner."""
    served: list[str] = []

    async def work(owner: str) -> None:
        if not await state.claims.claim(RICH, owner, owner):
            return
        served.append(owner)
        wishes = await state.claims.release(RICH, owner)
        await state.claims.acknowledge(RICH, wishes)
        await asyncio.gather(*(work(wish) for wish in wishes))

    await asyncio.gather(*(work(str(n)) for n in range(200)))
    assert set(served) == {str(n) for n in range(200)}
    assert await state.claims.count() == 0
    assert await state.claims.orphaned_requests() == {}
