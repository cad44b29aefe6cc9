"""Tasks that failed permanently, on a real Redis."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import redis.asyncio as redis
from redis.exceptions import ResponseError

from ssc_ingest.control.replay import NO_INPUT, NO_LETTER, Replayed
from ssc_ingest.errors import InvalidArguments, MalformedMetadata
from ssc_ingest.models import now
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ReplayDeadLetters
from ssc_ingest.work.dead_letters import MAX_FAILURES, MAX_TRACEBACK_LENGTH, LetterFilter
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT


def _message(name: str, **kwargs: Any) -> TaskMessage:
    return TaskMessage(
        task=EXTRACT,
        kwargs={"ecosystem": "pypi", "name": name, **kwargs},
        queue="pypi.urgent",
        task_id=f"task-{name}",
        attempts=2,
        since=1_000_000_000.0,
    )


def _raised(error: Exception) -> Exception:
    """The error with a traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught


async def _fail(state: State, message: TaskMessage, error: Exception | None = None) -> str:
    failure = error or MalformedMetadata("no name in it", url="https://example.org/x")
    return await state.dead_letters.add(message, _raised(failure), now=now())


async def test_everything_is_kept(state: State) -> None:
    """Input, error, traceback, attempts and times are read back unchanged."""
    letter_id = await _fail(state, _message("rich"))
    letter = await state.dead_letters.get(letter_id)
    assert letter is not None
    assert letter.id == letter_id
    assert (letter.task, letter.task_id, letter.queue) == (EXTRACT, "task-rich", "pypi.urgent")
    assert letter.kwargs == {"ecosystem": "pypi", "name": "rich"}
    assert letter.error_type == "MalformedMetadata"
    assert letter.error == "MalformedMetadata: no name in it"
    assert "Traceback" in letter.traceback
    assert letter.attempts == 3
    assert letter.first_at.year == 2001
    assert letter.last_at > letter.first_at
    assert letter.subject == "pypi rich"


async def test_failures_return_to_their_stream(state: State, settings: Any) -> None:
    """``<stream>-dlq`` has the raw text and the error, as the stream's producer expects."""
    raw = '{"package": "rich", "node_type": "PyPIPackage"}'
    origin = {"stream": "package_extraction", "data": raw}
    letter_id = await _fail(state, _message("rich", origin=origin))
    assert letter_id.startswith("package_extraction-dlq/")
    letter = await state.dead_letters.get(letter_id)
    assert letter is not None
    assert letter.data == raw
    assert letter.error == "MalformedMetadata: no name in it"
    assert await state.dead_letters.count() == 1


async def test_an_invalid_origin_does_not_lose_the_letter(state: State) -> None:
    """A dead letter with an invalid origin is stored in the general stream."""
    letter_id = await _fail(state, _message("rich", origin={"stream": 7}))
    assert letter_id.startswith("dead-letters/")


async def test_listed_by_subject(state: State) -> None:
    """More than one page, newest first, by ecosystem and by error."""
    for n in range(120):
        await _fail(state, _message(f"p{n}"), None if n % 2 else ValueError("a bug"))
    await _fail(state, TaskMessage(task=EXTRACT, kwargs={"ecosystem": "npm"}, queue="control"))
    names = [letter.kwargs.get("name") async for letter in state.dead_letters.all()]
    assert names == [None, *(f"p{n}" for n in reversed(range(120)))]
    npm = [letter async for letter in state.dead_letters.all(LetterFilter(ecosystem="npm"))]
    assert len(npm) == 1
    bugs = [
        letter async for letter in state.dead_letters.all(LetterFilter(error_type="ValueError"))
    ]
    assert len(bugs) == 60


async def test_a_replay_requeues_the_task(state: State) -> None:
    """The message is in its queue with a new set of attempts; the letter is removed."""
    first = await _fail(state, _message("a"))
    await _fail(state, _message("b"))
    replayed = await state.replay().replay(ReplayDeadLetters(ids=[first, "dead-letters/0-1", "x"]))
    assert replayed.ids == [first]
    assert replayed.kept == {"dead-letters/0-1": NO_LETTER, "x": NO_LETTER}
    replayed = await state.replay().replay(ReplayDeadLetters(ids=[first]))
    assert replayed == Replayed(kept={first: NO_LETTER})
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
    assert await state.dead_letters.count() == 1
    assert len((await state.replay().replay(ReplayDeadLetters(ecosystem="pypi"))).ids) == 1
    assert await state.dead_letters.count() == 0


