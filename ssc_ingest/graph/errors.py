"""Classification of the Neo4j driver's exceptions; only this module reads its error codes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from neo4j.exceptions import AuthError, DriverError, IncompleteCommit, Neo4jError
from neo4j.exceptions import ConfigurationError as DriverConfigurationError

from ssc_ingest.errors import (
    ConfigurationError,
    GraphRefused,
    IngestError,
    StoreRefusesAccess,
    StoreUnavailable,
)

_TIMED_OUT = ("TransactionTimedOut", "TransactionTimedOutClientConfiguration")
_TOO_BIG = ("MemoryPoolOutOfMemoryError", "TransactionOutOfMemoryError", *_TIMED_OUT)
"""Endings of error codes of transactions that were too large for the server."""

_INTERRUPTED = ("Transaction.Terminated", "Transaction.LockClientStopped", "DatabaseNotFound")
"""Endings of client error codes that concern the server (stopping, starting), not the rows."""


class Cause(Enum):
    """The reasons of a failed transaction, by remedy."""

    TRANSIENT = auto()
    """The server is unavailable or busy, or two transactions collided: retry later."""
    TOO_BIG = auto()
    """The transaction needs more memory or time than the server grants: split it."""
    SETUP = auto()
    """Address, credentials or rights are wrong: an operator has to change a setting."""
    ROWS = auto()
    """The server or the driver rejects the data: the same rows would be rejected again."""


def cause_of(error: BaseException) -> Cause:
    """Classify an exception of the driver."""
    code = (error.code or "") if isinstance(error, Neo4jError) else ""
    if code.endswith(_TOO_BIG):
        return Cause.TOO_BIG
    if ".Security." in code or isinstance(error, (AuthError, DriverConfigurationError)):
        return Cause.SETUP
    if isinstance(error, Neo4jError):
        transient = error.is_retryable() or code.endswith(_INTERRUPTED)
    else:
        transient = isinstance(error, (DriverError, OSError))
    return Cause.TRANSIENT if transient else Cause.ROWS


NOT_THE_ROWS = frozenset({Cause.TRANSIENT, Cause.SETUP})
"""Causes that would also affect each part of a split transaction."""


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed later."""
    return cause_of(error) is Cause.TRANSIENT


def is_deadlock(error: BaseException) -> bool:
    """Whether two transactions waited for each other's locks."""
    return isinstance(error, Neo4jError) and (error.code or "").endswith("DeadlockDetected")


def is_commit_in_doubt(error: BaseException) -> bool:
    """Whether the connection broke during the commit, or was given up, so its result is unknown."""
    return isinstance(error, (IncompleteCommit, asyncio.CancelledError))


def is_statement_in_doubt(error: BaseException) -> bool:
    """Whether a statement that is a whole transaction may have been committed nevertheless."""
    return isinstance(error, (DriverError, OSError, asyncio.CancelledError))


def translate(error: Exception, subject: str) -> IngestError:
    """Convert a driver exception to an error of this program; ``subject`` names the operation."""
    if isinstance(error, Neo4jError) and (error.code or "").endswith(_TIMED_OUT):
        return StoreUnavailable("graph", _text(error))
    match cause_of(error):
        case Cause.TRANSIENT:
            return StoreUnavailable("graph", _text(error))
        case Cause.SETUP:
            return _setup(error)
        case Cause.TOO_BIG | Cause.ROWS:
            return GraphRefused(f"the graph refused {subject}: {_text(error)}")


def _setup(error: Exception) -> ConfigurationError:
    remedy = "correct GRAPH_DB_URI, GRAPH_DB_USER and GRAPH_DB_PASSWORD"
    if isinstance(error, DriverConfigurationError):
        return ConfigurationError(f"the graph cannot be used: {_text(error)}; {remedy}")
    return StoreRefusesAccess("graph", _text(error), remedy)


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Run driver calls and convert their exceptions, with the cause.

    Raises:
        StoreUnavailable: the server is unavailable or busy.
        ConfigurationError: the address is wrong.
        StoreRefusesAccess: credentials or rights are wrong.
        GraphRefused: the server rejects the statement or its data.
    """
    try:
        yield
    except (Neo4jError, DriverError, OSError) as error:
        raise translate(error, subject) from error


def _text(error: BaseException) -> str:
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return message if len(message) <= 500 else f"{message[:500]}..."  # noqa: PLR2004
