"""The progress of the stack's start."""

import io

from rich.console import Console

from ssc_ingest.embedded import BarProgress, LineProgress, progress_for


def test_a_log_gets_lines() -> None:
    """Without a terminal, the progress is whole lines without control characters."""
    output = io.StringIO()
    progress = progress_for(Console(file=output, width=40))
    assert isinstance(progress, LineProgress)
    with progress.download("Neo4j server (2 jars)", 131_000_000) as advance:
        advance(131_000_000)
    long_line = (
        "Neo4j is ready at [bolt://127.0.0.1:7687], and this line is longer than the console"
    )
    progress.say(long_line)
    assert output.getvalue().splitlines() == [
        "Neo4j server (2 jars): downloading 131 MB",
        "Neo4j server (2 jars): downloaded",
        long_line,
    ]


def test_a_terminal_gets_one_bar() -> None:
    """On a terminal, the download is one bar, which is full at the end."""
    output = io.StringIO()
    progress = progress_for(Console(file=output, width=100, force_terminal=True))
    assert isinstance(progress, BarProgress)
    with progress.download("Neo4j server (2 jars)", 131_000_000) as advance:
        advance(140_000_000)
        advance(-9_000_000)
    assert "131.0/131.0 MB" in output.getvalue()
