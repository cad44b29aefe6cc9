"""Celery's consumer, which sends task events in batches and drops no message.

Celery sends every event (three per task) at once, which costs a worker as much as fetching the
task's message. Readers of events do not notice a delay of a fifth of a second. While a worker has
much to do, they get them every second, and most tasks have one event then (:mod:`.events`).

A message that cannot be executed becomes a dead letter. A message with a later time waits in the
delayed set: Celery would keep it unacknowledged, so it would be delivered and executed again after
each visibility timeout.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

import structlog
from celery.exceptions import NotRegistered
from celery.worker.consumer import Consumer as CeleryConsumer

from ssc_ingest.errors import InvalidArguments
from workers.overrides.messages import Unusable, check, letter_of, seconds_to_wait, without_eta

SEND_EVENTS_EVERY = 0.2
"""Seconds between batches; a full buffer is sent sooner."""

MANY = 40
"""Events from which a batch waits for more."""

SEND_MANY_EVERY = 1.0
"""Seconds between such batches."""

LONGEST_COUNTDOWN = 1.0
"""Maximum seconds for which a message waits inside the worker."""

log = structlog.get_logger(__name__)


class Consumer(CeleryConsumer):
    """Keeps every message, and sends events in batches; the configuration refers to it by name."""

    app: Any
    event_dispatcher: Any
    connection_errors: tuple[type[Exception], ...]
    _events_sent_at = 0.0

    def register_with_event_loop(self, hub: Any) -> None:
        """Called after every connect and reconnect."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(SEND_EVENTS_EVERY, self._send_due_events)

    def on_send_event_buffered(self) -> None:  # type: ignore[override] # the stubs are wrong
        """An event was buffered: it is sent with the next batch."""

    def stop(self) -> None:
        """Send the buffered events, then stop."""
        self._send_events()
        super().stop()

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """The function for received messages: Celery's, for messages that it can handle."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message: Any) -> Any:
            try:
                check(message)
            except Unusable as error:
                return self._keep(message, InvalidArguments(str(error)))
            if (seconds := seconds_to_wait(message)) > LONGEST_COUNTDOWN:
                return self._delay(message, seconds)
            return handle(message)

        return on_task_received

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002 - Celery's
        """The message is not a task of any protocol."""
        self._keep(message, InvalidArguments("it is not a message of Celery"))

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """No task has this name."""
        letter = letter_of(message)
        self._keep(message, InvalidArguments(f"there is no task {letter.task!r}"))
        self.app.backend.mark_as_failure(letter.task_id, NotRegistered(letter.task))
        if self.event_dispatcher:
            exception = f"NotRegistered({letter.task!r})"
            self.event_dispatcher.send("task-failed", uuid=letter.task_id, exception=exception)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Celery cannot create a task from the message."""
        self._keep(message, InvalidArguments(str(exc)))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Its content has a forbidden type, or not the declared one."""
        self._keep(message, InvalidArguments(f"its body cannot be decoded: {exc}"))

    def _keep(self, message: Any, error: InvalidArguments) -> None:
        """Make the message a dead letter, then acknowledge it, so that a crash loses nothing."""
        letter = letter_of(message)
        log.warning("message_refused", task=letter.task, task_id=letter.task_id, error=str(error))
        self.app.runtime.keep(letter, error)
        message.ack_log_error(log, self.connection_errors)

    def _delay(self, message: Any, seconds: float) -> None:
        letter = letter_of(message)
        self.app.runtime.delay(letter.task_id, letter.queue, without_eta(message), seconds)
        message.ack_log_error(log, self.connection_errors)

    def _send_due_events(self) -> None:
        waited = monotonic() - self._events_sent_at
        many = self.event_dispatcher and self.event_dispatcher.buffered >= MANY
        if not many or waited >= SEND_MANY_EVERY:
            self._events_sent_at = monotonic()
            self._send_events()

    def _send_events(self) -> None:
        if self.event_dispatcher:
            self.event_dispatcher.flush()
