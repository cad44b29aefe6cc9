"""Queues and the delayed set, on a real Redis; another test shows that Celery reads them."""

import base64
import json
import time
from dataclasses import replace

import pytest
import redis.asyncio as redis
from kombu import Connection

from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage


def _message(name: str, queue: str = "pypi.urgent", task_id: str = "id") -> TaskMessage:
    return TaskMessage(task="t", kwargs={"name": name}, queue=queue, task_id=task_id)


async def test_published_in_order(state: State) -> None:
    """Lengths are those of the lists, which workers read from the other end."""
    await state.queues.publish([_message("a"), _message("b"), _message("c", "npm.bulk")])
    assert await state.queues.lengths(["pypi.urgent", "npm.bulk", "npm.fresh"]) == {
        "pypi.urgent": 2,
        "npm.bulk": 1,
        "npm.fresh": 0,
    }


async def test_due_messages_move_to_their_queues(state: State, broker: redis.Redis) -> None:
    """Due messages move unchanged; the others stay."""
    await state.queues.delay(_message("due\nwith a line break", task_id="1"), -1)
    await state.queues.delay(_message("later", task_id="2"), 60)
    assert await state.queues.move_due() == 1
    assert await state.queues.move_due() == 0
    assert await state.queues.delayed() == 1
    assert await state.queues.is_delayed("2")
    assert not await state.queues.is_delayed("1")
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
    assert await broker.hkeys("delayed:messages") == ["2"]


async def test_messages_with_a_priority_reach_their_queues(
    state: State, broker: redis.Redis, redis_url: str
) -> None:
    """A caller's kombu puts them into lists that no worker reads."""
    with Connection(f"{redis_url}/1") as caller, caller.Producer() as producer:
        for priority in range(10):
            producer.publish({}, routing_key="pypi.urgent", priority=priority)
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 3}
    await state.queues.gather(["pypi.urgent", "npm.urgent"])
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 10}
    assert [str(key) for key in await broker.keys("pypi*")] == ["pypi.urgent"]


async def test_a_delayed_task_keeps_what_follows_it(state: State, broker: redis.Redis) -> None:
    """The tasks of a caller that follow ours are in the message, also as text of a claim."""
    followers = {"callbacks": [{"task": "their.task", "args": [], "kwargs": {}, "options": {}}]}
    message = replace(_message("a"), followers=followers)
    assert TaskMessage.from_json(message.to_json()) == message
    assert "followers" not in json.loads(_message("a").to_json())
    await state.queues.delay(message, -1)
    await state.queues.move_due()
    (text,) = await broker.lrange("pypi.urgent", 0, -1)
    _, _, options = json.loads(base64.b64decode(json.loads(text)["body"]))
    assert options == {**followers, "errbacks": None, "chain": None, "chord": None}


async def test_a_task_waits_once(state: State) -> None:
    """A second delay of the same task replaces the first."""
    await state.queues.delay(_message("a"), 60)
    await state.queues.delay(_message("a", "npm.fresh"), -1)
    assert await state.queues.delayed() == 1
    assert await state.queues.move_due() == 1
    assert await state.queues.lengths(["pypi.urgent", "npm.fresh"]) == {
        "pypi.urgent": 0,
        "npm.fresh": 1,
    }


async def test_moved_in_batches(state: State, broker: redis.Redis) -> None:
    """Many due messages are moved batch by batch."""
    for n in range(25):
        await state.queues.delay(_message(str(n), task_id=str(n)), -1)
    assert [await state.queues.move_due(10) for _ in range(4)] == [10, 10, 5, 0]
    assert not await broker.exists("delayed", "delayed:messages")


def test_a_message_carries_its_attempts() -> None:
    """Attempts and the first failure are headers of the message."""
    message = TaskMessage(task="t", kwargs={}, queue="q", attempts=3, since=1.5)
    headers = json.loads(message.encode())["headers"]
    assert (headers["attempts"], headers["since"], headers["id"]) == (3, 1.5, message.task_id)


@pytest.mark.parametrize("wrong", [3600, -3600], ids=["ahead", "behind"])
async def test_the_clock_of_a_process_does_not_matter(
    state: State, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    """A delayed message is due by the server's clock."""
    right = time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: right() + wrong)
        await state.queues.delay(_message("due", task_id="1"), 0)
        await state.queues.delay(_message("later", task_id="2"), 60)
    assert await state.queues.move_due() == 1
    assert await state.queues.is_delayed("2")
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: right() + wrong)
        assert await state.queues.move_due() == 0
        assert await state.queues.wake(["pypi.urgent"]) == 1
    assert await state.queues.move_due() == 1
