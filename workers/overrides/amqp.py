"""Celery's connections and router, with our transport."""

from typing import Any

from celery.app import amqp, routes
from kombu import Connection as KombuConnection
from kombu import Exchange, Queue

from workers.overrides.transport import Transport


class Connection(KombuConnection):
    """A connection that shows Flower and other programs that it is one to Redis.

    kombu would state the name of the transport's class, which they do not know.
    """

    def info(self) -> dict[str, Any]:
        """The parts of the connection's URL."""
        return {**super().info(), "transport": Transport.driver_type}


class Router(routes.Router):
    """Celery's router, which lets a worker also publish to queues of other programs.

    Other programs name such a queue for the task that follows one of ours; with Celery's router,
    the completed task would fail. Other processes keep Celery's error for a misspelt queue.
    """

    app: Any
    queues: Any

    def expand_destination(self, route: Any) -> dict[str, Any]:
        """The options of a destination."""
        name = route if isinstance(route, str) else route.get("queue")
        if isinstance(name, str) and name not in self.queues and hasattr(self.app, "runtime"):
            queue = Queue(name, Exchange(name, type="direct"), routing_key=name)
            return {**({} if isinstance(route, str) else route), "queue": queue}
        return dict(super().expand_destination(route))


class AMQP(amqp.AMQP):
    """Celery's factory of connections; the application refers to it by name."""

    app: Any
    Connection = Connection

    def Router(self, queues: Any = None, create_missing: Any = None) -> Router:  # noqa: N802 - Celery's
        """The router of this application."""
        return Router(
            self.routes, queues or self.queues, create_missing=bool(create_missing), app=self.app
        )
