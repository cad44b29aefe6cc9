"""The event loop of a worker: uvloop's, whose connections break as asyncio's do.

Writing to a connection that the other side has reset while it was idle is nothing to asyncio: the
reader has the ``ConnectionResetError``, and ``drain`` raises it. uvloop raises a bare
``RuntimeError`` from the write, which the clients of Redis and Neo4j do not take for a lost
connection: neither connects anew, and Neo4j's puts the broken one back into its pool.
"""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    import uvloop

    class _Loop(uvloop.Loop):
        async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
            transport, protocol = await super().create_connection(*args, **kwargs)
            return _Transport(transport), protocol

        async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
            # Through a proxy. It takes transports of its own only.
            inner = transport.inner if isinstance(transport, _Transport) else transport
            return _Transport(await super().start_tls(inner, *args, **kwargs))

    def new_event_loop() -> asyncio.AbstractEventLoop:
        """A loop that does not run yet."""
        return _Loop()


class _Transport:
    """Another transport, except that writing to it never fails."""

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
