"""Parts of the page: values that are read from a server, at most once in some seconds.

All visitors share one read. A page does not wait for a slow server: it shows what was read before,
with its age, while the read goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from ssc_ingest.errors import IngestError
from ssc_ingest.logs import get_logger

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds for which a page waits for a part."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A value, or the reason why it is unknown."""

    value: T | None = None
    problem: str = "it has not been read yet"
    """Why the value is unknown; empty if it is known."""
    read_at: datetime | None = None
    """When the value was read, or could not be read; aware, in UTC."""


class Cached(Generic[T]):
    """One part of the page.

    Args:
        name: for the log.
        read: reads the value; raises an :class:`IngestError` if the server does not respond.
        fresh_for: time for which a value is not read again.
        limit: maximum time of a read.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Awaitable[T]],
        *,
        fresh_for: timedelta,
        limit: timedelta = timedelta(seconds=60),
    ) -> None:
        self._name = name
        self._read = read
        self._fresh_for = fresh_for
        self._limit = limit
        self._part: Part[T] = Part()
        self._reading: asyncio.Task[None] | None = None

    @property
    def last(self) -> Part[T]:
        """The result of the last read, whatever its age."""
        return self._part

    async def get(self, patience: float = PATIENCE) -> Part[T]:
        """The current value; it is read again if it is too old.

        ``patience``: seconds to wait for the read; it continues after them.
        """
        read_at = self._part.read_at
        if read_at is None or datetime.now(UTC) - read_at >= self._fresh_for:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._refresh())
            await asyncio.wait([self._reading], timeout=patience)
        return self._part

    def forget(self) -> None:
        """Read the value again at the next request, because a visitor has changed it."""
        if self._reading:
            self._reading.cancel()  # it may have begun before the change
            self._reading = None
        self._part = Part(self._part.value, self._part.problem)

    async def close(self) -> None:
        """End a read in progress."""
        if self._reading:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                value = await self._read()
            self._part = Part(value, "", datetime.now(UTC))
        except IngestError as error:
            self._part = Part(problem=str(error), read_at=datetime.now(UTC))
        except TimeoutError:
            seconds = self._limit.total_seconds()
            problem = f"no response within {seconds:.0f} s"
            self._part = Part(problem=problem, read_at=datetime.now(UTC))
        except Exception as error:
            # A fault of this program must not take the other parts of the page with it.
            log.exception("part_not_read", part=self._name)
            problem = f"an internal error: {type(error).__name__}"
            self._part = Part(problem=problem, read_at=datetime.now(UTC))
