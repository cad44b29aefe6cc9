"""The progress of a migration, on a terminal and in a pipe."""

import io
import re
from contextlib import suppress

import pytest
from rich.console import Console

from ssc_ingest.cli.commands.migrate import Watch


def watched(*, terminal: bool, interrupted: bool = False) -> list[str]:
    """The final lines about four steps."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, color_system=None, width=80)
    with suppress(KeyboardInterrupt), Watch(console) as watch:
        watch.begin("empty", 0)
        watch.begin("continued", 1200, done=1000)
        watch.advance(250)
        watch.begin("uncounted", None)
        watch.begin("last", 5)
        watch.advance(3)
        if interrupted:
            raise KeyboardInterrupt
    lines = re.sub(r"\x1b\[\S*?[A-Za-z]", "", stream.getvalue()).replace("\r", "\n").splitlines()
    return [line for line in lines if line][-4:]


@pytest.mark.parametrize(("interrupted", "last"), [(False, "5/5"), (True, "3/5")])
def test_a_terminal_shows_what_was_done(*, interrupted: bool, last: str) -> None:
    """An empty or interrupted step does not claim more, and one without a count claims nothing."""
    found = [
        re.findall(r"\S+/\S+", line) for line in watched(terminal=True, interrupted=interrupted)
    ]
    assert found == [["0/0"], ["1,250/1,250"], [], [last]]


def test_a_pipe_names_the_same_steps() -> None:
    """With the size that each is expected to have."""
    assert watched(terminal=False) == ["empty: 0", "continued: 1,200", "uncounted", "last: 5"]