async def test_a_redelivered_replay_ignores_later_failures(state: State) -> None:
    """A task that was replayed and failed again is not replayed twice."""
    await _fail(state, _message("a"))
    asked = ReplayDeadLetters(all=True)
    assert len((await state.replay().replay(await state.replay().pin(asked, "a task"))).ids) == 1
    await asyncio.sleep(0.002)  # ids count milliseconds
    await _fail(state, _message("a"))
    assert (await state.replay().replay(await state.replay().pin(asked, "a task"))).ids == []
    again = await state.replay().replay(await state.replay().pin(asked, "another task"))
    assert len(again.ids) == 1


async def test_many_are_replayed_in_parts(state: State) -> None:
    """Each part requests the next one until none is left; by filter and by ids."""
    ids = [await _fail(state, _message(f"p{n}")) for n in range(5)]
    replayed, rest = await state.replay().replay_portion(ReplayDeadLetters(all=True), 2)
    assert replayed.ids == ids[:2:-1]
    replayed, rest = await state.replay().replay_portion(ReplayDeadLetters(ids=ids[:3]), 2)
    assert replayed.ids == ids[:2]
    assert rest is not None
    assert await state.replay().replay_portion(rest, 2) == (Replayed([ids[2]]), None)
    nothing = (Replayed(), None)
    assert await state.replay().replay_portion(ReplayDeadLetters(all=True), 2) == nothing


async def test_a_replay_needs_ids_or_a_filter(state: State) -> None:
    """Without ids or a filter nothing is replayed."""
    await _fail(state, _message("a"))
    with pytest.raises(InvalidArguments):
        await state.replay().replay(ReplayDeadLetters())
    assert await state.dead_letters.count() == 1


async def test_deleting(state: State) -> None:
    """Only existing dead letters count as deleted."""
    letter_id = await _fail(state, _message("a"))
    assert await state.dead_letters.delete([letter_id, "dead-letters/1-1"]) == 1
    assert await state.dead_letters.get(letter_id) is None


async def test_what_other_programs_put_there_returns_to_its_stream(
    state: State, settings: Settings
) -> None:
    """Other programs' dead letters are listed without filters; a replay returns the raw message."""
    own = await _fail(state, _message("rich"))
    stream = f"{settings.redis_stream}-dlq"
    entry: Any = await state.streams.xadd(stream, {"data": "not JSON", "error": "KeyError: 'x'"})
    foreign = f"{stream}/{entry}"
    assert [letter.id async for letter in state.dead_letters.all()] == [own, foreign]
    letter = await state.dead_letters.get(foreign)
    assert letter is not None
    assert (letter.data, letter.error, letter.task) == ("not JSON", "KeyError: 'x'", "")
    assert letter.kwargs == {}
    assert letter.first_at == letter.last_at == letter_moment(entry)
    assert [
        letter.id async for letter in state.dead_letters.all(LetterFilter(ecosystem="pypi"))
    ] == [own]
    assert (await state.replay().replay(ReplayDeadLetters(all=True))).ids == [own, foreign]
    entries: Any = await state.streams.xrange(settings.redis_stream)
    assert [fields for _, fields in entries] == [{"data": "not JSON"}]
    assert await state.dead_letters.count() == 0


async def test_what_has_no_input_stays(state: State, settings: Settings) -> None:
    """A dead letter without input stays, and the replay gives the reason."""
    stream = f"{settings.redis_stream}-dlq"
    entry: Any = await state.streams.xadd(stream, {"error": "KeyError: 'data'"})
    strange: Any = await state.streams.xadd("other-dlq", {"data": "{}", "error": "not ours"})
    ids = [f"{stream}/{entry}", f"other-dlq/{strange}"]
    assert await state.replay().replay(ReplayDeadLetters(ids=ids)) == Replayed(
        kept=dict.fromkeys(ids, NO_INPUT)
    )
    assert await state.replay().replay(ReplayDeadLetters(all=True)) == Replayed(
        kept={ids[0]: NO_INPUT}
    )
    assert await state.dead_letters.count() == 1
    assert await state.streams.keys("other") == []


