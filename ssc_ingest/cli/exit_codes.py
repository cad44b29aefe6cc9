"""How a command fails: one sentence for people, one exit code, and JSON under ``--json``."""

import json
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from ssc_ingest.cli.help_texts import prepare
from ssc_ingest.errors import (
    ConfigurationError,
    IngestError,
    InvalidArguments,
    RateLimited,
    RegistryUnavailable,
    ServersStarting,
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


USAGE_ERROR: Any = typer.BadParameter.__base__
"""Typer's error for every wrong command line; it exports only kinds of it."""

EXIT_CODES_HELP = (
    "Exit codes: 0 success · 1 the work failed, or nothing was found · 2 wrong usage · "
    "69 a server does not respond · 78 a setting is missing or wrong · 130 Ctrl-C"
)

REMEDIES = {
    "graph": "see GRAPH_DB_URI, or start one with `ssc-ingest up`",
    "redis": "see REDIS_HOST or REDIS_URL, or start one with `ssc-ingest up`",
    "stream": "see STREAM_REDIS_URL, or REDIS_URL if it is not set",
    "vulnerabilities": "see VULN_DB_URI, or start one with `ssc-ingest up`",
}


class Failed(IngestError):
    """The command failed; ``code`` is its exit code.

    ``has_printed``: its JSON document is already printed and says so.
    """

    def __init__(
        self, message: str, code: ExitCode = ExitCode.FAILED, *, has_printed: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.has_printed = has_printed


class Program(TyperGroup):
    """A command that reports an error as one sentence, or as a traceback with ``--debug``."""

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:
        """Start to read the command line, with the program's own help completed."""
        prepare(self)
        return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand; an :class:`IngestError` becomes a message and an exit code.

        Under ``--json`` stdout gets a document as well, also for a wrong command line.
        """
        wants_json = _wants_json(ctx.args)
        try:
            return super().invoke(ctx)
        except IngestError as error:
            if ctx.params.get("debug"):
                raise
            code = exit_code(error)
            if wants_json and not (isinstance(error, Failed) and error.has_printed):
                _print_error(type(error).__name__, explain(error), code)
            sys.stderr.write(f"{explain(error)}\n")
            raise typer.Exit(code) from error
        except USAGE_ERROR as error:
            if wants_json:
                _print_error("UsageError", error.format_message(), ExitCode.USAGE)
            raise


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is among the options of the subcommand."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _print_error(kind: str, message: str, code: ExitCode) -> None:
    document = {"error": {"type": kind, "message": message, "exit_code": int(code)}}
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def exit_code(error: IngestError) -> ExitCode:
    """The exit code for this kind of error."""
    match error:
        case Failed():
            return error.code
        case InvalidArguments():
            return ExitCode.USAGE
        case ServersStarting():
            return ExitCode.UNAVAILABLE
        case ConfigurationError():  # also a store that refuses access
            return ExitCode.CONFIGURATION
        case StoreUnavailable() | RegistryUnavailable() | RateLimited():
            return ExitCode.UNAVAILABLE
        case _:
            return ExitCode.FAILED


def explain(error: IngestError) -> str:
    """The error's text, followed by a remedy if the text has none."""
    text = str(error)
    if isinstance(error, ConfigurationError):
        return text
    if isinstance(error, StoreUnavailable) and error.store in REMEDIES:
        text = f"{text}\n{REMEDIES[error.store]}"
    return text
