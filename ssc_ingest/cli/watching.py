"""Shows a report repeatedly: in place on a terminal, one after another in a pipe."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from ssc_ingest.cli import output


class Screen:
    """The alternate screen of a terminal while the block runs.

    Each report overwrites the one before it line by line, so nothing flickers. At the end the
    terminal has its earlier contents.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._in_place = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._in_place:
            self._stack.enter_context(self._live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, parts: Iterable[RenderableType], *, hint: str) -> None:
        """Show a report below a line with the time and, on a terminal, the hint."""
        moment = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
        if self._in_place:
            title = Text.assemble((moment, "bold"), (f"  {hint}", "dim"))
            self._live.update(_Page([title, "", *parts]), refresh=True)
        else:
            output.show(self._console, [f"--- {moment}", *parts, ""])
            sys.stdout.flush()


class _Page:
    """As many lines as the terminal has; the last one has the number of missing lines."""

    def __init__(self, parts: Iterable[RenderableType]) -> None:
        self._parts = Group(*parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._parts, options.update(height=None), pad=False)
        height = console.height
        hidden = len(lines) - height + 1 if len(lines) > height else 0
        for line in lines[: height - 1] if hidden else lines:
            yield from line
            yield Segment.line()
        if hidden:
            yield Text(f"{output.count(hidden, 'more line')}: enlarge the terminal", "dim")
