"""Requests for syncs, and the lease to execute them.

One process in the fleet syncs at a time. A request is added to a set before its sync starts, and
removed when its sync has ended. So a request that arrives during a sync is executed after it. If
the process is killed, the sweep finds the request, and another process executes it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import LockError, RedisError

from ssc_ingest.work.leases import renewing
from ssc_ingest.work.locks import LockHeld
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL

SYNC = "vulnerabilities.sync"
AUDIT = "vulnerabilities.audit"
"""Public names of the tasks."""

REQUESTED = "vulnerabilities:requested"

LOCK = f"lock:{SYNC}"

LEASE = 60
"""Seconds until a lease expires without renewal."""

RENEW_EVERY = 5.0

_FULL = " full"


class TurnLost(Exception):
    """Another process has taken the lease, because this one did not renew it."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A request to sync one ecosystem."""

    ecosystem: str
    full: bool = False

    def encode(self) -> str:
        """The request as a member of the set."""
        return self.ecosystem + _FULL * self.full

    @classmethod
    def decode(cls, member: str) -> "SyncRequest":
        """The inverse of :meth:`encode`."""
        return cls(member.removesuffix(_FULL), member.endswith(_FULL))


class SyncRequests:
    """The set of requests, and the lease. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, requests: Iterable[SyncRequest]) -> None:
        """Add requests."""
        await self._redis.sadd(REQUESTED, *(request.encode() for request in requests))

    async def pending(self) -> list[SyncRequest]:
        """The pending requests, one per ecosystem."""
        members = sorted(str(member) for member in await self._redis.smembers(REQUESTED))
        # "npm full" comes after "npm" and replaces it.
        found = {request.ecosystem: request for request in map(SyncRequest.decode, members)}
        return list(found.values())

    async def remove(self, request: SyncRequest) -> None:
        """Remove an executed request, and the incremental one that it includes."""
        included = {request.encode(), request.ecosystem}
        await self._redis.srem(REQUESTED, *included)

    async def is_taken(self) -> bool:
        """Whether a process is syncing."""
        return bool(await self._redis.exists(LOCK))

    async def abandoned(self) -> list[TaskMessage]:
        """The task for pending requests that no process executes; ``None`` without any."""
        pending = await self.pending()
        if not pending or await self.is_taken():
            return []
        return [sync_message(pending[0])]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the lease during the block.

        Raises:
            LockHeld: another process has the lease; the block was not started.
            TurnLost: another process has taken the lease; the block was cancelled.
        """
        lock = self._redis.lock(LOCK, timeout=LEASE, thread_local=False)
        if not await lock.acquire(blocking=False):
            raise LockHeld(SYNC)
        body = asyncio.current_task()
        lost = False

        async def renew() -> bool:
            nonlocal lost
            try:
                await lock.reacquire()
            except LockError:
                lost = True
                if body:
                    body.cancel()
                return False
            return True

        try:
            async with renewing(renew, RENEW_EVERY):
                yield
        except asyncio.CancelledError:
            if lost and body and body.uncancel() == 0:
                raise TurnLost from None
            raise
        finally:
            with suppress(RedisError):  # the lease expires, or belongs to another process
                await asyncio.shield(lock.release())


def sync_message(request: SyncRequest) -> TaskMessage:
    """The task that executes a request, and all other pending ones."""
    return TaskMessage(
        task=SYNC,
        kwargs={"ecosystem": request.ecosystem, "full": request.full},
        queue=CONTROL,
        ignore_result=False,
    )
