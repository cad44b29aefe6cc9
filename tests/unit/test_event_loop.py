"""The workers' event loop: which of its errors are logged."""

import logging
import sys

import pytest

from workers.process.event_loop import LOST_TLS, new_event_loop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the loop is uvloop's")


@pytest.mark.parametrize(
    ("message", "error", "lines"),
    [
        (LOST_TLS, RuntimeError("the handler is closed"), 0),
        (LOST_TLS, ValueError("a bug"), 1),
        ("Unhandled exception in event loop", RuntimeError("a bug"), 1),
    ],
)
def test_lost_tls_connection_is_no_error(
    message: str, error: Exception, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The reader of the connection learns of the loss; only other errors have a traceback."""
    loop = new_event_loop()
    with caplog.at_level(logging.INFO):
        loop.call_exception_handler({"message": message, "exception": error})
    loop.close()
    assert [record.getMessage() for record in caplog.records] == [message] * lines
