"""Translation of the Redis client's exceptions."""

import pytest
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the client's own
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    TimeoutError,  # noqa: A004 - the client's own
)

from ssc_ingest.errors import (
    ConfigurationError,
    IngestError,
    StoreRefusesAccess,
    StoreUnavailable,
)
from ssc_ingest.work.redis_errors import translated

ERRORS = [
    (AuthenticationError("invalid username-password pair"), StoreRefusesAccess),
    (NoPermissionError("this user has no permissions"), StoreRefusesAccess),
    (ReadOnlyError("a replica"), ConfigurationError),
    (ConnectionError("refused"), StoreUnavailable),
    (TimeoutError("silent"), StoreUnavailable),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
def test_errors_of_the_client(error: RedisError, expected: type[IngestError]) -> None:
    """Each becomes one error of this program, with the client's text and the cause."""
    with pytest.raises(expected, match=str(error)) as caught, translated():
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("store", "setting"), [("redis", "REDIS_PASSWORD"), ("stream", "STREAM_REDIS_URL")]
)
def test_a_refused_password(store: str, setting: str) -> None:
    """The text names the server and the setting."""
    with (
        pytest.raises(StoreRefusesAccess, match=f"the {store} store .*{setting}") as caught,
        translated(store),
    ):
        raise AuthenticationError("no")
    assert setting in caught.value.remedy


def test_an_error_without_text() -> None:
    """Its type stands for it."""
    with pytest.raises(StoreUnavailable, match="ConnectionError"), translated():
        raise ConnectionError


def test_other_errors_stay() -> None:
    """What is not of Redis, such as a closed pipe of the output, does not become one of Redis."""
    with pytest.raises(BrokenPipeError), translated():
        raise BrokenPipeError
