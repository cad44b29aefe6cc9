"""Progress of the start of the stack: bars on a terminal, lines in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Advance = Callable[[int], None]
"""Called with the number of bytes that arrived; negative if they were discarded."""

LINE_INTERVAL = 5.0  # seconds between lines about one download


class StartProgress(Protocol):
    """Shows the progress; called from several threads."""

    def say(self, text: str) -> None:
        """Print one line about an event."""
        ...

    def download(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Show a download of ``total`` bytes during the block."""
        ...


class LineProgress:
    """Plain lines, for logs and pipes."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """``write`` receives each line."""
        self.say = write

    @contextmanager
    def download(self, title: str, total: int) -> Iterator[Advance]:
        """Print a line at the start, one every few seconds, and one at the end."""
        done = 0
        last = time.monotonic()

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            if time.monotonic() - last >= LINE_INTERVAL:
                last = time.monotonic()
                self.say(f"{title}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

        self.say(f"{title}: downloading {total / 1e6:.0f} MB")
        yield advance
        self.say(f"{title}: downloaded")


class BarProgress:
    """One progress bar on a terminal, other lines above it."""

    def __init__(self, console: Console) -> None:
        """``console`` shows the bar and the lines."""
        self._console = console
        self.say = line_writer(console)

    @contextmanager
    def download(self, title: str, total: int) -> Iterator[Advance]:
        """Show the bar; it stays when it is full."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        ) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.advance(task, count)


def progress_for(console: Console) -> StartProgress:
    """The progress for this kind of console."""
    if console.is_terminal:
        return BarProgress(console)
    return LineProgress(line_writer(console))


def line_writer(console: Console) -> Callable[[str], None]:
    """A function that prints a line literally: no markup, no colours, no wrapping."""
    return partial(console.print, highlight=False, markup=False, soft_wrap=True)
