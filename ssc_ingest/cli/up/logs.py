"""One stream on the terminal for the output of all children of ``up``.

Every line starts with the child's name, and is kept in the child's file (:mod:`.log_files`). Until
the fleet is ready only warnings and errors are shown, so that the progress of the start stays
visible. The supervisor keeps the last lines of each child for its error message.
"""

import re
from collections.abc import Callable, Collection
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ssc_ingest.cli.up.log_files import LogWriter

LEVEL = re.compile(
    r"\[(?P<text>debug|info|warning|error|critical) *\]"
    r'|"level": "(?P<json>debug|info|warning|error|critical)"'
)
"""The level in our log lines, as text and as JSON."""

ERRORS = frozenset({"error", "critical"})
WARNINGS = ERRORS | {"warning"}
EVERYTHING = WARNINGS | {None, "debug", "info"}
"""Levels to show; ``None`` stands for lines before the first level."""

STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}


class ChildLogs:
    """Prints the children's lines; called from the threads that read them.

    Args:
        console: where they are printed.
        keep_in: the DATA_DIR in which they are kept; ``None``: they are only printed.
    """

    def __init__(self, console: Console, *, keep_in: Path | None = None) -> None:
        self._console = console
        self._keep_in = keep_in
        self._writers: list[LogWriter] = []
        self._colors = cycle(["cyan", "magenta", "green", "blue", "bright_cyan", "bright_magenta"])
        self.shown: Collection[str | None] = WARNINGS

    def of(self, name: str) -> Callable[[str], None]:
        """The function that prints the lines of one child."""
        keep = self.keeper(name)
        color = next(self._colors)
        level: str | None = None

        def show(line: str) -> None:
            nonlocal level
            keep(line)
            if match := LEVEL.search(line):
                level = match["text"] or match["json"]
            # A line without a level continues the one before it, such as a traceback.
            if line.strip() and level in self.shown:
                prefix = (f"{name:13} ", color)
                self._console.print(
                    Text.assemble(prefix, (line, STYLES.get(level or "", "dim"))), soft_wrap=True
                )

        return show

    def keeper(self, name: str) -> Callable[[str], None]:
        """The function that only keeps the lines of one process."""
        if self._keep_in is None:
            return lambda _: None
        try:
            writer = LogWriter(self._keep_in, name)
        except OSError as error:
            self._console.print(Text(f"the log of {name} is not kept: {error}", "yellow"))
            return lambda _: None
        self._writers.append(writer)
        return writer.write

    def close(self) -> None:
        """Close all files, when the children have ended."""
        for writer in self._writers:
            writer.close()
