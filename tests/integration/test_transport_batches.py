"""Messages that are taken, and acknowledged, several at once."""

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.asynchronous import Hub

from ssc_ingest.work.messages import TaskMessage

BULK = ("npm.bulk", "pypi.bulk")
QUEUES = ("npm.urgent", *BULK)
SLOTS = 5


@pytest.fixture
def broker(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    """The queues' database, empty."""
    with redis.Redis.from_url(f"{redis_url}/1", decode_responses=True) as client:
        yield client


@pytest.fixture
def hub() -> Iterator[Hub]:
    """The event loop of a worker."""
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def channel(redis_url: str, broker: redis.Redis, hub: Hub) -> Iterator[Any]:
    """The channel of a worker with some slots, in its event loop."""
    with Connection(
        f"{redis_url}/1",
        transport="workers.overrides.transport:Transport",
        transport_options={"queue_order_strategy": "workers.routing:UrgencyCycle"},
    ) as connection:
        transport: Any = connection.transport
        transport.register_with_event_loop(connection.connection, hub)
        channel: Any = connection.channel()
        channel.basic_qos(prefetch_count=SLOTS)
        yield channel
        channel.close()
        channel._own_client.connection_pool.disconnect()  # an end after the close opened it again


def consume(channel: Any) -> list[Any]:
    """Read the queues; the list receives the delivered messages."""
    delivered: list[Any] = []
    for queue in QUEUES:
        channel.basic_consume(queue, False, delivered.append, consumer_tag=queue)  # noqa: FBT003 - kombu's signature
    return delivered


def publish(broker: redis.Redis, queue: str, count: int) -> None:
    """Messages whose ids are the queue and a number."""
    for number in range(count):
        message = TaskMessage(task="a.task", kwargs={}, queue=queue, task_id=f"{queue} {number}")
        broker.lpush(queue, message.encode())


def turn(channel: Any) -> None:
    """One turn of the event loop, with the response to what it sends."""
    channel.connection.cycle.on_poll_start()
    if channel._in_poll:
        with suppress(Empty):
            channel._brpop_read()


def ids(delivered: list[Any]) -> list[str]:
    """The ids of delivered messages."""
    return [message.headers["id"] for message in delivered]


def test_every_free_slot_gets_a_message(channel: Any, broker: redis.Redis) -> None:
    """Urgent ones first; then the registries take turns, as with single messages."""
    publish(broker, "npm.bulk", 9)
    publish(broker, "pypi.bulk", 1)
    publish(broker, "npm.urgent", 2)
    delivered = consume(channel)
    turn(channel)
    assert ids(delivered)[:2] == ["npm.urgent 0", "npm.urgent 1"]
    assert sorted(ids(delivered)[2:]) == ["npm.bulk 0", "npm.bulk 1", "pypi.bulk 0"]
    assert broker.hlen("unacked") == broker.zcard("unacked_index") == SLOTS
    assert broker.llen("npm.bulk") == 7
    turn(channel)
    assert len(delivered) == SLOTS


def test_the_ends_of_a_turn_are_removed_together(channel: Any, broker: redis.Redis) -> None:
    """Their slots get the next messages in the same round trip."""
    publish(broker, "npm.bulk", 2 * SLOTS)
    delivered = consume(channel)
    turn(channel)
    broker.config_resetstat()
    for message in delivered[:3]:
        message.ack()
    assert broker.hlen("unacked") == SLOTS
    turn(channel)
    assert len(delivered) == SLOTS + 3
    calls: Any = broker.info("commandstats")
    assert (
        sum(calls.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha")) == 1
    )
    noted = broker.hkeys("unacked")
    assert sorted(noted) == sorted(broker.zrange("unacked_index", 0, -1))
    assert sorted(noted) == sorted(message.delivery_tag for message in delivered[3:])


def test_an_end_without_a_next_message_is_removed(channel: Any, broker: redis.Redis) -> None:
    """While all queues are empty, no script is sent for some time."""
    publish(broker, "npm.bulk", 1)
    delivered = consume(channel)
    turn(channel)
    turn(channel)  # nothing is left
    delivered[0].ack()
    turn(channel)
    assert not broker.exists("unacked", "unacked_index")


@pytest.mark.parametrize("end", ["channel", "loop"])
def test_ends_are_removed_before_the_worker_is(
    channel: Any, broker: redis.Redis, hub: Hub, end: str
) -> None:
    """A worker that stops has no further turn."""
    publish(broker, "npm.bulk", SLOTS)
    delivered = consume(channel)
    turn(channel)
    for message in delivered[:3]:
        message.ack()
    if end == "channel":
        channel.close()
    else:
        hub.close()
        assert broker.hlen("unacked") == SLOTS - 3
    ended = {message.delivery_tag for message in delivered[:4]}
    delivered[3].ack()  # its task ends later: at once
    assert ended.isdisjoint(broker.hkeys("unacked"))
    assert broker.zcard("unacked_index") == broker.hlen("unacked")


def test_ends_survive_a_lost_response(channel: Any, broker: redis.Redis) -> None:
    """They are removed again: nobody knows whether the script was executed."""
    publish(broker, "npm.bulk", SLOTS)
    delivered = consume(channel)
    turn(channel)
    (lost, *_) = delivered
    lost.ack()
    channel.connection.cycle.on_poll_start()
    channel.client.connection.disconnect()
    channel._in_poll = None
    broker.hset("unacked", lost.delivery_tag, "as if it had not been executed")
    turn(channel)
    assert not broker.hexists("unacked", lost.delivery_tag)


def test_the_script_is_sent_again_to_a_new_server(channel: Any, broker: redis.Redis) -> None:
    """A restarted Redis does not know it."""
    publish(broker, "npm.bulk", 3)
    delivered = consume(channel)
    turn(channel)
    delivered[0].ack()
    broker.script_flush()
    publish(broker, "npm.bulk", 1)
    channel._poll_at = 0.0
    turn(channel)
    turn(channel)
    assert len(delivered) == 4
    assert broker.hlen("unacked") == 3


def test_an_error_with_one_message_does_not_stop_the_others(
    channel: Any, broker: redis.Redis
) -> None:
    """All of them are recorded as taken: one that was not delivered would wait for its timeout."""
    publish(broker, "npm.bulk", 3)
    delivered: list[Any] = []

    def fail_once(message: Any) -> None:
        delivered.append(message)
        if len(delivered) == 1:
            raise redis.ConnectionError("lost")

    channel.basic_consume("npm.bulk", False, fail_once, consumer_tag="a")  # noqa: FBT003 - kombu's signature
    channel.connection.cycle.on_poll_start()
    with pytest.raises(redis.ConnectionError):
        channel._brpop_read()
    assert len(delivered) == 3
