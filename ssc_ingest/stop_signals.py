"""Signals that stop a foreground process: the first one in order, a second one at once.

A closed terminal is SIGHUP. Its shell and the kernel both send it, so SIGHUP is never the second
one. ``nohup`` ignores it for a command that outlives its terminal.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_ignored(number: signal.Signals) -> bool:
    """Whether it is the SIGHUP of a command that outlives its terminal."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


class StopSignals:
    """Handles Ctrl-C, SIGTERM and SIGHUP within the block, in the main thread.

    Args:
        stop: called for the first signal; may raise.
        hurry: called for each of the later ones.
    """

    def __init__(self, stop: Callable[[], None], hurry: Callable[[], None]) -> None:
        self._stop = stop
        self._hurry = hurry
        self._is_stopping = False
        self._before: dict[signal.Signals, object] = {}

    def stopping(self) -> None:
        """The end has begun without a signal: the next one is no longer the first."""
        self._is_stopping = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._is_stopping:
            self._is_stopping = True
            self._stop()
        elif number != signal.SIGHUP:
            self._hurry()

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            if not is_ignored(number):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
