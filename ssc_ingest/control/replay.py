"""Replay of dead letters: failed tasks go back to their queues."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, fields

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.on_demand.jobs import Jobs
from ssc_ingest.work.arguments import ExtractPackage, ReplayDeadLetters
from ssc_ingest.work.dead_letters import STREAM, DeadLetter, DeadLetters, LetterFilter
from ssc_ingest.work.names import EXTRACT
from ssc_ingest.work.queues import Queues

REPLAY = "dead_letters.replay"
"""Public name of the task."""

PORTION = 1000
"""Maximum number of dead letters per execution of the task, so that it takes only seconds."""

TTL = 24 * 3600
"""Seconds for which the first delivery of a replay task is remembered."""


NO_INPUT = "it names no task and has no message of one of our streams"
NO_LETTER = "there is no dead letter with this id"


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay."""

    ids: list[str] = field(default_factory=list)
    """Those that are back in their queues."""
    kept: dict[str, str] = field(default_factory=dict)
    """Those that cannot be replayed, with the reason."""


class Replay:
    """Replays dead letters. ``redis`` is the state database."""

    def __init__(self, dead_letters: DeadLetters, queues: Queues, jobs: Jobs, redis: Redis) -> None:
        self._dead_letters = dead_letters
        self._queues = queues
        self._jobs = jobs
        self._redis = redis

    async def select(self, request: ReplayDeadLetters) -> AsyncIterator[DeadLetter]:
        """The dead letters that a request selects, by ids or by a filter, each once.

        Raises:
            InvalidArguments: the request has neither ids nor a filter.
        """
        if request.ids:
            seen: set[str] = set()
            for letter_id in request.ids:
                letter = await self._dead_letters.get(letter_id)
                if letter and letter.id not in seen:
                    seen.add(letter.id)
                    yield letter
            return
        chosen = LetterFilter(**{f.name: getattr(request, f.name) for f in fields(LetterFilter)})
        if not request.all and chosen == LetterFilter(until=request.until):
            raise InvalidArguments("no dead letters selected: give ids, a filter, or all=true")
        async for letter in self._dead_letters.all(chosen):
            yield letter

    async def replay(self, request: ReplayDeadLetters, limit: int | None = None) -> Replayed:
        """Return the tasks of selected dead letters, at most ``limit``, to their queues.

        An entry of another program names no task: its raw message returns to its stream.
        """
        result = Replayed()
        found: set[str] = set()
        async for letter in self.select(request):
            found.add(letter.id)
            if letter.task:
                await self._reopen(letter)
                await self._queues.publish([letter.message()])
            elif not await self._dead_letters.return_to_stream(letter):
                result.kept[letter.id] = NO_INPUT
                continue
            await self._dead_letters.delete([letter.id])
            result.ids.append(letter.id)
            if len(result.ids) == limit:
                break
        for letter_id in request.ids:
            if letter_id not in found and f"{STREAM}/{letter_id}" not in found:
                result.kept[letter_id] = NO_LETTER
        return result

    async def pin(self, request: ReplayDeadLetters, task_id: str) -> ReplayDeadLetters:
        """The request of a task, limited to the dead letters that existed at its first delivery.

        Otherwise a second delivery would replay tasks that were replayed and failed again.
        """
        if request.ids or request.until is not None:
            return request
        key = f"replay:{task_id}"
        seconds, microseconds = await self._redis.time()
        await self._redis.set(key, seconds * 1000 + microseconds // 1000, nx=True, ex=TTL)
        return request.model_copy(update={"until": int(await self._redis.get(key) or 0)})

    async def replay_portion(
        self, request: ReplayDeadLetters, limit: int = PORTION
    ) -> tuple[Replayed, ReplayDeadLetters | None]:
        """Like :meth:`replay`; also returns a request for the remaining dead letters, if any."""
        if request.ids:
            some, others = request.ids[:limit], request.ids[limit:]
            replayed = await self.replay(request.model_copy(update={"ids": some}))
            return replayed, request.model_copy(update={"ids": others}) if others else None
        replayed = await self.replay(request, limit)
        return replayed, request if len(replayed.ids) == limit else None

    async def _reopen(self, letter: DeadLetter) -> None:
        """Make the task's job count the package as pending again."""
        if letter.task == EXTRACT:
            with suppress(InvalidArguments):
                request = ExtractPackage.parse(letter.kwargs)
                purl = ecosystem(request.ecosystem).ref(request.name).purl
                await self._jobs.reopen(request.job_id or letter.task_id, purl)
