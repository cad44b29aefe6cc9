"""kombu's Redis transport, except that taking a message from its queue cannot lose it.

kombu takes a message with ``BRPOP`` and then writes down, in ``unacked``, that it has it. A
worker that is killed in between has lost the message; and while all of a worker's slots are
taken, kombu leaves what it has popped unread in its socket, so that nearly every ``kill -9`` of
a busy worker loses one. Here both are one step, a script in Redis. A script cannot wait for
messages to come, so idle workers look a few times a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from queue import Empty
from time import monotonic, time
from typing import Any

import structlog
from celery.app import amqp
from kombu import Connection as KombuConnection
from kombu.transport import redis, virtual
from kombu.utils.json import loads

from ssc_ingest.work.lua import load

LOOK_EVERY = 0.05
"""Seconds between looks while all queues are empty."""

MALFORMED = "malformed"
"""The list of what was in a queue and is no message."""

UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What kombu and Celery raise, before a task begins, about a message that they cannot read."""

_TAKE = load("take", __package__)

log = structlog.get_logger(__name__)

# What is overridden here is not in kombu's type stubs.
_QoS: Any = redis.QoS
_Channel: Any = redis.Channel
_Transport: Any = redis.Transport


class QoS(_QoS):  # type: ignore[misc]
    """What a worker has taken and not acknowledged."""

    noted: str | None = None
    """The delivery tag of the message that the script has written down."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """A message was delivered: write it down, unless that is done."""
        if delivery_tag == self.noted:
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """The message is done with."""
        with self._letting_go(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """The message goes back to its queue, or is dropped."""
        with self._letting_go(delivery_tag):
            super().reject(delivery_tag, requeue)

    @contextmanager
    def _letting_go(self, delivery_tag: str) -> Iterator[None]:
        """Free the message's slot also where Redis cannot be told; the message will come back.

        kombu would keep it. A worker that has lost all of its slots so does not look at its
        connection any more, and never learns that it must connect anew.
        """
        try:
            yield
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Put a message back into its queue; one that cannot be read would keep all others."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (RecursionError, ValueError) as error:
            with self.channel.conn_or_acquire(client) as redis_client:
                noted = redis_client.hget(self.unacked_key, tag)
            self.put_aside(tag, noted, error)

    def put_aside(self, tag: bytes, text: bytes, error: Exception) -> None:
        """A message cannot be read: keep it where it is in nobody's way."""
        log.warning("message_malformed", error=f"{type(error).__name__}: {error}")
        virtual.QoS.ack(self, tag.decode(errors="replace"))
        with self.pipe_or_acquire() as pipe:
            self._remove_from_indices(tag, pipe).lpush(MALFORMED, text).execute()


class Channel(_Channel):  # type: ignore[misc]
    """A channel whose worker takes and notes a message in one step.

    Consumers that acknowledge nothing (replies, events) and those without an event loop are
    kombu's business as ever.
    """

    QoS = QoS

    _noting = False
    _look_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._unacknowledged: set[str] = set()
        super().__init__(*args, **kwargs)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:  # noqa: FBT001 - kombu's signature
        """Consume a queue; remember whether its messages will be acknowledged."""
        if no_ack:
            self._unacknowledged.add(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """A client for one command or pipeline.

        kombu makes a new one each time, for every acknowledgement; they share a pool of
        connections all the same.
        """
        yield client or self._own_client

    @cached_property
    def _own_client(self) -> Any:
        return self._create_client()

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for a message; called whenever there is room for one and nothing was asked."""
        active = self.active_queues
        self._noting = self.connection.has_event_loop and self._unacknowledged.isdisjoint(active)
        if not self._noting:
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(active))
        if not queues or monotonic() < self._look_at:
            return
        keys = [self.unacked_key, self.unacked_index_key, *queues]
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self._in_poll.send_command("EVAL", _TAKE, len(keys), *keys, time(), MALFORMED)

    def _brpop_read(self, **options: Any) -> bool:
        """Read the answer and deliver the message, if there is one."""
        if not self._noting:
            return bool(super()._brpop_read(**options))
        try:
            try:
                taken = self.client.parse_response(self.client.connection, "EVAL", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            if not taken:
                self._look_at = monotonic() + LOOK_EVERY
                raise Empty
            queue, text, tag = taken[0].decode(), taken[1], taken[2]
            try:
                message = loads(text.decode())
                self._queue_cycle.rotate(queue)
                self.qos.noted = message["properties"]["delivery_tag"]
                self.connection._deliver(message, queue)  # noqa: SLF001 - as kombu does
            except UNREADABLE as error:
                self.qos.put_aside(tag, text, error)
            return True
        finally:
            self._in_poll = None


class Transport(_Transport):  # type: ignore[misc]
    """Named in the configuration."""

    Channel = Channel

    has_event_loop = False

    @property
    def client(self) -> Any:
        """Whose transport this is; also after it was closed.

        kombu forgets it then. A channel that could not be closed while Redis was away, and a
        task that ends later and is acknowledged, must still know where Redis is: without, the
        error is none that Celery expects, and ends the worker.
        """
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        if client is not None:
            self._client = client

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Called when the worker's connection is there, and again when it is there again."""
        self.has_event_loop = True
        super().register_with_event_loop(connection, loop)
        # Looks happen when the loop turns, which it does not do by itself.
        loop.call_repeatedly(LOOK_EVERY, lambda: None)


class Connection(KombuConnection):
    """A connection that tells others, such as Flower, that it is one to Redis.

    kombu would name the class of the transport, of which nobody knows what it is.
    """

    def info(self) -> dict[str, Any]:
        """What a URL is made of."""
        return {**super().info(), "transport": Transport.driver_type}


class AMQP(amqp.AMQP):
    """Named by the application; Celery asks it for connections."""

    Connection = Connection
