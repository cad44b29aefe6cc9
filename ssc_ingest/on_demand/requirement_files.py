"""Filling the stubs that requirement files point to, at once: until then their models fail.

Every minute, files are looked at that were written since the last look. Their writer notes the time
and writes the edges afterwards, so files of its last hour are looked at again each time. And a few
files more, from the oldest to the newest and then from the beginning: what was overlooked for
whatever reason, or what its registry did not have a week ago, is found by that.

No more is asked for than the urgent queues have room for; the files behind are for the next look.

``requirement-files`` is a hash of both positions; ``filling:<purl>`` is there while a package that
was found need not be asked for again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.purls import reference_of
from ssc_ingest.graph.requirement_files import Position, RequiredStub, RequirementFileReader
from ssc_ingest.on_demand.jobs import Budget, Jobs, job_message, new_job_id
from ssc_ingest.on_demand.submit import request_for
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name
from ssc_ingest.work.not_found import NegativeCache
from ssc_ingest.work.queues import Queues

POSITIONS = "requirement-files"

WRITTEN_WITHIN = timedelta(hours=1)
"""By its writer's clock, from the time of a file to its last edge."""

BATCH_SIZE = 500
"""Files of one read."""

MAX_READS = 20
"""Reads of one look, for what is new; the rest is for the next look."""

ASKED_FOR = 3600
"""Seconds until a package that is still a stub is asked for again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at requirement files found."""

    files: int
    packages: int
    """Stubs that are being filled now."""


class RequirementFiles:
    """Fills the stubs that requirement files point to.

    Args:
        reader: of the graph's requirement files.
        redis: the state database.
        queues: the urgent queues, whose length limits how much is asked for.
        jobs: each package becomes a job of its own.
        not_found: packages that their registries do not have.
        cooldowns: packages that failed a short time ago.
        budget: how far such a job follows requirements.
        high_water: most packages in the urgent queues.
    """

    def __init__(
        self,
        *,
        reader: RequirementFileReader,
        redis: Redis,
        queues: Queues,
        jobs: Jobs,
        not_found: NegativeCache,
        cooldowns: Cooldowns,
        budget: Budget,
        high_water: int,
    ) -> None:
        self._reader = reader
        self._redis = redis
        self._queues = queues
        self._jobs = jobs
        self._not_found = not_found
        self._cooldowns = cooldowns
        self._budget = budget
        self._high_water = high_water
        self._room = self._files = self._packages = 0

    async def fill_stubs(self) -> Look:
        """Ask for the packages without versions that requirement files point to.

        Raises:
            StoreUnavailable: the graph is away or busy.
        """
        urgent = [queue_name(name, "urgent") for name in ecosystems()]
        waiting = sum((await self._queues.lengths(urgent)).values())
        self._room, self._files, self._packages = self._high_water - waiting, 0, 0
        newest = await self._position("newest")
        overlap = Position(newest.moment - WRITTEN_WITHIN) if newest.id else newest
        reached = await self._walk(overlap, MAX_READS)
        if _key(reached) <= _key(newest):  # very many in that hour: continue after the last one
            reached = await self._walk(newest, MAX_READS)
        await self._store("newest", max(newest, reached, key=_key))

        oldest = await self._position("oldest")
        reached = await self._walk(oldest, 1)
        if self._room > 0:
            await self._store("oldest", Position() if reached == oldest else reached)
        return Look(self._files, self._packages)

    async def _position(self, name: str) -> Position:
        """A position as it was stored."""
        found: Any = await self._redis.hmget(POSITIONS, [f"{name}:moment", f"{name}:id"])
        moment, file_id = found
        return Position(datetime.fromisoformat(moment), file_id) if file_id else Position()

    async def _store(self, name: str, position: Position) -> None:
        """Keep a position for the next look."""
        pairs = (f"{name}:moment", position.moment.isoformat(), f"{name}:id", position.id)
        await self._redis.hset(POSITIONS, items=list(pairs))

    async def _walk(self, position: Position, most: int) -> Position:
        """Look at the files behind a position, with so many reads.

        Returns:
            The position of the last one with which nothing is left to do.
        """
        for _ in range(most):
            files = await self._reader.behind(position, BATCH_SIZE)
            await self._fill(files.stubs)
            if self._room <= 0:
                break
            self._files += files.files
            position = files.last or position
            if files.files < BATCH_SIZE:
                break
        return position

    async def _fill(self, stubs: Sequence[RequiredStub]) -> None:
        """Ask for those of some stubs that can be had, and were not asked for lately."""
        if not stubs:
            return
        purls = [stub.purl for stub in stubs]
        out = await self._not_found.filter(purls) | await self._cooldowns.active(purls)
        messages: list[TaskMessage] = []
        for stub in stubs:
            ref = reference_of(stub.purl, stub.name)
            job_id = new_job_id()
            if stub.purl in out or ref is None:
                continue
            if len(messages) >= self._room:
                self._room = 0
                break
            if await self._redis.set(f"filling:{ref.purl}", job_id, nx=True, ex=ASKED_FOR):
                request = request_for(ref, dependencies="all", job_id=job_id)
                # As a requirement of the job: one that its registry lacks is no dead letter.
                await self._jobs.follow(job_id, [ref.purl], self._budget, redelivered=False)
                messages.append(job_message(ref.purl, request))
        await self._queues.publish(messages)
        self._room = max(0, self._room - len(messages))
        self._packages += len(messages)
        if messages:
            log.info("requirement_files_need", packages=[str(m.kwargs["name"]) for m in messages])


def _key(position: Position) -> tuple[datetime, str]:
    return position.moment, position.id
