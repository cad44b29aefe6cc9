"""Shared state of the requests of one extraction or run."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from ssc_ingest.http.checkpoint import FetchCheckpoint, StoredResponse
from ssc_ingest.http.responses import Headers, Response
from ssc_ingest.models import now


@dataclass(slots=True)
class RequestScope:
    """Shared state of the requests of one extraction; see :func:`request_scope`."""

    urgent: bool = False
    timeout: float | None = None
    """Seconds without data until a request fails; ``None``: the client's default."""
    checkpoint: FetchCheckpoint | None = None
    """Keeps documents for the next attempt; ``None`` for runs."""
    requests: int = 0
    """Requests sent."""
    more: Callable[[], Awaitable[int]] | None = None
    """Permits a number of further requests, or raises an error; ``None``: there is no limit."""
    permitted: int = 0
    """Requests that ``more`` has permitted."""
    interrupted: bool = False
    """Whether the extraction was cancelled while it was :meth:`reading`."""
    as_of: datetime | None = None
    """The time of the oldest response from the checkpoint; ``None`` if all are new."""

    @property
    def begun(self) -> bool:
        """Whether this or an earlier attempt of the extraction has read a document."""
        return self.requests > 0 or self.checkpoint is None or self.checkpoint.is_loaded

    @property
    def has_grown(self) -> bool:
        """Whether this attempt has read documents that the next one can skip."""
        return self.checkpoint is not None and self.checkpoint.has_grown

    async def count_request(self) -> None:
        """Count a request that is about to be sent; raises the errors of ``more``."""
        while self.more and self.requests >= self.permitted:
            self.permitted += await self.more()
        self.requests += 1

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Inside the block the extraction reads the registry, outside it the graph."""
        try:
            yield
        except asyncio.CancelledError:
            self.interrupted = True
            raise


_scope: ContextVar[RequestScope | None] = ContextVar("request_scope", default=None)


@contextmanager
def request_scope(scope: RequestScope) -> Iterator[RequestScope]:
    """Requests inside the block, and in tasks that it starts, belong to ``scope``."""
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


def current_scope() -> RequestScope | None:
    """The scope of the current block."""
    return _scope.get()


def stored_response(question: str) -> Response | None:
    """The response to an earlier attempt of this extraction, if kept."""
    scope = _scope.get()
    if scope is None or scope.checkpoint is None:
        return None
    if not (answer := scope.checkpoint.answer(question, at=now())):
        return None
    scope.as_of = min(scope.as_of or answer.read_at, answer.read_at)
    return Response(answer.url, HTTPStatus.OK, answer.body, Headers(answer.headers.items()))


def store_response(question: str, answer: Response) -> None:
    """Keep a response for the next attempt, in case this one is delayed."""
    scope = _scope.get()
    if scope and scope.checkpoint and answer.status == HTTPStatus.OK:
        kept = StoredResponse(answer.url, answer.body, dict(answer.headers), now())
        scope.checkpoint.store_response(question, kept)


def stored_result(url: str) -> bytes | None:
    """The result of the document at that URL from an earlier attempt."""
    scope = _scope.get()
    return scope.checkpoint.result(url) if scope and scope.checkpoint else None


def store_result(url: str, result: bytes) -> None:
    """Keep the result of a document for the next attempt, instead of the document."""
    scope = _scope.get()
    if scope and scope.checkpoint:
        scope.checkpoint.replace(url, result)
