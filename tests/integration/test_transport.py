"""Fetching messages: each is always in its queue or recorded as taken."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection

from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.messages import TaskMessage
from tests.acceptance.fleet import LONG_ENOUGH, wait_until
from tests.acceptance.outages import OwnRedis
from workers.configuration import celery_configuration

QUEUES = ("pypi.urgent", "pypi.bulk")
MESSAGE = TaskMessage(task="a.task", kwargs={"name": "six"}, queue="pypi.bulk")


@pytest.fixture
def broker(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    """The queues' database, empty."""
    with redis.Redis.from_url(f"{redis_url}/1", decode_responses=True) as client:
        yield client


@pytest.fixture
def channel(redis_url: str, broker: redis.Redis) -> Iterator[Any]:
    """The channel of a worker."""
    with Connection(
        f"{redis_url}/1", transport="workers.overrides.transport:Transport"
    ) as connection:
        transport: Any = connection.transport
        transport.has_event_loop = True
        channel: Any = connection.channel()
        yield channel
        channel.close()


def consume(channel: Any, *, no_ack: bool) -> list[Any]:
    """Read the queues; the list receives the delivered messages."""
    delivered: list[Any] = []
    for queue in QUEUES:
        channel.basic_consume(queue, no_ack, delivered.append, consumer_tag=queue)
    return delivered


def taken_and_restored(channel: Any, broker: redis.Redis) -> str:
    """The only message of the queue, after it was taken and returned; no other trace is left."""
    consume(channel, no_ack=False)
    channel.connection.cycle.on_poll_start()
    wait_until(lambda: not broker.llen(MESSAGE.queue), LONG_ENOUGH)
    (tag,) = broker.zrange("unacked_index", 0, -1)
    # What a worker does with the messages of others that are overdue.
    channel.qos.restore_by_tag(tag)
    (restored,) = broker.lrange(MESSAGE.queue, 0, -1)
    assert not broker.exists("unacked", "unacked_index")
    return str(restored)


def test_a_popped_message_is_recorded_before_it_is_read(channel: Any, broker: redis.Redis) -> None:
    """A worker that is killed before reading the response loses nothing."""
    broker.lpush(MESSAGE.queue, MESSAGE.encode())
    assert MESSAGE.task_id in taken_and_restored(channel, broker)


def test_a_message_is_delivered_and_acknowledged(channel: Any, broker: redis.Redis) -> None:
    """The published message is delivered, and recorded until it is acknowledged."""
    broker.lpush(MESSAGE.queue, MESSAGE.encode())
    delivered = consume(channel, no_ack=False)
    channel.connection.cycle.on_poll_start()
    channel._brpop_read()
    (message,) = delivered
    assert message.headers["id"] == MESSAGE.task_id
    assert message.delivery_info["routing_key"] == MESSAGE.queue
    assert broker.hlen("unacked") == 1
    message.ack()
    assert not broker.exists("unacked", "unacked_index", MESSAGE.queue)


def test_text_that_is_no_message_is_set_aside(channel: Any, broker: redis.Redis) -> None:
    """Text that was pushed by hand stops no worker, and is kept."""
    texts = ["not JSON", '"a text"', '{"properties": {}}']
    broker.lpush(MESSAGE.queue, *texts, MESSAGE.encode())
    delivered = consume(channel, no_ack=False)
    channel.connection.cycle.on_poll_start()
    channel._brpop_read()
    assert [message.headers["id"] for message in delivered] == [MESSAGE.task_id]
    assert sorted(broker.lrange("malformed", 0, -1)) == sorted(texts)


TEXT = b'{"properties": {"delivery_tag": "a"}, "headers": {"task": "a.task", "x": %s}}'

UNREADABLE = [
    pytest.param(TEXT % b'"\xff"', id="not UTF-8"),
    pytest.param(TEXT % b"0x10", id="a number in the notation of C"),
    pytest.param(TEXT % b'"a\nb"', id="a line break in a text"),
    pytest.param(TEXT % b'{"__type__": 1, "__value__": 1}', id="a type"),
]
"""What Redis takes for a message, and Python does not."""


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_message_that_python_cannot_read_is_set_aside(
    text: bytes, channel: Any, broker: redis.Redis, redis_url: str
) -> None:
    """The next one is read, and no record remains that would restore it."""
    broker.lpush(MESSAGE.queue, text, MESSAGE.encode())
    delivered = consume(channel, no_ack=False)
    for _ in range(2):
        channel.connection.cycle.on_poll_start()
        channel._brpop_read()
    (message,) = delivered
    assert message.headers["id"] == MESSAGE.task_id
    assert malformed(redis_url) == [text]
    message.ack()
    assert not broker.exists("unacked", "unacked_index", MESSAGE.queue)


def test_a_message_that_celery_cannot_read_takes_no_slot(
    channel: Any, broker: redis.Redis, redis_url: str
) -> None:
    """An unreadable message is set aside, for any missing part and any error of Celery."""
    text = TEXT % b"1"
    broker.lpush(MESSAGE.queue, text, MESSAGE.encode())
    ids: list[str] = []
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(
        MESSAGE.queue,
        no_ack=False,
        callback=lambda message: ids.append(message.headers["id"]),
        consumer_tag="a",
    )
    for _ in range(2):
        assert channel.qos.can_consume()
        channel.connection.cycle.on_poll_start()
        channel._brpop_read()
    assert ids == [MESSAGE.task_id]
    assert malformed(redis_url) == [text]
    assert broker.hlen("unacked") == 1


