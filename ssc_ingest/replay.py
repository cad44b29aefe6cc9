"""Giving dead letters another try."""

from collections.abc import AsyncIterator
from contextlib import suppress

from ssc_ingest.arguments import ExtractPackage, ReplayDeadLetters
from ssc_ingest.dead_letters import DeadLetter, DeadLetters
from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.queues import EXTRACT
from ssc_ingest.resources import State


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
            ecosystem=request.ecosystem, error_type=request.error_type
        ):
            yield letter
    else:
        raise InvalidArguments("which ones? give ids, a filter, or all=true")


async def replay(state: State, request: ReplayDeadLetters) -> list[str]:
    """Put the selected dead letters back on their queues; returns their ids.

    What another program put on a stream's dead letters names no task and stays.
    """
    replayed = []
    async for letter in selected(state.dead_letters, request):
        if not letter.task:
            continue
        await _reopen(state, letter)
        await state.queues.publish([letter.message()])
        await state.dead_letters.delete([letter.id])
        replayed.append(letter.id)
    return replayed


async def _reopen(state: State, letter: DeadLetter) -> None:
    """The job that the work belonged to counts it as pending again."""
    if letter.task == EXTRACT:
        with suppress(InvalidArguments):
            request = ExtractPackage.parse(letter.kwargs)
            purl = ecosystem(request.ecosystem).ref(request.name).purl
            await state.jobs.reopen(request.job_id or letter.task_id, purl)
