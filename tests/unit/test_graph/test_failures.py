"""The classification of the driver's errors."""

import pytest
from neo4j.exceptions import (
    AuthError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)
from neo4j.exceptions import (
    ConfigurationError as DriverConfigurationError,
)

from ssc_ingest.errors import (
    ConfigurationError,
    GraphRefused,
    IngestError,
    StoreRefusesAccess,
    StoreUnavailable,
)
from ssc_ingest.graph.errors import Cause, cause_of, is_deadlock, translate, translated


def server_error(code: str, message: str = "because") -> Neo4jError:
    """An error from the server."""
    return Neo4jError._hydrate_neo4j(code=code, message=message)


CODES = [
    ("Neo.TransientError.Transaction.DeadlockDetected", Cause.TRANSIENT, StoreUnavailable),
    ("Neo.TransientError.General.DatabaseUnavailable", Cause.TRANSIENT, StoreUnavailable),
    ("Neo.TransientError.Transaction.Terminated", Cause.TRANSIENT, StoreUnavailable),
    ("Neo.TransientError.Transaction.LockClientStopped", Cause.TRANSIENT, StoreUnavailable),
    ("Neo.ClientError.Cluster.NotALeader", Cause.TRANSIENT, StoreUnavailable),
    ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", Cause.TOO_BIG, GraphRefused),
    (
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
        Cause.TOO_BIG,
        StoreUnavailable,
    ),
    ("Neo.ClientError.Security.Unauthorized", Cause.SETUP, StoreRefusesAccess),
    ("Neo.ClientError.Security.Forbidden", Cause.SETUP, StoreRefusesAccess),
    ("Neo.ClientError.Schema.ConstraintValidationFailed", Cause.ROWS, GraphRefused),
    ("Neo.ClientError.Statement.SyntaxError", Cause.ROWS, GraphRefused),
    ("Neo.DatabaseError.General.UnknownError", Cause.ROWS, GraphRefused),
]


@pytest.mark.parametrize(("code", "cause", "kind"), CODES)
def test_codes_of_the_server(code: str, cause: Cause, kind: type[IngestError]) -> None:
    """Each code has one cause and one error of this program."""
    error = server_error(code)

    assert cause_of(error) is cause
    assert type(translate(error, "this")) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceUnavailable("away"), StoreUnavailable),
        (SessionExpired("gone"), StoreUnavailable),
        (ConnectionResetError("reset"), StoreUnavailable),
        (DriverConfigurationError("no such scheme"), ConfigurationError),
        (AuthError("wrong password"), StoreRefusesAccess),
    ],
)
def test_errors_of_the_driver(error: Exception, kind: type[IngestError]) -> None:
    """Lost connections are retried, settings must be changed. The cause is kept."""
    with pytest.raises(kind) as caught, translated("this"):
        raise error

    assert caught.value.__cause__ is error


def test_deadlocks_are_counted() -> None:
    """Deadlocks are the only transient error that this program causes."""
    assert is_deadlock(server_error("Neo.TransientError.Transaction.DeadlockDetected"))
    assert not is_deadlock(server_error("Neo.TransientError.General.DatabaseUnavailable"))
    assert not is_deadlock(ValueError())


def test_long_messages_are_cut() -> None:
    """The server quotes rejected data, which may be megabytes."""
    error = server_error("Neo.ClientError.Schema.IndexNotApplicable", "x" * 100_000)

    text = str(translate(error, "pkg:pypi/web"))

    assert "pkg:pypi/web" in text
    assert len(text) < 1_000


def test_a_bug_stays_a_bug() -> None:
    """An exception of other code is not converted."""
    with pytest.raises(ZeroDivisionError), translated("this"):
        raise ZeroDivisionError