@pytest.mark.parametrize("text", UNREADABLE[1:])
def test_an_unreadable_message_does_not_block_recovery(
    text: bytes, channel: Any, broker: redis.Redis
) -> None:
    """If a worker is killed before an unreadable message was set aside, its others are restored."""
    consume(channel, no_ack=False)
    broker.lpush(MESSAGE.queue, MESSAGE.encode(), text)
    for _ in range(2):
        channel.connection.cycle.on_poll_start()
        channel._in_poll.read_response()
        channel._in_poll = None
    assert broker.zcard("unacked_index") == 2
    channel.qos.visibility_timeout = 0
    channel.qos.restore_visible()
    assert broker.llen("malformed") == 1
    assert broker.llen(MESSAGE.queue) == 1
    assert not broker.exists("unacked", "unacked_index")


def malformed(redis_url: str) -> list[Any]:
    """The messages that were set aside, unchanged."""
    with redis.Redis.from_url(f"{redis_url}/1") as client:
        return list(client.lrange("malformed", 0, -1))


def test_consumers_that_acknowledge_nothing_leave_nothing(
    channel: Any, broker: redis.Redis
) -> None:
    """Replies and events are removed when they are read."""
    broker.lpush(MESSAGE.queue, MESSAGE.encode())
    delivered = consume(channel, no_ack=True)
    channel.connection.cycle.on_poll_start()
    channel._brpop_read()
    assert len(delivered) == 1
    assert not broker.exists("unacked", "unacked_index")


def test_a_worker_that_dies_while_restoring_blocks_no_other(
    settings: Settings, redis_servers: Servers, broker: redis.Redis
) -> None:
    """A dead worker's lock expires before another worker tries again."""
    options = celery_configuration(settings, redis_servers)["broker_transport_options"]
    with Connection(
        redis_servers.redis(1),
        transport="workers.overrides.transport:Transport",
        transport_options={**options, "visibility_timeout": 0},
    ) as connection:
        dead: Any = connection.channel()
        lock = broker.lock(dead.unacked_mutex_key, timeout=dead.unacked_mutex_expire)
        assert lock.acquire(blocking=False)
        broker.lpush(MESSAGE.queue, MESSAGE.encode())
        living: Any = connection.channel()
        connection.transport.has_event_loop = True  # type: ignore[attr-defined]
        consume(living, no_ack=False)
        living.connection.cycle.on_poll_start()
        living._brpop_read()
        assert not broker.llen(MESSAGE.queue)

        def is_restored() -> bool:
            living.qos.restore_visible(interval=1)
            return bool(broker.llen(MESSAGE.queue))

        wait_until(is_restored, LONG_ENOUGH)


@pytest.mark.parametrize("part", ["headers", "delivery_info", "priority"])
def test_a_message_with_unusual_headers_returns(
    channel: Any, broker: redis.Redis, part: str
) -> None:
    """A message of another program is in its queue again when its worker is stopped or killed."""
    message = json.loads(MESSAGE.encode())
    if part == "headers":
        message["headers"] = None
    elif part == "delivery_info":
        message["properties"]["delivery_info"] = None
    else:
        message["properties"]["priority"] = float("inf")
    broker.lpush(MESSAGE.queue, json.dumps(message))
    returned = json.loads(taken_and_restored(channel, broker))
    assert returned["body"] == message["body"]
    assert returned["headers"]["redelivered"] is True


@pytest.mark.parametrize("end", ["ack", "requeue", "reject"])
def test_a_slot_is_freed_while_redis_is_unavailable(tmp_path: Path, end: str) -> None:
    """The slot is freed: a worker without slots would never check its connection again."""
    with ProcessGroup() as group:
        own_redis = OwnRedis(group, tmp_path)
        with (
            redis.Redis.from_url(f"{own_redis.uri}/1") as broker,
            Connection(
                f"{own_redis.uri}/1", transport="workers.overrides.transport:Transport"
            ) as connection,
        ):
            connection.transport.has_event_loop = True  # type: ignore[attr-defined]
            channel: Any = connection.channel()
            channel.basic_qos(0, 1, False)  # noqa: FBT003 - kombu's signature
            broker.lpush(MESSAGE.queue, MESSAGE.encode())
            delivered = consume(channel, no_ack=False)
            channel.connection.cycle.on_poll_start()
            channel._brpop_read()
            (message,) = delivered
            assert not channel.qos.can_consume()
            own_redis.kill()
            with pytest.raises(redis.ConnectionError):
                getattr(message, end)()
            assert channel.qos.can_consume()


def test_work_that_outlives_its_connection_is_acknowledged(tmp_path: Path) -> None:
    """Redis fails during requests, the worker closes, and its tasks end later."""
    with ProcessGroup() as group:
        own_redis = OwnRedis(group, tmp_path / "valkey")
        url = f"{own_redis.uri}/1"
        with redis.Redis.from_url(url, decode_responses=True) as broker:
            broker.lpush(MESSAGE.queue, MESSAGE.encode())
        connection = Connection(url, transport="workers.overrides.transport:Transport")
        transport: Any = connection.transport
        transport.has_event_loop = True
        channel: Any = connection.default_channel
        delivered = consume(channel, no_ack=False)
        transport.cycle.on_poll_start()
        channel._brpop_read()
        (message,) = delivered
        consume(connection.channel(), no_ack=False)
        own_redis.freeze()
        transport.cycle.on_poll_start()
        own_redis.kill()
        # What Celery's consumer does when it has lost its connection.
        connection.collect(socket_timeout=1)
        connection.close()
        own_redis.start()
        message.ack()
        with redis.Redis.from_url(url, decode_responses=True) as broker:
            assert not broker.exists("unacked", "unacked_index", MESSAGE.queue)
