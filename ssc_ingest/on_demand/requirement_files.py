"""The extraction of stubs that requirement files link to: such files cannot be solved.

Every minute, a check reads the files that were written since the last check. Their writer sets the
time first and writes the edges afterwards, so files of its last hour are read again each time. The
check also reads a few other files in rotation, from the oldest to the newest. This finds stubs that
were missed before, or that their registry did not have a week ago.

The number of requests is limited by the room in the urgent queues; the next check continues after
the last file. ``requirement-files`` is a hash of both positions. ``filling:<purl>`` exists while a
submitted package is not submitted again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.purls import reference_of
from ssc_ingest.graph.requirement_files import Position, RequiredStub, RequirementFileReader
from ssc_ingest.logs import get_logger
from ssc_ingest.on_demand.jobs import Budget, Jobs, new_job_id
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.on_demand.submit import request_for
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name
from ssc_ingest.work.not_found import NegativeCache
from ssc_ingest.work.queues import Queues

POSITIONS = "requirement-files"

WRITTEN_WITHIN = timedelta(hours=1)
"""Maximum seconds, by the writer's clock, from the time of a file to its last edge."""

BATCH_SIZE = 500
"""Number of files per read."""

MAX_READS = 20
"""Maximum reads of new files per check; the next check continues."""

ASKED_FOR = 3600
"""Seconds until a package that is still a stub is submitted again."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a check of requirement files."""

    files: int
    packages: int
    """The submitted stubs."""


class RequirementFiles:
    """Extracts the stubs that requirement files link to.

    Args:
        reader: reads the graph's requirement files.
        redis: the state database.
        queues: the urgent queues, whose length limits the number of submitted packages.
        jobs: each package becomes its own job.
        not_found: packages that are missing from their registries.
        cooldowns: packages that failed recently.
        budget: the budget of each job.
        high_water: maximum number of packages in the urgent queues.
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
        """Submit the stubs that requirement files link to.

        Raises:
            StoreUnavailable: the graph is unavailable or busy.
        """
        urgent = [queue_name(name, "urgent") for name in ecosystems()]
        waiting = sum((await self._queues.lengths(urgent)).values())
        self._room, self._files, self._packages = self._high_water - waiting, 0, 0
        newest = await self._position("newest")
        overlap = Position(newest.moment - WRITTEN_WITHIN) if newest.id else newest
        reached = await self._walk(overlap, MAX_READS)
        if _key(reached) <= _key(newest):  # too many files in that hour
            reached = await self._walk(newest, MAX_READS)
        await self._store("newest", max(newest, reached, key=_key))

        oldest = await self._position("oldest")
        reached = await self._walk(oldest, 1)
        if self._room > 0:
            await self._store("oldest", Position() if reached == oldest else reached)
        return Look(self._files, self._packages)

    async def _position(self, name: str) -> Position:
        """Read a stored position."""
        found: Any = await self._redis.hmget(POSITIONS, [f"{name}:moment", f"{name}:id"])
        moment, file_id = found
        return Position(datetime.fromisoformat(moment), file_id) if file_id else Position()

    async def _store(self, name: str, position: Position) -> None:
        """Store a position for the next check."""
        pairs = (f"{name}:moment", position.moment.isoformat(), f"{name}:id", position.id)
        await self._redis.hset(POSITIONS, items=list(pairs))

    async def _walk(self, position: Position, most: int) -> Position:
        """Check the files after a position, with at most this number of reads.

        Returns:
            The position of the last completed file.
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
        """Submit stubs, except missing ones, those in a cooldown and those submitted recently."""
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
                # As a requirement of the job: a missing one does not become a dead letter.
                await self._jobs.follow(job_id, [ref.purl], self._budget, redelivered=False)
                messages.append(job_message(ref.purl, request))
        await self._queues.publish(messages)
        self._room = max(0, self._room - len(messages))
        self._packages += len(messages)
        if messages:
            log.info("requirement_files_need", packages=[str(m.kwargs["name"]) for m in messages])


def _key(position: Position) -> tuple[datetime, str]:
    return position.moment, position.id
