"""Translation of the Redis client's exceptions; only this module classifies them."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from ssc_ingest.errors import (
    ConfigurationError,
    IngestError,
    StoreRefusesAccess,
    StoreUnavailable,
)
from ssc_ingest.work.waiting import REDIS

STREAM = "stream"
"""The name of the Redis with other services' streams, if that is another server."""

_CREDENTIALS = {
    REDIS: "correct REDIS_USERNAME and REDIS_PASSWORD, or those parts of REDIS_URL",
    STREAM: "correct the user name and the password in STREAM_REDIS_URL, or those of REDIS_URL",
}


def translate(error: RedisError, store: str = REDIS) -> IngestError:
    """Convert an exception of the client to an error of this program."""
    text = str(error) or type(error).__name__
    match error:
        case AuthenticationError() | NoPermissionError():
            return StoreRefusesAccess(store, text, _CREDENTIALS[store])
        case ResponseError():
            return ConfigurationError(
                f"Redis refuses: {text}; see REDIS_DB and the settings beside it"
            )
        case _:
            return StoreUnavailable(store, text)


def explain(error: RedisError) -> str:
    """The error for a log; if Redis rejects our credentials, with the settings to correct."""
    made = translate(error)
    return str(made if isinstance(made, StoreRefusesAccess) else error)


@contextmanager
def translated(store: str = REDIS) -> Iterator[None]:
    """Run commands and convert their exceptions, with the cause.

    Args:
        store: ``redis`` or ``stream``.

    Raises:
        StoreUnavailable: the server does not respond.
        StoreRefusesAccess: it rejects our credentials, or grants too few rights.
        ConfigurationError: it refuses a command.
    """
    try:
        yield
    except RedisError as error:
        raise translate(error, store) from error
