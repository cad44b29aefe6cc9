"""Formatting of numbers, times, values and children's log lines by the command line."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode, exit_code, explain
from ssc_ingest.cli.up.logs import ERRORS, EVERYTHING, ChildLogs
from ssc_ingest.embedded import AlreadyRunning
from ssc_ingest.errors import (
    ConfigurationError,
    IngestError,
    InvalidPurl,
    PackageNotFound,
    ServersStarting,
    StoreRefusesAccess,
    StoreUnavailable,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (4, "4.0 s ago"),
        (90, "90 s ago"),
        (120, "2 minutes ago"),
        (3 * 3600, "3 hours ago"),
        (50 * 3600, "2 days ago"),
        (400 * 86400, "400 days ago"),
    ],
)
def test_ages_are_in_their_largest_unit(seconds: float, text: str) -> None:
    """An age has one number and one unit in the right grammatical number."""
    assert output.age(NOW - timedelta(seconds=seconds), now=NOW) == text


def test_what_never_happened_is_never() -> None:
    """A package that was never read has no age."""
    assert output.age(None) == "never"


@pytest.mark.parametrize(
    ("amount", "noun", "text"),
    [
        (0, "package", "0 packages"),
        (1, "package", "1 package"),
        (1234, "version", "1,234 versions"),
        (2, "dependency", "2 dependencies"),
    ],
)
def test_counts_agree_with_their_nouns(amount: int, noun: str, text: str) -> None:
    """Counts agree with their nouns: one package, two packages."""
    assert output.count(amount, noun) == text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidPurl("no purl"), ExitCode.USAGE),
        (StoreUnavailable("graph", "refused"), ExitCode.UNAVAILABLE),
        (ConfigurationError("REDIS_PORT"), ExitCode.CONFIGURATION),
        (ServersStarting("in a moment"), ExitCode.UNAVAILABLE),
        (StoreRefusesAccess("graph", "wrong password", "correct it"), ExitCode.CONFIGURATION),
        (PackageNotFound("pkg:npm/x"), ExitCode.FAILED),
        (AlreadyRunning("in use", pid=1), ExitCode.FAILED),
    ],
)
def test_every_error_has_its_exit_code(error: IngestError, code: ExitCode) -> None:
    """The exit code tells a script what kind of failure it was."""
    assert exit_code(error) is code


def test_an_unavailable_store_comes_with_its_settings() -> None:
    """The message names the settings of the store."""
    assert "GRAPH_DB_URI" in explain(StoreUnavailable("graph", "refused"))


LINES = [
    " -------------- worker@here v5.7.0",
    "2026-01-01T00:00:00Z [info     ] Connected to redis",
    "2026-01-01T00:00:00Z [warning  ] slow",
    '{"event": "broken", "level": "error"}',
    "Traceback (most recent call last):",
    "",
    '{"event": "fine", "level": "info"}',
    "of the line above",
]


def _shown(levels: object) -> list[str]:
    stream = io.StringIO()
    logs = ChildLogs(Console(file=stream, width=300))
    if levels:
        logs.shown = levels  # type: ignore[assignment]
    show = logs.of("worker")
    for line in LINES:
        show(line)
    return stream.getvalue().splitlines()


def test_until_the_fleet_is_ready_only_warnings_are_shown() -> None:
    """Each line has its child's name; a traceback belongs to the error before it."""
    shown = _shown(None)
    assert [line.partition(" ")[0] for line in shown] == ["worker"] * 3
    for word, line in zip(("slow", "broken", "Traceback"), shown, strict=True):
        assert word in line


def test_all_lines_or_errors_alone_can_be_shown() -> None:
    """Everything is shown when the fleet is ready; the demo shows only errors."""
    assert len(_shown(EVERYTHING)) == len(LINES) - 1  # the empty one
    assert len(_shown(ERRORS)) == 2
