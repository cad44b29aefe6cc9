"""Output of commands: tables and sentences for people on stdout, JSON for programs.

Progress and remarks go to stderr, so that stdout can be piped. Without a terminal the output has no
colours and full lines. rich is imported with the first output, when a command has done its work.
"""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssc_ingest.phrases import age, count, duration, number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from ssc_ingest.cli import tables

__all__ = [
    "NOT_SYNCED",
    "JSONOption",
    "Row",
    "age",
    "console",
    "count",
    "day",
    "duration",
    "facts",
    "json_line",
    "number",
    "print_json",
    "say",
    "table",
    "write",
]

JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]

WIDE = 200
"""Width of output that does not go to a terminal."""

NOT_SYNCED = "not synced"
"""Shown instead of 0 while vulnerabilities are unknown."""

Row = Sequence[object]


def console(*, stderr: bool = False) -> "Console":
    """A console as wide as the terminal; pipes get a fixed width."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(stderr=stderr, highlight=False)
    width = shutil.get_terminal_size((WIDE, 24)).columns
    return Console(stderr=stderr, highlight=False, width=width)


def say(text: "str | Text" = "", *, style: str = "", stderr: bool = False) -> None:
    """Print one paragraph to stdout or stderr; see :func:`write`."""
    write(console(stderr=stderr), text, style=style)


def write(out: "Console", text: "str | Text", *, style: str = "") -> None:
    """Print one paragraph, literally (no markup), wrapped at words on a terminal only."""
    from rich.text import Text

    paragraph = text if isinstance(text, Text) else Text(text, style=style)
    out.print(paragraph, soft_wrap=not out.is_terminal)


def show(out: "Console", parts: "Iterable[RenderableType]") -> None:
    """Print the parts of a report: texts as :func:`write` does, tables as wide as the console."""
    from rich.text import Text

    for part in parts:
        if isinstance(part, (str, Text)):
            write(out, part)
        else:
            out.print(part)


def print_json(document: Any) -> None:
    """Print one JSON document, with times in ISO 8601."""
    sys.stdout.write(json.dumps(document, indent=2, default=_plain, ensure_ascii=False) + "\n")


def json_line(document: Any) -> str:
    """A JSON document on one line."""
    return json.dumps(document, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)


def facts(pairs: Iterable[tuple[str, object]]) -> "tables.Facts":
    """A table of names and values without headings."""
    from ssc_ingest.cli import tables

    return tables.facts(pairs)


def table(
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    title: str | None = None,
    right: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> "tables.Listing":
    """A table without borders; see :class:`~.tables.Listing`.

    Args:
        columns: headings.
        rows: cells; strings are printed literally, ``Text`` keeps its style.
        title: a line above it.
        right: headings of the right-aligned columns (numbers).
        whole: headings of the columns that never wrap.
    """
    from ssc_ingest.cli import tables

    cells = [[tables.as_text(cell) for cell in row] for row in rows]
    return tables.Listing(columns, cells, title, frozenset(right), frozenset(whole))


def day(text: str | None) -> str:
    """The date of an ISO 8601 timestamp."""
    return text[:10] if text else ""
