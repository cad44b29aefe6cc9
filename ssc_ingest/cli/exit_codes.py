"""How a command fails: one sentence for people, one exit code."""

import sys
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from ssc_ingest.errors import (
    ConfigurationError,
    IngestError,
    InvalidArguments,
    RateLimited,
    RegistryUnavailable,
    StoreUnavailable,
)


class ExitCode(IntEnum):
    """The commands' exit codes; 69 and 78 follow sysexits.h."""

    OK = 0
    FAILED = 1
    """The work failed, or nothing was found."""
    USAGE = 2
    """The command line is invalid."""
    UNAVAILABLE = 69
    """A server does not respond."""
    CONFIGURATION = 78
    """A setting is missing or wrong."""
    INTERRUPTED = 130
    """Ctrl-C."""


EXIT_CODES_HELP = (
    "Exit codes: 0 success · 1 the work failed, or nothing was found · 2 wrong usage · "
    "69 a server does not respond · 78 a setting is missing or wrong · 130 Ctrl-C"
)

REMEDIES = {
    "graph": "see GRAPH_DB_URI, or start one with `ssc-ingest up`",
    "redis": "see REDIS_HOST or REDIS_URL, or start one with `ssc-ingest up`",
    "vulnerabilities": "see VULN_DB_URI, or start one with `ssc-ingest up`",
}


class Failed(IngestError):
    """The command failed; ``code`` is its exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class Program(TyperGroup):
    """A command whose errors are sentences; ``--debug`` shows their tracebacks instead."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand; an :class:`IngestError` becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except IngestError as error:
            if ctx.params.get("debug"):
                raise
            sys.stderr.write(f"{explain(error)}\n")
            raise typer.Exit(exit_code(error)) from error


def exit_code(error: IngestError) -> ExitCode:
    """The exit code for this kind of error."""
    match error:
        case Failed():
            return error.code
        case InvalidArguments():
            return ExitCode.USAGE
        case StoreUnavailable() | RegistryUnavailable() | RateLimited():
            return ExitCode.UNAVAILABLE
        case ConfigurationError():
            return ExitCode.CONFIGURATION
        case _:
            return ExitCode.FAILED


def explain(error: IngestError) -> str:
    """The error's text, followed by a remedy if the text has none."""
    text = str(error)
    if isinstance(error, StoreUnavailable) and error.store in REMEDIES:
        text = f"{text}\n{REMEDIES[error.store]}"
    return text
