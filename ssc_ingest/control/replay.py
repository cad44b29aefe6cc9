"""Giving dead letters another try."""

from collections.abc import AsyncIterator
from contextlib import suppress

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.resources import State
from ssc_ingest.work.arguments import ExtractPackage, ReplayDeadLetters
from ssc_ingest.work.dead_letters import DeadLetter, DeadLetters
from ssc_ingest.work.names import EXTRACT

PORTION = 1000
"""Dead letters that one execution of a task replays."""

TTL = 24 * 3600
"""Seconds for which it is known when a task was first delivered."""


async def selected(
    dead_letters: DeadLetters, request: ReplayDeadLetters
) -> AsyncIterator[DeadLetter]:
    """The dead letters that a request means: its ids, or all that pass its filter.

    Raises:
        InvalidArguments: it names neither.
    """
    if request.ids:
        for letter_id in request.ids:
            if letter := await dead_letters.get(letter_id):
                yield letter
    elif request.all or request.ecosystem or request.error_type:
        async for letter in dead_letters.all(
            ecosystem=request.ecosystem, error_type=request.error_type, until=request.until
        ):
            yield letter
    else:
        raise InvalidArguments("which ones? give ids, a filter, or all=true")


async def replay(state: State, request: ReplayDeadLetters, most: int | None = None) -> list[str]:
    """Put the selected dead letters, at most so many, back on their queues; returns their ids.

    What another program put on a stream's dead letters names no task and stays.
    """
    replayed: list[str] = []
    async for letter in selected(state.dead_letters, request):
        if not letter.task:
            continue
        await _reopen(state, letter)
        await state.queues.publish([letter.message()])
        await state.dead_letters.delete([letter.id])
        replayed.append(letter.id)
        if len(replayed) == most:
            break
    return replayed


async def as_first_read(
    state: State, request: ReplayDeadLetters, task_id: str
) -> ReplayDeadLetters:
    """The request of a task, which means the same letters however often it is delivered.

    Otherwise those that were replayed and failed again would be replayed again.
    """
    if request.ids or request.until is not None:
        return request
    key = f"replay:{task_id}"
    seconds, microseconds = await state.redis.time()
    await state.redis.set(key, seconds * 1000 + microseconds // 1000, nx=True, ex=TTL)
    return request.model_copy(update={"until": int(await state.redis.get(key) or 0)})


async def replay_some(
    state: State, request: ReplayDeadLetters, most: int = PORTION
) -> tuple[list[str], ReplayDeadLetters | None]:
    """As :func:`replay`, as many as take seconds; returns also a request for the rest, if any."""
    if request.ids:
        some, others = request.ids[:most], request.ids[most:]
        replayed = await replay(state, request.model_copy(update={"ids": some}))
        return replayed, request.model_copy(update={"ids": others}) if others else None
    replayed = await replay(state, request, most)
    return replayed, request if len(replayed) == most else None


async def _reopen(state: State, letter: DeadLetter) -> None:
    """The job that the work belonged to counts it as pending again."""
    if letter.task == EXTRACT:
        with suppress(InvalidArguments):
            request = ExtractPackage.parse(letter.kwargs)
            purl = ecosystem(request.ecosystem).ref(request.name).purl
            await state.jobs.reopen(request.job_id or letter.task_id, purl)
