"""Claims on packages, on a real Redis."""

import asyncio

import pytest
import redis.asyncio as redis
from redis.exceptions import ResponseError

from ssc_ingest.models import Purl
from ssc_ingest.resources import State
from ssc_ingest.work import claims
from ssc_ingest.work.claims import LEASE
from ssc_ingest.work.messages import TaskMessage

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
    """The redelivered task claims the package again under its id."""
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


async def test_a_claim_lapses_unless_it_is_renewed(state: State) -> None:
    """A killed worker blocks its package for one lease, after each kind of claim."""
    key = f"inflight:{RICH}"
    for claims_again in (state.claims.claim(RICH, "owner", ""), state.claims.renew(RICH, "owner"),
                         state.claims.claim(RICH, "owner", "")):  # fmt: skip
        assert await claims_again
        assert LEASE - 5 < await state.redis.ttl(key) <= LEASE
        await state.redis.expire(key, 1)


async def test_claims_are_renewed_while_they_are_held(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a process together; one that has another owner by now, or has ended, is left alone."""
    monkeypatch.setattr(claims, "RENEW_EVERY", 0.05)
    kept, lost, ended = (Purl(f"pkg:pypi/{name}") for name in ("kept", "lost", "ended"))
    for purl in (kept, lost, ended):
        assert await state.claims.claim_free(purl, "owner")
    assert not await state.claims.claim_free(kept, "other")
    async with state.claims.renewed(kept, "owner"), state.claims.renewed(lost, "owner"):
        async with state.claims.renewed(ended, "owner"):
            pass
        await state.redis.set(f"inflight:{lost}", "another")
        for purl in (kept, lost, ended):
            await state.redis.expire(f"inflight:{purl}", LEASE // 2)
        for _ in range(2):  # again and again
            await state.redis.expire(f"inflight:{kept}", LEASE // 2)
            while await state.redis.ttl(f"inflight:{kept}") <= LEASE // 2:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.01)
        assert await state.redis.ttl(f"inflight:{lost}") <= LEASE // 2
        assert await state.redis.ttl(f"inflight:{ended}") <= LEASE // 2
    with pytest.raises(ZeroDivisionError):
        async with state.claims.renewed(kept, "owner"):
            raise ZeroDivisionError
    assert await state.claims.owner(kept) is None


async def test_requests_that_cannot_be_published_stay(state: State, broker: redis.Redis) -> None:
    """If the queue rejects them, the next owner or the sweep publishes them."""
    request = TaskMessage(task="t", kwargs={}, queue="pypi.urgent", task_id="second").to_json()
    await state.claims.claim(RICH, "first", "")
    await state.claims.claim(RICH, "second", request)
    await broker.set("pypi.urgent", "no list")
    with pytest.raises(ResponseError):
        await state.claims.hand_over(RICH, "first")
    assert await state.claims.orphaned_requests() == {RICH: [request]}
    await broker.delete("pypi.urgent")
    await state.claims.claim(RICH, "third", "")
    await state.claims.hand_over(RICH, "third")
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
    assert await state.claims.orphaned_requests() == {}
