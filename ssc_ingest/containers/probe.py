"""Asks the monitoring endpoint of a worker on this machine.

A container's health check is a new process every few seconds. This one imports nothing of the
worker: it costs a tenth of the CPU time of reading the heartbeats in Redis.
"""

import http.client
from http import HTTPStatus

TIMEOUT = 8.0
"""Seconds; the endpoint gives up after five."""

MAX_ANSWER = 1000
"""Bytes of the answer that are shown."""


class NotListening(Exception):
    """No process listens on the port: it is starting, or it is not a worker."""


def problem(port: int, path: str) -> str | None:
    """The endpoint's reason for a 503, or ``None`` if all is well.

    Raises:
        NotListening: nothing listens on the port.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER).decode(errors="replace").strip()
    except ConnectionRefusedError as error:
        raise NotListening(f"nothing listens on port {port}") from error
    except (OSError, http.client.HTTPException) as error:
        return f"{path} on port {port}: {type(error).__name__} {error}"
    finally:
        connection.close()
    return None if response.status == HTTPStatus.OK else text or str(response.status)
