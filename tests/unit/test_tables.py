"""Tables on terminals of every width: no line is too long, and no short word is broken."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ssc_ingest.cli import output
from ssc_ingest.cli.tables import share_out

HEADINGS = ["job", "requested by", "when", "state", "packages"]
WORDS = st.text("abcdefghijklmnop0123456789:/.-", min_size=1, max_size=20)
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
ROWS = st.lists(st.tuples(*([TEXTS] * len(HEADINGS))), max_size=5)


def rendered(rows: Sequence[Sequence[str]], width: int) -> str:
    """The table as a terminal of this width shows it."""
    stream = io.StringIO()
    made = output.table(HEADINGS, rows, title="jobs", right=["packages"], whole=["job"])
    Console(file=stream, width=width).print(made)
    return stream.getvalue()


@given(rows=ROWS, width=st.integers(40, 200))
def test_no_word_is_broken(rows: list[tuple[str, ...]], width: int) -> None:
    """All words of all cells are there, and every line fits."""
    text = rendered(rows, width)
    shown = set(text.split())
    assert {word for row in rows for cell in row for word in cell.split()} <= shown
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_where_it_fits(width: int) -> None:
    """The long text wraps at its words; the others stay on one line."""
    rows = [("3f2a91c07b5e", "pkg:pypi/rich and 2 more", "5 minutes ago", "running", "7/9")]
    heading, _, *lines = rendered(rows, width).splitlines()[1:]
    assert heading.split() == " ".join(HEADINGS).split()
    assert len(lines) == 1


def test_blocks_where_it_does_not() -> None:
    """One name and value per line, without the empty ones."""
    rows = [
        ("3f2a91c07b5e", "pkg:pypi/a-rather-long-name", "5 minutes ago", "running", ""),
        ("88e1a2b3c4d5", "pkg:pypi/rich", "2 hours ago", "done", "9/9"),
    ]
    assert [line.rstrip() for line in rendered(rows, 44).splitlines()] == [
        "jobs",
        "",
        "job           3f2a91c07b5e",
        "requested by  pkg:pypi/a-rather-long-name",
        "when          5 minutes ago",
        "state         running",
        "",
        "job           88e1a2b3c4d5",
        "requested by  pkg:pypi/rich",
        "when          2 hours ago",
        "state         done",
        "packages      9/9",
    ]


@given(
    columns=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=8),
    room=st.integers(0, 300),
)
def test_shares_fit(columns: list[tuple[int, int]], room: int) -> None:
    """Each column gets at least the least; all of the room is used if it is wanted."""
    least = [low for low, _ in columns]
    most = [low + more for low, more in columns]
    widths = share_out(room, least, most)
    if sum(least) > room:
        assert widths is None
        return
    assert widths is not None
    assert all(a <= b <= c for a, b, c in zip(least, widths, most, strict=True))
    assert sum(widths) == min(room, sum(most))
