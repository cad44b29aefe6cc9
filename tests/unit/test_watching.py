"""A report that is shown repeatedly: on a terminal in place, otherwise one after another."""

import io

import pytest
from rich.console import Console

from ssc_ingest.cli import output
from ssc_ingest.cli.watching import Screen

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
"""The sequences that switch to a terminal's alternate screen and back."""

SHOW_CURSOR = "\x1b[?25h"
CLEAR = "\x1b[2J"


def shown(*reports: str, terminal: bool, height: int = 10) -> str:
    """The output of reports, each of many lines."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=60, height=height)
    with Screen(console) as screen:
        for text in reports:
            screen.show([text, output.table(["a"], [["b"]])], hint="every 2 s")
    return stream.getvalue()


def test_a_terminal_is_overwritten_and_restored() -> None:
    """Both reports are in the alternate screen, which is never cleared."""
    text = shown("first", "second", terminal=True)
    assert text.index(ENTER) < text.index("first") < text.index("second") < text.index(LEAVE)
    assert CLEAR not in text
    assert SHOW_CURSOR in text[text.index("second") :]


def test_what_has_no_room_is_counted() -> None:
    """The last line says how many lines are hidden."""
    text = shown("\n".join(map(str, range(30))), terminal=True)
    assert "every 2 s" in text
    assert "26 more lines: enlarge the terminal" in text


def test_a_pipe_gets_one_report_after_another() -> None:
    """Plain text, each report below its time."""
    text = shown("first", "second", terminal=False)
    assert text.count("--- ") == 2
    assert "\x1b" not in text
    assert text.index("first") < text.index("second")


def test_an_interrupted_watch_restores_the_terminal() -> None:
    """Ctrl-C leaves the alternate screen."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=60, height=10)
    with pytest.raises(KeyboardInterrupt), Screen(console):
        raise KeyboardInterrupt
    assert LEAVE in stream.getvalue()
