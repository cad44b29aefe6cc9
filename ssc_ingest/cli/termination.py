"""SIGTERM and SIGHUP end a command as Ctrl-C does: it gives back its locks, lease and terminal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ssc_ingest.stop_signals import is_ignored


@contextmanager
def orderly() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP interrupt; the process then ends by the signal.

    A SIGTERM after that ends it at once.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        if len(received) > 1:  # of the same closed terminal, or of the end of the session
            return
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in a script's background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if not is_ignored(number):
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        if received:
            with suppress(OSError):
                sys.stdout.flush()
            signal.signal(received[0], signal.SIG_DFL)
            signal.raise_signal(received[0])
