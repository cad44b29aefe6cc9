"""kombu's Redis transport with atomic fetching, so that no message is lost.

kombu pops a message with ``BRPOP`` and then records it in ``unacked``. If the worker is killed in
between, the message is lost. While all slots of a worker are in use, the popped message even stays
unread in its socket, so nearly every ``kill -9`` of a busy worker loses one. Here a Redis script
does both steps. A script cannot block, so idle workers poll several times a second.

The same script takes a message for every free slot, and removes those whose tasks have ended since
the last one. With kombu's methods, each message costs two round trips, in which the worker waits.

kombu finds overdue messages with the clocks of the workers. If one of them is wrong by an hour, its
messages are delivered again an hour late or at once. Here the time is the one of Redis.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from hashlib import sha1
from queue import Empty
from time import monotonic
from typing import Any

import structlog
from kombu.transport import redis, virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import NoScriptError, RedisError

from ssc_ingest.work.lua import load
from ssc_ingest.work.malformed import MALFORMED
from workers.routing import rank

POLL_EVERY = 0.05
"""Seconds between polls while all queues are empty."""

UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The errors of kombu and Celery about a malformed message, before its task starts."""

MOST = 20
"""Messages that are taken at once, at most."""

_TAKE = load("take", __package__)
_TAKE_HASH = sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()

log = structlog.get_logger(__name__)

# kombu's type stubs lack the overridden methods.
_QoS: Any = redis.QoS
_Channel: Any = redis.Channel
_Transport: Any = redis.Transport
_Poller: Any = redis.MultiChannelPoller


class QoS(_QoS):  # type: ignore[misc]
    """Messages that a worker has fetched and not acknowledged."""

    noted: str | None = None
    """The delivery tag of the message that the script has recorded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ended: list[str] = []
        self._sent: list[str] = []

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record a delivered message, unless the script has done so."""
        if delivery_tag != self.noted:
            self._note(message, delivery_tag)
        virtual.QoS.append(self, message, delivery_tag)

    def _note(self, message: Any, delivery_tag: str) -> None:
        """Record a message as kombu does, with the time of Redis."""
        delivery = message.delivery_info
        record = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001
        with self.channel.conn_or_acquire() as client, client.pipeline() as pipe:
            pipe.zadd(self.unacked_index_key, {delivery_tag: _time_of(client)})
            pipe.hset(self.unacked_key, delivery_tag, record).execute()

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; in the event loop, with all others of this turn."""
        transport = self.channel.connection  # none when the channel is closed
        if transport is not None and transport.gathers_acks:
            virtual.QoS.ack(self, delivery_tag)
            self._ended.append(delivery_tag)
            return
        with self._letting_go(delivery_tag):
            super().ack(delivery_tag)

    def send_ended(self) -> list[str]:
        """The tags of acknowledged messages, for the script that is sent now."""
        self._sent, self._ended = self._sent + self._ended, []
        return self._sent

    def confirm_sent(self) -> None:
        """The script has removed them."""
        self._sent = []

    def remove_ended(self) -> None:
        """Remove all acknowledged messages; also those of a script whose response was lost."""
        if tags := self.send_ended():
            with self.pipe_or_acquire() as pipe:
                pipe.zrem(self.unacked_index_key, *tags).hdel(self.unacked_key, *tags).execute()
            self.confirm_sent()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Put a message back into its queue, or drop it."""
        with self._letting_go(delivery_tag):
            super().reject(delivery_tag, requeue)

    @contextmanager
    def _letting_go(self, delivery_tag: str) -> Iterator[None]:
        """Free the message's slot even if Redis does not respond; the message will be redelivered.

        kombu would keep the slot. A worker that has lost all slots in this way stops reading from
        its connection, and never notices that it must reconnect.
        """
        try:
            yield
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 10) -> None:
        """Return overdue messages to their queues, by the clock of Redis.

        Args:
            start: the number of overdue messages to skip.
            num: the maximum number of messages to return.
            interval: only every so many calls do something.
        """
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % (interval or 1):
            return
        with self.channel.conn_or_acquire() as client, suppress(redis.MutexHeld):
            overdue = _time_of(client) - self.visibility_timeout
            # The same lock as kombu's, which workers of other programs and releases use.
            with redis.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire):
                for tag in client.zrange(
                    self.unacked_index_key,
                    overdue,
                    0,
                    desc=True,
                    byscore=True,
                    offset=num and start,
                    num=num,
                ):
                    self.restore_by_tag(tag, client)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Return a message to its queue; a malformed one must not block the others."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (RecursionError, ValueError) as error:
            with self.channel.conn_or_acquire(client) as redis_client:
                noted = redis_client.hget(self.unacked_key, tag)
            self.put_aside(tag, noted, error)

    def put_aside(self, tag: bytes, text: bytes, error: Exception) -> None:
        """Move a message that cannot be read to the list of malformed ones."""
        log.warning("message_malformed", error=f"{type(error).__name__}: {error}")
        virtual.QoS.ack(self, tag.decode(errors="replace"))
        with self.pipe_or_acquire() as pipe:
            self._remove_from_indices(tag, pipe).lpush(MALFORMED, text).execute()


def _time_of(client: Any) -> float:
    """Seconds since 1970, by the clock of the server."""
    seconds, microseconds = client.time()
    return float(seconds + microseconds / 1e6)


