"""Tables that stay readable on a narrow terminal.

rich narrows the widest column first, whatever it contains, and then breaks words letter by letter.
:class:`Listing` gives each column the width of its longest word before it shares out the rest. If
the terminal has no room for that, each row becomes a block of lines with names and values. Columns
that should stay on one line wrap at words before that.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 2
"""Columns of the terminal between two columns of a table."""

LONGEST_WORD = 30
"""Longer words, such as URLs, may be broken."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A renderable table without borders.

    Args:
        columns: headings.
        rows: cells, as many as headings.
        title: a line above it.
        right: headings of the right-aligned columns (numbers), which never wrap.
        whole: headings of the other columns that should not wrap.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Text]]
    title: str | None
    right: Collection[str]
    whole: Collection[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A table where it fits, else one block per row."""
        nothing: frozenset[str] = frozenset()
        for whole in (self.whole, nothing):
            widths = self._widths(options.max_width, whole)
            if widths is not None:
                yield self._table(widths)
                return
        if self.title:
            yield Text(self.title, "bold")
        for number, row in enumerate(self.rows):
            if number or self.title:
                yield ""
            yield facts((name, cell) for name, cell in zip(self.columns, row, strict=True) if cell)

    def _widths(self, width: int, whole: Collection[str]) -> list[int] | None:
        """The width of each column; ``None`` if a word or a whole column would be broken."""
        least, most = [], []
        for number, heading in enumerate(self.columns):
            cells = [heading, *(row[number].plain for row in self.rows)]
            most.append(max(cell_len(line) for cell in cells for line in cell.split("\n")))
            wraps = heading not in self.right and heading not in whole
            least.append(min(longest_word(cells), LONGEST_WORD) if wraps else most[-1])
        return share_out(width - GAP * (len(self.columns) - 1), least, most)

    def _table(self, widths: Sequence[int]) -> Table:
        made = Table(
            title=self.title,
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
            header_style="dim",
            padding=(0, GAP - 1, 0, 0),  # the box has one more
            pad_edge=False,
            show_edge=False,
        )
        for heading, width in zip(self.columns, widths, strict=True):
            made.add_column(
                heading,
                justify="right" if heading in self.right else "left",
                overflow="fold",
                width=width,
            )
        for row in self.rows:
            made.add_row(*row)
        return made


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and their values, side by side; on a narrow terminal each value is below its name."""

    pairs: Sequence[tuple[str, Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Two columns where the values have room for their words."""
        names = max((cell_len(name) for name, _ in self.pairs), default=0)
        words = longest_word(value.plain for _, value in self.pairs)
        if names + GAP + min(words, LONGEST_WORD) > options.max_width:
            for name, value in self.pairs:
                yield Text(name, "dim")
                yield Padding(value, (0, 0, 0, GAP))
            return
        made = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
        made.add_column(style="dim", no_wrap=True)
        made.add_column(overflow="fold")
        for pair in self.pairs:
            made.add_row(*pair)
        yield made


def facts(pairs: Iterable[tuple[str, object]]) -> Facts:
    """A table of names and values without headings."""
    return Facts([(name, as_text(value)) for name, value in pairs])


def as_text(cell: object) -> Text:
    """Strings are printed literally; ``Text`` keeps its style."""
    return cell if isinstance(cell, Text) else Text(str(cell))


def longest_word(texts: Iterable[str]) -> int:
    """The width of the longest word; 0 if there is none."""
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def share_out(room: int, least: Sequence[int], most: Sequence[int]) -> list[int] | None:
    """Widths between ``least`` and ``most`` that fit into the room; ``None`` if none do.

    The room that remains beyond the least widths is shared equally. A column that needs less than
    its share leaves the rest to the others.
    """
    left = room - sum(least)
    if left < 0:
        return None
    widths = list(least)
    wishes = sorted((most[column] - least[column], column) for column in range(len(least)))
    for number, (wish, column) in enumerate(wishes):
        given = min(wish, left // (len(wishes) - number))
        widths[column] += given
        left -= given
    return widths
