"""Holding a run: what only the one who carries it out may do to its record.

Everything here is fenced: if the lease has lapsed and somebody else has taken the run over, or
if the run was paused or cancelled, nothing is changed and :class:`NotHeld` is raised.
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
from ssc_ingest.runs import scripts
from ssc_ingest.runs.model import Item, Run
from ssc_ingest.runs.store import Runs, ending_keys, item, keys

LEASE = 60
"""Seconds that a lease lasts without being renewed."""

RENEW_EVERY = 5.0
"""Seconds; how soon a run that only waits for its registry notices that it was turned."""


class NotHeld(Exception):
    """The run is not ours to go on with; ``state`` says why: ``lost``, ``taken``, ``paused`` ..."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a few packages that a run wanted to publish."""

    looked: int
    """How many, from the first, there was room for."""
    twice: int
    """Of these, how many the run had taken up before."""
    publish: tuple[Item, ...]


class RunLease:
    """The lease on one run, and the writes that it allows."""

    def __init__(self, runs: Runs, run: Run) -> None:
        self.run_id = run.id
        self._keys = keys(run.id)
        self._ending_keys = ending_keys(run)
        self._redis = runs.redis
        self._owner = uuid.uuid4().hex
        self._accounted = time.monotonic()
        self._finishing = False
        register = runs.redis.register_script
        self._take = register(scripts.TAKE)
        self._renew = register(scripts.RENEW)
        self._release = register(scripts.RELEASE)
        self._admit = register(scripts.ADMIT)
        self._commit = register(scripts.COMMIT)
        self._note = register(scripts.NOTE)
        self._note_feed_end = register(scripts.NOTE_FEED_END)
        self._finish = register(scripts.FINISH)

    @asynccontextmanager
    async def kept(self, renew_every: float = RENEW_EVERY) -> AsyncIterator[None]:
        """Take the lease and keep it during the block; let it go at the end, however it ends.

        Raises:
            NotHeld: somebody has it, or the run does not run; also in the middle of the block.
        """
        standing = await self._take(keys=self._keys, args=[self._owner, LEASE, time.time()])
        if standing != "ok":
            raise NotHeld(str(standing))
        self._accounted = time.monotonic()
        body = asyncio.current_task()
        lost: list[NotHeld] = []

        async def keep() -> None:
            while True:
                await asyncio.sleep(renew_every)
                try:
                    await self.renew()
                except RedisError:
                    continue  # it may be back before the lease lapses
                except NotHeld as error:
                    if not self._finishing:
                        lost.append(error)
                        if body:
                            body.cancel()
                    return

        keeper = asyncio.create_task(keep(), name=f"lease-{self.run_id}")
        try:
            yield
        except asyncio.CancelledError:
            if lost and body and body.uncancel() == 0:
                raise lost[0] from None
            raise
        finally:
            # Nobody is left to be told, should the keeper not notice that it was cancelled.
            self._finishing = True
            keeper.cancel()
            with suppress(RedisError):
                await asyncio.shield(self._let_go())

    async def renew(self) -> None:
        """Keep the lease, and account for the time since the last time."""
        since, self._accounted = self._accounted, time.monotonic()
        args = [self._owner, LEASE, round(self._accounted - since, 3)]
        await self._fenced(self._renew, args)

    async def on_page(self, purls: Sequence[Purl]) -> set[Purl]:
        """Those of some packages that this page has taken up, in whatever attempt."""
        marks = await self._redis.hmget(self._keys[2], [*purls])
        return {purl for purl, mark in zip(purls, marks, strict=True) if mark is not None}

    async def unpublished(self) -> list[Item]:
        """Packages of this page that are pending and perhaps in no queue."""
        marks: Any = await self._redis.hgetall(self._keys[2])
        purls = [purl for purl, mark in marks.items() if mark == "0"]
        entries: Any = await self._redis.hmget(self._keys[1], purls) if purls else []
        return [item(Purl(p), e) for p, e in zip(purls, entries, strict=True) if e is not None]

    async def admit(self, items: Sequence[Item], *, most: int, replaces: bool) -> Admitted:
        """Take packages up, in order, while fewer than ``most`` are pending.

        ``replaces``: one that is pending already is wanted anew, with the new arguments.
        """
        args: list[str | float] = [self._owner, time.time(), most, int(replaces)]
        for wanted in items:
            sequence = wanted.request.sequence
            args += [wanted.purl, sequence, json.dumps(wanted.request.keywords())]
        _, looked, twice, publish = await self._fenced(self._admit, args)
        return Admitted(looked, twice, tuple(items[position] for position in publish))

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
        """Close the page, all of which is safe now: store the cursor, and count.

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
        await self._fenced(self._commit, [*args, *pairs, *counters, *named])

    async def note(self, **fields: str | int) -> None:
        """Set fields of the record, without closing the page."""
        pairs = [part for pair in fields.items() for part in pair]
        await self._fenced(self._note, [self._owner, *pairs])

    async def note_feed_end(self, cursor: str) -> None:
        """Note where the feed ends before the listing; the first time, updates begin there."""
        names = [*self._keys, *self._ending_keys]
        await self._fenced(self._note_feed_end, [self._owner, time.time(), cursor], names)

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
        names = [*self._keys, *self._ending_keys]
        self._finishing = True  # the end of the lease is then no loss of it
        answer = await self._fenced(self._finish, args, names, ("ok", "pending"))
        self._finishing = answer[0] == "ok"
        return self._finishing

    async def _let_go(self) -> None:
        with suppress(NotHeld):
            await self.renew()
        await self._release(keys=self._keys, args=[self._owner])

    async def _fenced(
        self,
        script: Any,
        args: Sequence[Any],
        names: Sequence[str] | None = None,
        fine: Sequence[str] = ("ok",),
    ) -> list[Any]:
        answer: list[Any] = await script(keys=names or self._keys, args=args)
        if answer[0] not in fine:
            raise NotHeld(str(answer[0]))
        return answer
