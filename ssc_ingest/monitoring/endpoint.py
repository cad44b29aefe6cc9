"""A small web server for one process: metrics, health and readiness.

``/metrics``   metrics for Prometheus
``/startupz``  503 while the process starts; then like ``/healthz``
``/healthz``   200 while the process works; 503 and the reason if it should be restarted
``/readyz``    200 while it can process tasks; 503 if a required store does not respond

It has its own threads, so it responds even if the event loop does not.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REQUEST_TIMEOUT = 10
"""Seconds until a client must have sent its request."""

NOT_FOUND = "there are /metrics, /startupz, /healthz and /readyz"

Check = Callable[[], str | None]
"""A check, called on a thread of the server; returns the problem, or ``None``."""


class MonitoringServer:
    """The web server; runs until :meth:`close`."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        *,
        started: Check,
        alive: Check,
        ready: Check,
    ) -> None:
        """Listen.

        Raises:
            OSError: the port is in use, or the address is not one of this machine.
        """
        self._metrics: Any = make_wsgi_app(registry)
        self._checks = {"/startupz": started, "/healthz": alive, "/readyz": ready}
        self._server = make_server(
            host, port, self._answer, server_class=_Server, handler_class=_Handler
        )
        self.port: int = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="endpoint", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if check := self._checks.get(path):
            problem = check()
            status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
        else:
            problem, status = NOT_FOUND, HTTPStatus.NOT_FOUND
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        start_response(f"{status.value} {status.phrase}", headers)
        return [f"{problem or 'ok'}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without a reverse DNS query for the host name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own signature
        """Do not log requests: health checks arrive every few seconds."""
