"""The event loop of a worker: uvloop's, with asyncio's errors for lost connections.

If the peer has reset an idle connection, a write in asyncio succeeds: the reader receives the
``ConnectionResetError``, and ``drain`` raises it. In uvloop the write itself raises a bare
``RuntimeError``. The clients of Redis and Neo4j do not recognise it as a lost connection: neither
reconnects, and Neo4j's returns the broken connection to its pool.

Through TLS, the same write does not fail but is logged by uvloop as an unhandled error, with a
traceback. It is as orderly as the others: the reader learns that the connection is lost.
"""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog

log = structlog.get_logger(__name__)

LOST_TLS = "Fatal error on SSL protocol"
"""uvloop's message for a write to a TLS connection that was reset."""

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    import uvloop

    class _Loop(uvloop.Loop):
        def call_exception_handler(self, context: dict[str, Any]) -> None:
            lost = isinstance(context.get("exception"), RuntimeError)
            if lost and context.get("message") == LOST_TLS:
                log.debug("connection_lost", error=str(context["exception"]))
            else:
                super().call_exception_handler(context)

        async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
            transport, protocol = await super().create_connection(*args, **kwargs)
            return _Transport(transport), protocol

        async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
            # uvloop accepts only its own transports, so this one is passed through a proxy.
            inner = transport.inner if isinstance(transport, _Transport) else transport
            return _Transport(await super().start_tls(inner, *args, **kwargs))

    def new_event_loop() -> asyncio.AbstractEventLoop:
        """A new event loop, not running yet."""
        return _Loop()


class _Transport:
    """Wraps a transport; writing to it never fails."""

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, data: Any) -> None:
        with suppress(RuntimeError):
            self.inner.write(data)

    def writelines(self, parts: Iterable[Any]) -> None:
        with suppress(RuntimeError):
            self.inner.writelines(parts)
