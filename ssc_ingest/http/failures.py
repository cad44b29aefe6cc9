"""Failed requests: the error, and a description of its cause."""

from dataclasses import dataclass
from typing import Literal

import aiohttp

from ssc_ingest.errors import RegistryUnavailable
from ssc_ingest.http.addresses import AddressForbidden

Kind = Literal["unreachable", "connect timeout", "read timeout", "broken"]


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason for a missing or truncated response."""

    kind: Kind
    """``unreachable``: no connection. ``broken``: the connection ended too early."""
    text: str
    """A sentence that names the host."""


class RequestFailed(RegistryUnavailable):
    """There is no response, or it broke off; ``failure`` is the reason."""

    def __init__(self, failure: Failure, *, url: str) -> None:
        super().__init__(failure.text, url=url)
        self.failure = failure


def explain(error: Exception, host: str) -> Failure:  # noqa: PLR0911 - a table
    """Classify an error of a request; ``host`` is ``name[:port]``."""
    reason = _reason(error)
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Failure("unreachable", f"cannot reach {host} through the proxy: {reason}")
        case aiohttp.ClientConnectorDNSError():
            return Failure("unreachable", f"the name of {host} cannot be resolved (DNS): {reason}")
        case aiohttp.ClientSSLError():
            return Failure("unreachable", f"no secure connection to {host} (TLS): {reason}")
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return Failure("unreachable", f"{host} refuses connections")
        case aiohttp.ClientConnectorError() | AddressForbidden():
            return Failure("unreachable", f"no connection to {host}: {reason}")
        case aiohttp.ConnectionTimeoutError():
            return Failure("connect timeout", f"no connection to {host} in time")
        case aiohttp.ServerTimeoutError():
            return Failure("read timeout", f"connected to {host}, but no response in time")
        case _:
            return Failure("broken", f"the connection to {host} broke: {reason}")


def _reason(error: Exception) -> str:
    """The text of the innermost cause: the operating system, the resolver or OpenSSL."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", None) or str(inner) or type(error).__name__
