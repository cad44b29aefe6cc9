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
from ssc_ingest.models import PackageRef
from ssc_ingest.on_demand.jobs import Budget, job_message, new_job_id
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import queue_name

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


async def fill_stubs(reader: RequirementFileReader, state: State, settings: Settings) -> Look:
    """Ask for the packages without versions that requirement files point to.

    Raises:
        StoreUnavailable: the graph is away or busy.
    """
    urgent = [queue_name(name, "urgent") for name in ecosystems()]
    waiting = sum((await state.queues.lengths(urgent)).values())
    look = _Look(reader, state, settings, room=settings.run_high_water - waiting)
    newest = await look.position("newest")
    again = Position(newest.moment - WRITTEN_WITHIN) if newest.id else newest
    reached = await look.walk(again, MAX_READS)
    if _key(reached) <= _key(newest):  # perhaps very many in that hour: go on behind the last one
        reached = await look.walk(newest, MAX_READS)
    await look.store("newest", max(newest, reached, key=_key))

    oldest = await look.position("oldest")
    reached = await look.walk(oldest, 1)
    if look.room > 0:
        await look.store("oldest", Position() if reached == oldest else reached)
    return Look(look.files, look.packages)


class _Look:
    def __init__(
        self, reader: RequirementFileReader, state: State, settings: Settings, *, room: int
    ) -> None:
        self.room = room
        self.files = self.packages = 0
        self._reader = reader
        self._state = state
        self._redis: Redis = state.redis
        self._budget = Budget(settings.job_max_packages, settings.job_max_requests)

    async def position(self, name: str) -> Position:
        """A position as it was stored."""
        found: Any = await self._redis.hmget(POSITIONS, [f"{name}:moment", f"{name}:id"])
        moment, file_id = found
        return Position(datetime.fromisoformat(moment), file_id) if file_id else Position()

    async def store(self, name: str, position: Position) -> None:
        """Keep a position for the next look."""
        pairs = (f"{name}:moment", position.moment.isoformat(), f"{name}:id", position.id)
        await self._redis.hset(POSITIONS, items=list(pairs))

    async def walk(self, position: Position, most: int) -> Position:
        """Look at the files behind a position, with so many reads.

        Returns:
            The position of the last one with which nothing is left to do.
        """
        for _ in range(most):
            files = await self._reader.behind(position, BATCH_SIZE)
            await self._fill(files.stubs)
            if self.room <= 0:
                break
            self.files += files.files
            position = files.last or position
            if files.files < BATCH_SIZE:
                break
        return position

    async def _fill(self, stubs: Sequence[RequiredStub]) -> None:
        """Ask for those of some stubs that can be had, and were not asked for lately."""
        if not stubs:
            return
        purls = [stub.purl for stub in stubs]
        out = await self._state.not_found.filter(purls) | await self._state.cooldowns.active(purls)
        messages: list[TaskMessage] = []
        for stub in stubs:
            ref = reference_of(stub.purl, stub.name)
            job_id = new_job_id()
            if stub.purl in out or ref is None:
                continue
            if len(messages) >= self.room:
                self.room = 0
                break
            if await self._redis.set(f"filling:{ref.purl}", job_id, nx=True, ex=ASKED_FOR):
                # As a requirement of the job: one that its registry lacks is no dead letter.
                await self._state.jobs.follow(job_id, [ref.purl], self._budget, again=False)
                messages.append(job_message(ref.purl, _request(ref, job_id)))
        await self._state.queues.publish(messages)
        self.room = max(0, self.room - len(messages))
        self.packages += len(messages)
        if messages:
            log.info("requirement_files_need", packages=[str(m.kwargs["name"]) for m in messages])


def _request(ref: PackageRef, job_id: str) -> ExtractPackage:
    return ExtractPackage(
        ecosystem=ref.ecosystem, name=ref.registry_name, dependencies="all", job_id=job_id
    )


def _key(position: Position) -> tuple[datetime, str]:
    return position.moment, position.id
