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

    def new_event_loop() -> asyncio.AbstractEventLoop:
        """A loop that does not run yet."""
        return _Loop()


class _Transport:
    """Another transport, except that writing to it never fails."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: Any) -> None:
        with suppress(RuntimeError):
            self._transport.write(data)

    def writelines(self, parts: Iterable[Any]) -> None:
        with suppress(RuntimeError):
            self._transport.writelines(parts)
