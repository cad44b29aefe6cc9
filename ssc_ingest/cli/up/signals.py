"""Signals to a foreground process: the first one stops it in order, the second one at once."""

import os
import signal
from types import FrameType
from typing import Self

from ssc_ingest.cli.exit_codes import ExitCode

ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP; raised in the main thread."""


class StopSignals:
    """Within the block, the first signal raises :class:`StopRequested` and the second one exits."""

    def __init__(self) -> None:
        self._stopping = False
        self._before: dict[signal.Signals, object] = {}

    def stopping(self) -> None:
        """The shutdown has started: from now on a signal exits at once."""
        self._stopping = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._stopping:
            # The children end with this process, a moment later.
            os._exit(ExitCode.INTERRUPTED)
        self._stopping = True
        raise StopRequested

    def __enter__(self) -> Self:
        for number in ASKED_TO_STOP:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
