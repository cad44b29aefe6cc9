"""Messages of other programs, valid or not: none is dropped, and none goes round for ever."""

import base64
import json
import pickle
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio as redis

from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import assert_nothing_is_left, in_graph, settled, unacknowledged
from tests.conftest import Cypher
from tests.simulator.client import Simulator

QUEUE = "npm.urgent"

Envelope = dict[str, Any]


def valid(name: str = "left-pad", **keywords: Any) -> Envelope:
    """The message of a task as kombu stores it."""
    kwargs = {"ecosystem": "npm", "name": name, "dependencies": "none", **keywords}
    found: Envelope = json.loads(TaskMessage(task=EXTRACT, kwargs=kwargs, queue=QUEUE).encode())
    return found


def body(message: Envelope, content: bytes, content_type: str = "application/json") -> Envelope:
    """The same with another body."""
    return {**message, "body": base64.b64encode(content).decode(), "content-type": content_type}


def with_header(**headers: Any) -> Callable[[], Envelope]:
    """A valid message but for some headers."""
    return lambda: {**valid(), "headers": {**valid()["headers"], **headers}}


def with_options(**options: Any) -> Callable[[], Envelope]:
    """A valid message but for the tasks that follow it."""
    content = [[], {"ecosystem": "npm", "name": "left-pad", "dependencies": "none"}, options]
    return lambda: body(valid(), json.dumps(content).encode())


BAD: dict[str, tuple[Callable[[], Envelope | bytes], str]] = {
    "pickle": (
        lambda: body(valid(), pickle.dumps([[], {}, {}]), "application/x-python-serialize"),
        "cannot be decoded",
    ),
    "unknown content type": (
        lambda: body(valid(), b"[[], {}, {}]", "application/x-unheard-of"),
        "cannot be decoded",
    ),
    "no JSON": (lambda: body(valid(), b"{nonsense"), "cannot be decoded"),
    "numbers": (lambda: body(valid(), b"[1, 2, 3]"), "not a list and an object"),
    "one number": (lambda: body(valid(), b"7"), "not a list of arguments"),
    "deep nesting": (lambda: body(valid(), b"[" * 100_000), "cannot be decoded"),
    "no eta": (with_header(eta="soon"), "eta is not a moment"),
    "an eta of another type": (with_header(eta=[1]), "eta is not a moment"),
    "an eta out of range": (with_header(eta="0001-01-01T00:00:00+14:00"), "eta is not a moment"),
    "no moment to expire": (with_header(expires="never"), "expires is not a moment"),
    "no headers": (lambda: {**valid(), "headers": None}, "names no task"),
    "empty headers": (lambda: {**valid(), "headers": {}}, "names no task"),
    "an id that is null": (with_header(id=None), "has no id"),
    "an id of another type": (with_header(id=["x"]), "has no id"),
    "a task of another type": (with_header(task=7), "names no task"),
    "an unknown task": (with_header(task="nobody.knows"), "no task 'nobody.knows'"),
    "a chain of nonsense": (with_options(chain=[7]), "not a task"),
    "a chain that is none": (with_options(chain="x"), "not a list of tasks"),
    "a callback without a task": (with_options(callbacks=[{"args": []}]), "not a task"),
    "options that are none": (lambda: body(valid(), b'[[], {}, "x"]'), "not an object"),
    "no envelope": (lambda: b"\xff\x00 no message", "envelope cannot be read"),
    "an envelope of another shape": (lambda: b'{"a": 1}', "envelope cannot be read"),
}


@pytest.fixture
async def broker(shared_fleet: Fleet, servers: Servers) -> AsyncIterator[redis.Redis]:
    """The broker's database of a fleet that runs."""
    async with redis.Redis.from_url(servers.redis(1)) as broker:
        yield broker


async def push(broker: redis.Redis, message: Envelope | bytes) -> None:
    """Put a message on a queue as another program would."""
    await broker.lpush(QUEUE, message if isinstance(message, bytes) else json.dumps(message))


async def test_what_cannot_be_carried_out_is_a_dead_letter(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher, broker: redis.Redis
) -> None:
    """An impossible message is one dead letter, with a reason that says what is wrong.

    The workers go on meanwhile.
    """
    for make, _ in BAD.values():
        await push(broker, make())
    package = simulator.packages("npm", 1, start=70)[0]
    await push(broker, valid(package.name))
    await in_graph(cypher, package.purl)

    async def all_are_kept() -> bool:
        return await state.dead_letters.count() == len(BAD)

    await eventually(all_are_kept)
    await settled(state)  # the worker holds none of them, so none can be delivered again
    letters = [letter async for letter in state.dead_letters.all()]
    assert len(letters) == len(BAD)
    reasons = [letter.error for letter in letters]
    for name, (_, reason) in BAD.items():
        assert any(reason in error for error in reasons), name
    assert {letter.error_type for letter in letters} == {"InvalidArguments"}
    assert shared_fleet.worker.is_alive()
    await state.dead_letters.delete([letter.id for letter in letters])
    await assert_nothing_is_left(state)


async def test_a_long_countdown_runs_once(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A task with a long countdown waits outside the worker, which could be sent it again."""
    package = simulator.packages("npm", 1, start=71)[0]
    simulator.reset_counts()
    seconds = 10.0
    began = time.monotonic()
    shared_fleet.stranger.send_task(
        EXTRACT,
        kwargs={"ecosystem": "npm", "name": package.name, "dependencies": "none", "refresh": True},
        countdown=seconds,
        queue=QUEUE,
    )

    async def waits_outside() -> bool:
        held = await unacknowledged(state)
        return not held and await unacknowledged(state, with_delayed=True) == 1

    await eventually(waits_outside)
    await in_graph(cypher, package.purl)
    assert time.monotonic() - began > seconds - 1
    await settled(state)
    assert simulator.counts().total == 1
    await assert_nothing_is_left(state)


async def test_a_message_that_expires_while_it_waits_is_not_carried_out(
    shared_fleet: Fleet, simulator: Simulator, state: State
) -> None:
    """A message that expires in the queue is dropped, as its sender requested."""
    package = simulator.packages("npm", 1, start=72)[0]
    simulator.reset_counts()
    moment = datetime.now(UTC)
    shared_fleet.stranger.send_task(
        EXTRACT,
        kwargs={"ecosystem": "npm", "name": package.name, "dependencies": "none"},
        eta=moment + timedelta(seconds=4),
        expires=moment + timedelta(seconds=2),
        queue=QUEUE,
    )
    await eventually(state.queues.delayed)
    await settled(state)
    assert simulator.counts().total == 0


async def test_a_task_of_another_program_follows(
    shared_fleet: Fleet, simulator: Simulator, cypher: Cypher, broker: redis.Redis
) -> None:
    """``link=`` to a queue that is not ours: it is sent there, with the result."""
    package = simulator.packages("npm", 1, start=73)[0]
    stranger = shared_fleet.stranger
    stranger.send_task(
        EXTRACT,
        kwargs={"ecosystem": "npm", "name": package.name, "dependencies": "none"},
        link=stranger.signature("their.task", queue="theirs"),
        queue=QUEUE,
    )
    await in_graph(cypher, package.purl)

    async def is_sent() -> bool:
        return bool(await broker.llen("theirs"))

    await eventually(is_sent)
    (text,) = await broker.lrange("theirs", 0, -1)
    assert json.loads(text)["headers"]["task"] == "their.task"
    await broker.delete("theirs", "_kombu.binding.theirs")