class Channel(_Channel):  # type: ignore[misc]
    """A channel that fetches and records a message in one step.

    Consumers that do not acknowledge (replies, events) or have no event loop use kombu's methods.
    """

    QoS = QoS

    _noting = False
    _poll_at = 0.0
    _is_loaded = False
    """Whether Redis knows the script by its hash."""

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

        kombu creates a client each time, even for every acknowledgement, although all of them share
        one connection pool.
        """
        yield client or self._own_client

    @cached_property
    def _own_client(self) -> Any:
        return self._create_client()

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - kombu's signature
        """The parameters of a connection; one that the event loop polls never reconnects by itself.

        redis-py would reconnect inside the read of a lost message, and then wait without a limit
        for the next one. The worker would receive nothing until somebody sends it a remote command.
        """
        parameters: dict[str, Any] = super()._connparams(asynchronous)
        if asynchronous:
            parameters["retry_on_timeout"] = False
        return parameters

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Request a message; called while a slot is free and no request is open."""
        active = self.active_queues
        self._noting = self.connection.has_event_loop and self._unacknowledged.isdisjoint(active)
        if not self._noting:
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(active))
        if not queues or monotonic() < self._poll_at:
            return
        keys = [self.unacked_key, self.unacked_index_key, *queues]
        ranks = "".join(str(rank(queue)) for queue in queues)
        most = min(self.qos.can_consume_max_estimate() or 1, MOST)
        command = ("EVALSHA", _TAKE_HASH) if self._is_loaded else ("EVAL", _TAKE)
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self._in_poll.send_command(
            *command, len(keys), *keys, MALFORMED, ranks, most, *self.qos.send_ended()
        )

    def _brpop_read(self, **options: Any) -> bool:
        """Read the response and deliver its messages, if there are any."""
        if not self._noting:
            return bool(super()._brpop_read(**options))
        try:
            try:
                taken = self.client.parse_response(self.client.connection, "EVAL", **options)
            except NoScriptError as error:  # Redis was restarted
                self._is_loaded = False
                raise Empty from error
            except self.connection_errors:
                self._is_loaded = False
                self.client.connection.disconnect()
                raise
            self._is_loaded = True
            self.qos.confirm_sent()
            if not taken:
                self._poll_at = monotonic() + POLL_EVERY
                raise Empty
            self._deliver_all(taken)
            return True
        finally:
            self._in_poll = None

    def _deliver_all(self, taken: list[list[bytes]]) -> None:
        """Deliver messages; an error with one of them does not stop the others."""
        failure: Exception | None = None
        for queue_name, text, tag in taken:
            queue = queue_name.decode()
            try:
                message = loads(text.decode())
                self._queue_cycle.rotate(queue)
                self.qos.noted = message["properties"]["delivery_tag"]
                self.connection._deliver(message, queue)  # noqa: SLF001 - as kombu does
            except UNREADABLE as error:
                self.qos.put_aside(tag, text, error)
            except Exception as error:  # noqa: BLE001 - raised below
                failure = failure or error
        if failure:
            raise failure

    def _do_restore_message(
        self,
        payload: dict[str, Any],
        exchange: str,
        routing_key: str,
        pipe: Any,
        leftmost: bool = False,  # noqa: FBT001, FBT002 - kombu's signature
    ) -> None:
        """Return a message to its queue, in the transaction that removes it from ``unacked``.

        kombu's method drops a message whose headers or priority it does not expect.
        """
        for facts, name in ((payload, "headers"), (payload["properties"], "delivery_info")):
            found = facts.get(name)
            facts[name] = {**(found if isinstance(found, dict) else {}), "redelivered": True}
        for queue in self._lookup(exchange, routing_key):
            (pipe.lpush if leftmost else pipe.rpush)(queue, dumps(payload))

    def remove_ended(self) -> None:
        """Remove acknowledged messages, unless a script is on its way: the next one does it."""
        if self._qos and not (self._in_poll and self._noting and self._qos.can_consume()):
            self._qos.remove_ended()

    def give_up_ended(self) -> None:
        """Remove acknowledged messages now, or leave them: they will be delivered again."""
        try:
            if self._qos:
                self._qos.remove_ended()
        except (RedisError, OSError) as error:
            log.warning("acknowledgement_failed", error=str(error))

    def close(self) -> None:
        """Remove acknowledged messages, then close."""
        self.give_up_ended()
        super().close()


class Poller(_Poller):  # type: ignore[misc]
    """Sends the requests of all channels, once per turn of the event loop."""

    def on_poll_start(self) -> None:
        """Request messages, and remove the acknowledged ones."""
        super().on_poll_start()
        for channel in self._channels:
            channel.remove_ended()


class Transport(_Transport):  # type: ignore[misc]
    """The transport; the configuration refers to it by name."""

    Channel = Channel

    has_event_loop = False

    gathers_acks = False
    """Whether the event loop is running, and sends the acknowledgements of a turn together."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()

    @property
    def client(self) -> Any:
        """The connection that owns this transport; kept after it was closed.

        kombu drops it then. But a channel that could not be closed during an outage of Redis, and a
        task that is acknowledged later, still use it. Without it they raise an error that Celery
        does not handle, and the worker exits.
        """
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        if client is not None:
            self._client = client

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Called after every connect and reconnect."""
        self.has_event_loop = True
        super().register_with_event_loop(connection, loop)
        # It polls once per turn of the loop, so the loop has to be woken up.
        loop.call_repeatedly(POLL_EVERY, lambda: None)
        self.gathers_acks = True

        def stop_gathering(hub: Any) -> None:
            hub.on_close.discard(stop_gathering)
            self.gathers_acks = False
            for channel in self.cycle._channels:  # noqa: SLF001 - kombu has no other way
                channel.give_up_ended()

        loop.on_close.add(stop_gathering)
