"""Claims: at most one task works on a package at a time, and no other request is lost.

``inflight:<purl>`` holds the id of the task that works on the package and expires unless it is
renewed. A second task for the same package stores its message under ``wanted:<purl>`` and ends. The
owner requeues those messages when it releases the claim.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest.models import Purl
from ssc_ingest.work.lua import load
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.queues import Queues

LEASE = 60
"""Seconds until a claim expires that is not renewed."""

RENEW_EVERY = 15

_INFLIGHT, _WANTED = "inflight:", "wanted:"


class Claims:
    """Claims on packages, and the deferred requests of tasks that did not get one."""

    def __init__(self, redis: Redis, queues: Queues) -> None:
        self._redis = redis
        self._queues = queues
        self._held: set[tuple[Purl, str]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._claim = redis.register_script(load("claim"))
        self._renew = redis.register_script(load("claim_renew"))
        self._release = redis.register_script(load("claim_release"))
        self._abandon = redis.register_script(load("claim_abandon"))
        self._orphans = redis.register_script(load("claim_orphans"))

    async def claim(self, purl: Purl, owner: str, request: str) -> bool:
        """Claim the package for ``owner``, or defer ``request`` to its current owner."""
        keys = [_INFLIGHT + purl, _WANTED + purl]
        return bool(await self._claim(keys=keys, args=[owner, LEASE, request]))

    async def claim_free(self, purl: Purl, owner: str) -> bool:
        """Claim the package for ``owner``, unless another task has claimed it."""
        return bool(await self._claim(keys=[_INFLIGHT + purl], args=[owner, LEASE]))

    @asynccontextmanager
    async def renewed(self, purl: Purl, owner: str) -> AsyncIterator[None]:
        """Renew the claim during the block; after an exception, keep the deferred requests."""
        claim = (purl, owner)
        self._held.add(claim)
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._renew_held(), context=Context())
        try:
            yield
        except BaseException:
            with suppress(RedisError):
                await asyncio.shield(self.abandon(purl, owner))
            raise
        finally:
            self._held.discard(claim)
            if not self._held:
                self._keeper.cancel()

    async def _renew_held(self) -> None:
        """Renew all claims of this process that :meth:`renewed` holds, again and again.

        One task for all: each package would otherwise need its own, for less than a second. A claim
        that is no longer its owner's is not renewed again. Errors of Redis are ignored: it may
        respond again before the claims expire.
        """
        lost: set[tuple[Purl, str]] = set()
        while True:
            await asyncio.sleep(RENEW_EVERY)
            lost &= self._held
            held = list(self._held - lost)
            answers = await asyncio.gather(
                *(self.renew(purl, owner) for purl, owner in held), return_exceptions=True
            )
            lost.update(claim for claim, kept in zip(held, answers, strict=True) if kept is False)

    async def renew(self, purl: Purl, owner: str) -> bool:
        """Keep the claim for another lease; ``False`` if it is no longer the owner's."""
        return bool(await self._renew(keys=[_INFLIGHT + purl], args=[owner, LEASE]))

    async def hand_over(self, purl: Purl, owner: str) -> None:
        """End the claim and requeue its deferred requests."""
        await self.requeue(purl, await self.release(purl, owner))

    async def release(self, purl: Purl, owner: str) -> list[str]:
        """End the claim; returns the deferred requests, stored until :meth:`acknowledge`."""
        return list(await self._release(keys=[_INFLIGHT + purl, _WANTED + purl], args=[owner]))

    async def requeue(self, purl: Purl, requests: Sequence[str]) -> None:
        """Publish deferred requests, and only then remove them."""
        if requests:
            await self._queues.publish([TaskMessage.from_json(request) for request in requests])
            await self.acknowledge(purl, requests)

    async def acknowledge(self, purl: Purl, requests: Sequence[str]) -> None:
        """Delete published requests; new ones may have arrived in the meantime."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for request in requests:
                pipeline.lrem(_WANTED + purl, 1, request)
            await pipeline.execute()

    async def abandon(self, purl: Purl, owner: str) -> None:
        """End the claim at once; deferred requests wait for the next owner."""
        await self._abandon(keys=[_INFLIGHT + purl], args=[owner])

    async def owner(self, purl: Purl) -> str | None:
        """The id of the task that works on the package, or ``None``."""
        owner = await self._redis.get(_INFLIGHT + purl)
        return None if owner is None else str(owner)

    async def count(self) -> int:
        """Number of claimed packages."""
        return len([key async for key in self._redis.scan_iter(f"{_INFLIGHT}*", count=1000)])

    async def orphaned_requests(self) -> dict[Purl, list[str]]:
        """Deferred requests by package whose owner is gone (killed, its message purged).

        They stay stored until :meth:`acknowledge`.
        """
        found: dict[Purl, list[str]] = {}
        async for key in self._redis.scan_iter(f"{_WANTED}*", count=1000):
            purl = Purl(str(key).removeprefix(_WANTED))
            if requests := await self._orphans(keys=[_INFLIGHT + purl, _WANTED + purl]):
                found[purl] = list(requests)
        return found
