"""One stream on the terminal for the output of all children of ``up``.

Every line starts with the child's name. Until the fleet is ready only warnings and errors are
shown, so that the progress of the start stays visible. The supervisor keeps the last lines of each
child for its error message.
"""

import re
from collections.abc import Callable, Collection
from itertools import cycle

from rich.console import Console
from rich.text import Text

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
    """Prints the children's lines; called from the threads that read them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._colors = cycle(["cyan", "magenta", "green", "blue", "bright_cyan", "bright_magenta"])
        self.shown: Collection[str | None] = WARNINGS

    def of(self, name: str) -> Callable[[str], None]:
        """The function that prints the lines of one child."""
        color = next(self._colors)
        level: str | None = None

        def show(line: str) -> None:
            nonlocal level
            if match := LEVEL.search(line):
                level = match["text"] or match["json"]
            # A line without a level continues the one before it, such as a traceback.
            if line.strip() and level in self.shown:
                prefix = (f"{name:13} ", color)
                self._console.print(
                    Text.assemble(prefix, (line, STYLES.get(level or "", "dim"))), soft_wrap=True
                )

        return show
