"""What the requests of one extraction or run have in common, wherever they are sent from."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

import httpx

from ssc_ingest.http.checkpoint import FetchCheckpoint, StoredResponse
from ssc_ingest.http.responses import Response
from ssc_ingest.models import now


@dataclass(slots=True)
class RequestScope:
    """What the requests of one extraction share; see :func:`request_scope`."""

    urgent: bool = False
    timeout: float | None = None
    """Seconds that a server may be silent; ``None``: as long as the client waits anyway."""
    checkpoint: FetchCheckpoint | None = None
    """What is read is kept for a next execution; ``None``: it is not, as in runs, which read a
    registry from end to end."""
    requests: int = 0
    interrupted: bool = False
    """The extraction was cancelled while it was :meth:`reading`."""
    as_of: datetime | None = None
    """The age of the oldest answer that was not asked for now; ``None``: all of them were."""

    @property
    def begun(self) -> bool:
        """Whether this extraction, or an earlier execution of it, has read anything."""
        return self.requests > 0 or self.checkpoint is None or self.checkpoint.is_loaded

    @property
    def has_grown(self) -> bool:
        """Whether this execution has read anything that the next one need not read."""
        return self.checkpoint is not None and self.checkpoint.has_grown

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Inside the block, the registry is being read; outside, it is the graph."""
        try:
            yield
        except asyncio.CancelledError:
            self.interrupted = True
            raise


_scope: ContextVar[RequestScope | None] = ContextVar("request_scope", default=None)


@contextmanager
def request_scope(scope: RequestScope) -> Iterator[RequestScope]:
    """Requests inside the block (and in tasks that it starts) count into ``scope``."""
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


def current_scope() -> RequestScope | None:
    """The scope of the block that this runs in."""
    return _scope.get()


def stored_response(question: str) -> Response | None:
    """What an earlier execution of this extraction was answered, if it left something."""
    scope = _scope.get()
    if scope is None or scope.checkpoint is None:
        return None
    if not (answer := scope.checkpoint.answer(question, at=now())):
        return None
    scope.as_of = min(scope.as_of or answer.read_at, answer.read_at)
    return Response(answer.url, httpx.codes.OK, answer.body, httpx.Headers(answer.headers))


def store_response(question: str, answer: Response) -> None:
    """Leave an answer for the next execution of this extraction, should this one be put off."""
    scope = _scope.get()
    if scope and scope.checkpoint and answer.status == httpx.codes.OK:
        kept = StoredResponse(answer.url, answer.body, dict(answer.headers), now())
        scope.checkpoint.store_response(question, kept)


def stored_result(url: str) -> bytes | None:
    """What an earlier execution of this extraction has made of the document at that address."""
    scope = _scope.get()
    return scope.checkpoint.result(url) if scope and scope.checkpoint else None


def store_result(url: str, result: bytes) -> None:
    """Leave to the next execution what was made of a document, instead of the document."""
    scope = _scope.get()
    if scope and scope.checkpoint:
        scope.checkpoint.replace(url, result)
