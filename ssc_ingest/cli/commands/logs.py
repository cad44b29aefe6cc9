"""``logs``: the logs of the processes that ``up`` runs."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from typing import Annotated

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import Failed
from ssc_ingest.cli.up.log_files import LogReader, log_folder, log_names
from ssc_ingest.cli.up.logs import EVERYTHING, ChildLogs

POLL = 0.3
"""Seconds between two looks for new lines."""

TRACEBACK = 200
"""Lines without a time that are read in addition, because they may begin with a line with one."""

MOMENT = re.compile(r'^(?:.*?"timestamp": ")?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*)')
"""The time in our log lines, as text and as JSON, and in those of Neo4j."""


def logs(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Processes, such as worker; by default all."),
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show new lines until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Number of the last lines to show.")
    ] = 100,
) -> None:
    """Show the logs of the processes that `ssc-ingest up` runs: worker, control, beat, flower ...

    [cyan]ssc-ingest logs[/cyan]

    [cyan]ssc-ingest logs -f worker control[/cyan]

    `up` keeps the last 10 MiB of each process in the folder logs of DATA_DIR. Processes that are
    started in another way write to stderr and to LOG_FILE only. The exit code is 1 if there are no
    logs.
    """
    with ExitStack() as stack:
        readers = _readers(names or ())
        for reader in readers:
            stack.callback(reader.close)
        _show(readers, lines, follow=follow)


def _show(readers: Sequence[LogReader], lines: int, *, follow: bool) -> None:
    printers = ChildLogs(output.console())
    printers.shown = EVERYTHING
    show = {reader.name: printers.of(reader.name) for reader in readers}
    _print(
        _merged([(reader.name, reader.last(lines + TRACEBACK)) for reader in readers]), show, lines
    )
    while follow:
        time.sleep(POLL)
        for reader in readers:
            for line in reader.appended():
                show[reader.name](line)


def _readers(names: Sequence[str]) -> list[LogReader]:
    """The logs with these names, or all.

    Raises:
        Failed: there is none, or none with one of the names.
    """
    from ssc_ingest.settings import load_settings

    data_dir = load_settings().data_dir
    known = log_names(data_dir)
    if not known:
        raise Failed(
            f"there are no logs in {log_folder(data_dir)}: `ssc-ingest up` writes them there (see "
            "DATA_DIR); processes that are started in another way write to stderr and to LOG_FILE"
        )
    for name in names:
        if name not in known:
            raise Failed(
                f"there is no log {name!r} in {log_folder(data_dir)}; there are {', '.join(known)}"
            )
    return [LogReader(data_dir, name) for name in names or known]


def _print(
    found: Iterable[tuple[str, str]], show: dict[str, Callable[[str], None]], lines: int
) -> None:
    """Print the last lines of all logs together."""
    for name, line in list(found)[-lines:] if lines else ():
        show[name](line)


def _merged(found: Iterable[tuple[str, Sequence[str]]]) -> Iterator[tuple[str, str]]:
    """All lines in the order of their times; a line without a time stays behind the one before."""

    def timed(name: str, lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        moment = ""
        for line in lines:
            if match := MOMENT.match(line):
                moment = max(moment, match[1].replace(" ", "T"))
            yield moment, name, line

    ordered = merge(*(timed(name, lines) for name, lines in found), key=lambda each: each[0])
    return ((name, line) for _, name, line in ordered)