async def test_a_replay_that_fails_again_keeps_its_history(state: State) -> None:
    """A replay that fails again is one dead letter with every failure, up to a maximum number."""
    letter_id = await _fail(state, _message("rich"), ValueError("first"))
    for n in range(MAX_FAILURES + 2):
        letter = await state.dead_letters.get(letter_id)
        assert letter is not None
        message = TaskMessage.from_json(letter.message().to_json())
        await state.dead_letters.delete([letter_id])
        letter_id = await _fail(state, replace(message, attempts=4), ValueError(f"{n}"))
    letter = await state.dead_letters.get(letter_id)
    assert letter is not None
    assert await state.dead_letters.count() == 1
    assert len(letter.history) == MAX_FAILURES
    assert letter.history[-1].error == f"ValueError: {MAX_FAILURES}"
    assert {failure.attempts for failure in letter.history} == {5}


async def test_listed_by_job_run_and_age(state: State) -> None:
    """A task that follows requirements without a job is a job of its own."""
    first = await _fail(state, _message("a", job_id="j"))
    second = await _fail(state, _message("b", fills="j"))
    third = await _fail(state, _message("c", run_id="r"))

    async def found(**chosen: Any) -> list[str]:
        return [letter.id async for letter in state.dead_letters.all(LetterFilter(**chosen))]

    assert await found(job_id="j") == [second, first]
    assert await found(job_id="task-c") == await found(run_id="r") == [third]
    moment = int(second.rpartition("/")[2].partition("-")[0])
    assert second in await found(since=moment, until=moment)
    assert await found(until=moment - 1000) == await found(since=moment + 60_000) == []


def letter_moment(entry: str) -> datetime:
    """The time when an entry was added, from its id."""
    return datetime.fromtimestamp(int(entry.partition("-")[0]) / 1000, UTC)


async def test_what_cannot_be_published_stays(state: State, broker: redis.Redis) -> None:
    """If the queue rejects it, the dead letter stays unchanged for the next replay."""
    letter_id = await _fail(state, _message("rich"))
    before = await state.dead_letters.get(letter_id)
    await broker.set("pypi.urgent", "no list")
    with pytest.raises(ResponseError):
        await state.replay().replay(ReplayDeadLetters(ids=[letter_id]))
    assert await state.dead_letters.get(letter_id) == before
    await broker.delete("pypi.urgent")
    assert (await state.replay().replay(ReplayDeadLetters(ids=[letter_id]))).ids == [letter_id]
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}


async def test_a_long_traceback_keeps_its_end(state: State) -> None:
    """The end has the error."""
    letter_id = await _fail(state, _message("rich"), ValueError(f"begins {'x' * 30_000} ends"))
    letter = await state.dead_letters.get(letter_id)
    assert letter is not None
    assert len(letter.traceback) == MAX_TRACEBACK_LENGTH
    assert letter.traceback.endswith("x ends\n")


async def test_an_error_type_is_the_whole_name(state: State) -> None:
    """Longer and shorter names do not match."""
    names = ("NotFound", "PackageNotFound", "PackageNotFoundAgain")
    ids = [await _fail(state, _message(name), type(name, (Exception,), {})()) for name in names]
    found = [
        letter.id async for letter in state.dead_letters.all(LetterFilter(error_type=names[1]))
    ]
    assert found == [ids[1]]


@pytest.mark.parametrize("letter_id", ["nope", "1-", "job:1/1-0", "-dlq/x", "dead-letters/"])
async def test_a_text_that_is_no_id_names_nothing(state: State, letter_id: str) -> None:
    """An invalid id causes no Redis error and does not touch other keys."""
    await state.redis.hset("job:1", "created_at", "1")
    assert await state.dead_letters.get(letter_id) is None
    assert await state.dead_letters.delete([letter_id]) == 0
