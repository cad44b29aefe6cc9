"""Celery's consumer, but it sends task events in batches.

Celery sends every event (three a task) at once, which costs a worker as much as fetching the
task's message. A delay of a fifth of a second does not matter to those who watch events.
"""

from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

SEND_EVENTS_EVERY = 0.2
"""Seconds; sooner when Celery's buffer (24 events) is full."""


class Consumer(CeleryConsumer):
    """Sends the buffered task events a few times a second; named in the configuration."""

    event_dispatcher: Any

    def register_with_event_loop(self, hub: Any) -> None:
        """Called after every connect and reconnect."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(SEND_EVENTS_EVERY, self._send_events)

    def on_send_event_buffered(self) -> None:  # type: ignore[override] # the stubs are wrong
        """An event was buffered: it is sent with the next batch."""

    def stop(self) -> None:
        """Send the buffered events, then stop."""
        self._send_events()
        super().stop()

    def _send_events(self) -> None:
        if self.event_dispatcher:
            self.event_dispatcher.flush()
