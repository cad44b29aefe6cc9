"""How a command ends when it does not succeed: one sentence for the person, one exit code."""

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
    """What the commands' exit codes mean; the larger ones are those of sysexits.h."""

    OK = 0
    FAILED = 1
    """The work failed, or what was asked for is not there."""
    USAGE = 2
    """The command line makes no sense."""
    UNAVAILABLE = 69
    """A server does not answer."""
    CONFIGURATION = 78
    """A setting is missing or wrong."""
    INTERRUPTED = 130
    """Ctrl-C."""


EXIT_CODES_HELP = (
    "Exit codes: 0 done · 1 the work failed, or nothing was found · 2 wrong usage · "
    "69 a server does not answer · 78 a setting is missing or wrong · 130 Ctrl-C"
)

REMEDIES = {
    "graph": "see GRAPH_DB_URI, or start one with `ssc-ingest up`",
    "redis": "see REDIS_HOST or REDIS_URL, or start one with `ssc-ingest up`",
    "vulnerabilities": "see VULN_DB_URI, or start one with `ssc-ingest up`",
}


class Failed(IngestError):
    """The command did not do what was asked; ``code`` is its exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class Program(TyperGroup):
    """A command whose errors are sentences, unless ``--debug`` asks for their traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command; an error of ours becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except IngestError as error:
            if ctx.params.get("debug"):
                raise
            sys.stderr.write(f"{explain(error)}\n")
            raise typer.Exit(exit_code(error)) from error


def exit_code(error: IngestError) -> ExitCode:
    """The exit code that tells a caller what kind of error it was."""
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
    """The error's text, with what to do about it if the text does not say so itself."""
    text = str(error)
    if isinstance(error, StoreUnavailable) and error.store in REMEDIES:
        text = f"{text}\n{REMEDIES[error.store]}"
    return text
