"""Descriptions of connection failures.

httpx-aiohttp reports a refused connection, an unknown name and a failed TLS handshake alike, as
``ConnectTimeout``. The underlying error of aiohttp distinguishes them.
"""

from dataclasses import dataclass
from typing import Literal

import aiohttp
import httpx

Kind = Literal["unreachable", "connect timeout", "read timeout", "broken"]


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason for a missing or truncated response."""

    kind: Kind
    """``unreachable``: no connection. ``broken``: the connection ended too early."""
    text: str
    """A sentence that names the host."""


def explain(error: Exception, host: str) -> Failure:  # noqa: PLR0911 - a table
    """Classify an error of httpx or aiohttp; ``host`` is ``name[:port]``."""
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    reason = _reason(cause)
    match cause:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Failure("unreachable", f"cannot reach {host} through the proxy: {reason}")
        case aiohttp.ClientConnectorDNSError():
            return Failure("unreachable", f"the name of {host} cannot be resolved (DNS): {reason}")
        case aiohttp.ClientSSLError():
            return Failure("unreachable", f"no secure connection to {host} (TLS): {reason}")
        case aiohttp.ClientConnectorError() if isinstance(cause.os_error, ConnectionRefusedError):
            return Failure("unreachable", f"{host} refuses connections")
        case aiohttp.ClientConnectorError() | httpx.ConnectError():
            return Failure("unreachable", f"no connection to {host}: {reason}")
        case aiohttp.ConnectionTimeoutError() | httpx.ConnectTimeout():
            return Failure("connect timeout", f"no connection to {host} in time")
        case aiohttp.ServerTimeoutError() | httpx.TimeoutException():
            return Failure("read timeout", f"connected to {host}, but no response in time")
        case _:
            return Failure("broken", f"the connection to {host} broke: {reason}")


def _reason(error: Exception) -> str:
    """The text of the innermost cause: the operating system, the resolver or OpenSSL."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", None) or str(inner) or type(error).__name__
