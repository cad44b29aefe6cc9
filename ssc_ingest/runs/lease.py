"""The lease on a run, and the changes of its record that only the holder may make.

All are fenced: if the lease has expired and another worker has acquired it, or if the run was
paused or cancelled, nothing is changed and :class:`LeaseLost` is raised.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from ssc_ingest.models import Purl
from ssc_ingest.runs.model import Item, Run
from ssc_ingest.runs.store import Runs, ending_keys, keys, name_keys, pending_item
from ssc_ingest.work.leases import renewing
from ssc_ingest.work.lua import load

LEASE = 60
"""Seconds that a lease lasts without being renewed."""

RENEW_EVERY = 5.0
"""Seconds; a run that waits for its registry notices within this time that it was paused."""


class LeaseLost(Exception):
    """The caller may not continue the run; ``state``: ``lost``, ``taken``, ``paused`` ..."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, slots=True)
class Admitted:
    """The answer to a request to publish some packages."""

    examined: int
    """How many, from the first, there was room for."""
    duplicates: int
    """Of these, how many are pending or on this page already."""
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
        """Acquire the lease and renew it during the block; release it however the block ends.

        Raises:
            LeaseLost: another worker has it, or the run does not run; also during the block.
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
            # The body has ended, should the renewal not notice that it was cancelled.
            self._finishing = True
            with suppress(RedisError):
                await asyncio.shield(self._let_go())

    async def renew(self) -> None:
        """Keep the lease, and account for the time since the last time."""
        since, self._accounted = self._accounted, time.monotonic()
        args = [self._owner, LEASE, round(self._accounted - since, 3)]
        await self._fenced(self._renew, args)

    async def on_page(self, purls: Sequence[Purl]) -> set[Purl]:
        """Those of some packages that were noted on this page, in whatever attempt."""
        marks = await self._redis.hmget(self._keys[2], [*purls])
        return {purl for purl, mark in zip(purls, marks, strict=True) if mark is not None}

    async def unpublished(self) -> list[Item]:
        """Packages of this page that are pending and perhaps in no queue."""
        marks: Any = await self._redis.hgetall(self._keys[2])
        purls = [purl for purl, mark in marks.items() if mark == "0"]
        entries: Any = await self._redis.hmget(self._keys[1], purls) if purls else []
        return [
            pending_item(Purl(p), e) for p, e in zip(purls, entries, strict=True) if e is not None
        ]

    async def admit(self, items: Sequence[Item], *, most: int, replaces: bool) -> Admitted:
        """Note packages as pending, in order, while fewer than ``most`` are.

        ``replaces``: one that is pending already is published again, with the new arguments.
        """
        args: list[str | float] = [self._owner, time.time(), most, int(replaces)]
        for item in items:
            request = item.request
            args += [item.purl, request.sequence, json.dumps(request.keywords())]
        _, examined, duplicates, publish = await self._fenced(self._admit, args)
        return Admitted(examined, duplicates, tuple(items[position] for position in publish))

    async def mark_published(self, items: Sequence[Item]) -> None:
        """Note that the packages are in their queue."""
        if items:
            await self._redis.hset(self._keys[2], mapping={i.purl: "1" for i in items})

    async def commit(
        self,
        pages: int,
        fields: Mapping[str, str | int],
        counts: Mapping[str, int],
        names: Mapping[str, Iterable[bytes]] | None = None,
    ) -> None:
        """Close the page, all of which is published: store the cursor, and count.

        Args:
            pages: how many were closed before.
            fields: of the record, to set.
            counts: by counter, to add.
            names: by counter, those that may have been counted on other pages.
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
        """Note where the feed ends before the listing; the first time, updates begin there."""
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
            note: what a person should know.
            error: why it failed.
            feed: the feed's cursor, if the run has one to store,
            moves_feed: instead of another one,
            is_update: and it is an update that was completed.
        """
        await self.renew()
        state = "failed" if error else "finished"
        args = [
            *(self._owner, time.time(), state, note, error),
            *(feed, int(moves_feed), int(is_update)),
        ]
        keys = [*self._keys, *self._ending_keys, *self._name_keys]
        self._finishing = True  # the end of the lease is then no loss of it
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
