"""The lease on a run, and the changes of its record that only the holder may make.

All changes are fenced: they fail with :class:`LeaseLost` if another worker has acquired the expired
lease, or if the run was paused or cancelled.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from ssc_ingest.models import Purl
from ssc_ingest.runs.model import Item, Run
from ssc_ingest.runs.store import Runs, ending_keys, keys, name_keys, pending_entry, pending_item
from ssc_ingest.work.leases import renewing
from ssc_ingest.work.lua import load

LEASE = 60
"""Seconds until a lease expires that is not renewed."""

RENEW_EVERY = 5.0
"""Seconds between renewals; within this time a waiting run notices that it was paused."""


class LeaseLost(Exception):
    """The caller may not continue the run; ``state``: ``lost``, ``taken``, ``paused`` ..."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, slots=True)
class Admitted:
    """The result of :meth:`Lease.admit`."""

    examined: int
    """Number of accepted packages, from the first one."""
    duplicates: int
    """Number of accepted packages that were already pending or on this page."""
    publish: tuple[Item, ...]


class RunLease:
    """The lease on one run, and the writes that it allows."""

    def __init__(self, runs: Runs, run: Run) -> None:
        self.run_id = run.id
        self._keys = keys(run.id)
        self._ending_keys = ending_keys(run)
        self._name_keys = name_keys(run.id)
        self._redis = runs.redis
        self._owner = uuid.uuid4().hex
        self._accounted = time.monotonic()
        self._finishing = False
        register = runs.redis.register_script
        self._acquire = register(load("acquire", __package__))
        self._release = register(load("release", __package__))
        fence = load("fence", __package__)
        self._renew, self._admit, self._commit, self._note, self._note_feed_end, self._finish = (
            register(fence + load(name, __package__))
            for name in ("renew", "admit", "commit", "note", "note_feed_end", "finish")
        )

    @asynccontextmanager
    async def held(self, renew_every: float = RENEW_EVERY) -> AsyncIterator[None]:
        """Acquire the lease and renew it during the block; release it in all cases.

        Raises:
            LeaseLost: another worker has it, or the run is not running; also during the block.
        """
        answer = await self._acquire(keys=self._keys, args=[self._owner, LEASE, time.time()])
        if answer != "ok":
            raise LeaseLost(str(answer))
        self._accounted = time.monotonic()
        body = asyncio.current_task()
        lost: list[LeaseLost] = []

        async def renew() -> bool:
            try:
                await self.renew()
            except LeaseLost as error:
                if body and not self._finishing:
                    lost.append(error)
                    body.cancel()
                return False
            return True

        try:
            async with renewing(renew, renew_every):
                yield
        except asyncio.CancelledError:
            if lost and body and body.uncancel() == 0:
                raise lost[0] from None
            raise
        finally:
            # The body has ended; a renewal that is still running must not cancel it.
            self._finishing = True
            with suppress(RedisError):
                await asyncio.shield(self._let_go())

    async def renew(self) -> None:
        """Renew the lease, and add the time since the last renewal to the run's active time."""
        since, self._accounted = self._accounted, time.monotonic()
        args = [self._owner, LEASE, round(self._accounted - since, 3)]
        await self._fenced(self._renew, args)

    async def on_page(self, purls: Sequence[Purl]) -> set[Purl]:
        """The given packages that were recorded on this page, in any attempt."""
        marks = await self._redis.hmget(self._keys[2], [*purls])
        return {purl for purl, mark in zip(purls, marks, strict=True) if mark is not None}

    async def unpublished(self) -> list[Item]:
        """Pending packages of this page that may be in no queue."""
        marks: Any = await self._redis.hgetall(self._keys[2])
        purls = [purl for purl, mark in marks.items() if mark == "0"]
        entries: Any = await self._redis.hmget(self._keys[1], purls) if purls else []
        return [
            pending_item(Purl(p), e) for p, e in zip(purls, entries, strict=True) if e is not None
        ]

    async def admit(self, items: Sequence[Item], *, most: int, replaces: bool) -> Admitted:
        """Record packages as pending, in order, while fewer than ``most`` are pending.

        ``replaces``: a package that is already pending is published again with the new arguments.
        """
        args: list[str | float] = [self._owner, time.time(), most, int(replaces)]
        for item in items:
            request = item.request
            args += [item.purl, request.sequence, pending_entry(item)]
        _, examined, duplicates, publish = await self._fenced(self._admit, args)
        return Admitted(examined, duplicates, tuple(items[position] for position in publish))

    async def mark_published(self, items: Sequence[Item]) -> None:
        """Mark packages as published."""
        if items:
            await self._redis.hset(self._keys[2], mapping={i.purl: "1" for i in items})

    async def commit(
        self,
        pages: int,
        fields: Mapping[str, str | int],
        counts: Mapping[str, int],
        names: Mapping[str, Iterable[bytes]] | None = None,
    ) -> None:
        """Close a page whose packages are all published: store the cursor and the counts.

        Args:
            pages: number of pages closed before.
            fields: fields of the record to set.
            counts: amounts to add, by counter.
            names: names that other pages may repeat, by counter.
        """
        pairs = [part for pair in fields.items() for part in pair]
        counters = [part for pair in counts.items() if pair[1] for part in pair]
        named = [
            part for counter, met in (names or {}).items() for n in met for part in (counter, n)
        ]
        args = [self._owner, time.time(), pages, len(fields), len(counters) // 2]
        keys = [*self._keys, *self._name_keys]
        await self._fenced(self._commit, [*args, *pairs, *counters, *named], keys)

    async def note(self, **fields: str | int) -> None:
        """Set fields of the record, without closing the page."""
        pairs = [part for pair in fields.items() for part in pair]
        await self._fenced(self._note, [self._owner, *pairs])

    async def note_feed_end(self, cursor: str) -> None:
        """Store the end of the feed before the listing; the first update starts there."""
        keys = [*self._keys, *self._ending_keys]
        await self._fenced(self._note_feed_end, [self._owner, time.time(), cursor], keys)

    async def finish(
        self,
        *,
        note: str = "",
        error: str = "",
        feed: str = "",
        moves_feed: bool = False,
        is_update: bool = False,
    ) -> bool:
        """End the run; ``False`` if packages are pending.

        Args:
            note: a remark for people.
            error: the reason of a failure.
            feed: the feed's cursor to store, if any.
            moves_feed: replace a stored cursor.
            is_update: a completed update, so store its time.
        """
        await self.renew()
        state = "failed" if error else "finished"
        args = [
            *(self._owner, time.time(), state, note, error),
            *(feed, int(moves_feed), int(is_update)),
        ]
        keys = [*self._keys, *self._ending_keys, *self._name_keys]
        self._finishing = True  # the lease ends on purpose
        answer = await self._fenced(self._finish, args, keys, ("ok", "pending"))
        self._finishing = answer[0] == "ok"
        return self._finishing

    async def _let_go(self) -> None:
        with suppress(LeaseLost):
            await self.renew()
        await self._release(keys=self._keys, args=[self._owner])

    async def _fenced(
        self,
        script: Any,
        args: Sequence[Any],
        keys: Sequence[str] | None = None,
        fine: Sequence[str] = ("ok",),
    ) -> list[Any]:
        answer: list[Any] = await script(keys=keys or self._keys, args=args)
        if answer[0] not in fine:
            raise LeaseLost(str(answer[0]))
        return answer
