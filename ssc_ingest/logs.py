"""Logging: constant event names, facts as fields, one line per event.

Only entry points call :func:`configure`; all other modules get their loggers from structlog.
"""

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from ssc_ingest.errors import ConfigurationError

if TYPE_CHECKING:
    from ssc_ingest.settings import Settings

FILE_SIZE = 5 * 1024 * 1024
FILES = 5

NOISY = ("httpx", "httpcore", "neo4j", "pymongo", "hpack", "amqp", "uvicorn")
"""Libraries whose messages below warning level are dropped."""


def configure(settings: "Settings") -> None:
    """Send this process's log to stderr, and to ``LOG_FILE`` (rotating, 5 x 5 MiB) if set.

    Raises:
        ConfigurationError: ``LOG_FILE`` cannot be written.
    """
    shared: list[structlog.typing.Processor] = [
        _with_task,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_repetition,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if settings.log_file:
        check_log_file(settings)
        from concurrent_log_handler import ConcurrentRotatingFileHandler

        # The standard library's handler loses lines if several processes rotate one file.
        handlers.append(
            ConcurrentRotatingFileHandler(
                settings.log_file, maxBytes=FILE_SIZE, backupCount=FILES, encoding="utf-8"
            )
        )
    for handler in handlers:
        terminal = isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        handler.setFormatter(_formatter(settings, shared, colors=terminal and sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers = handlers
    root.setLevel(settings.log_level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def check_log_file(settings: "Settings") -> None:
    """Create ``LOG_FILE`` if it is set, with its folder.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if settings.log_file is None:
        return
    try:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        with settings.log_file.open("a"):
            pass
    except OSError as error:
        is_file = isinstance(error, FileExistsError)
        reason = "its folder is a file" if is_file else error.strerror or str(error)
        raise ConfigurationError(
            f"LOG_FILE={str(settings.log_file)!r} cannot be written: {reason}"
        ) from error


def configure_command(*, debug: bool) -> None:
    """Send a command's log to stderr, so that its output can be read by programs.

    Commands print the information for people themselves, so without ``debug`` only warnings are
    logged. An existing configuration stays.
    """
    if structlog.is_configured():
        return

    def only_warnings(
        _logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        if not debug and method in {"debug", "info"}:
            raise structlog.DropEvent
        return event

    structlog.configure(
        processors=[only_warnings, *structlog.get_config()["processors"]],
        # Asked for with each line: a test may have another stream then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _with_task(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the fields that were bound at the start of the task, such as its id and package.

    They override the fields of a parser, which knows only the package's name.
    """
    event.update(structlog.contextvars.get_contextvars())
    return event


def _without_repetition(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Remove Celery's field ``data``, which repeats its message."""
    event.pop("data", None)
    return event


def _formatter(
    settings: "Settings", shared: list[structlog.typing.Processor], *, colors: bool
) -> logging.Formatter:
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.log_format == "json"
        else [
            # Plain tracebacks: the pretty ones print local variables, which may contain secrets.
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
