"""SIGTERM ends a command as Ctrl-C does: it gives back its locks, its lease and the terminal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def orderly() -> Iterator[None]:
    """Within the block, SIGTERM interrupts; the process then ends by the signal.

    A second SIGTERM ends it at once.
    """
    was_received = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal was_received
        del number, frame
        was_received = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in a script's background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if was_received:
            with suppress(OSError):
                sys.stdout.flush()
            signal.raise_signal(signal.SIGTERM)
