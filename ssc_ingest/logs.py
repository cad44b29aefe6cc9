"""Logging: constant event names, facts as fields, one line per event.

Only entry points call :func:`configure`; all other modules get their loggers by :func:`get_logger`.
structlog is imported with the first message: its import takes a tenth of the time in which a
command starts, and most commands log nothing.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ssc_ingest.errors import ConfigurationError

if TYPE_CHECKING:
    import structlog

    from ssc_ingest.settings import Settings

FILE_SIZE = 5 * 1024 * 1024
FILES = 5

NOISY = ("httpx", "httpcore", "neo4j", "pymongo", "hpack", "amqp", "uvicorn")
"""Libraries whose messages below warning level are dropped."""


class _Logger:
    """A logger of structlog that does not exist before it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _logger(self) -> Any:
        import structlog

        _log_of_command.apply()
        return structlog.get_logger(self._name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._logger, attribute)


def get_logger(name: str) -> Any:
    """The logger of a module, by structlog."""
    return _Logger(name)


def configure(settings: "Settings") -> None:
    """Send this process's log to stderr, and to ``LOG_FILE`` (rotating, 5 x 5 MiB) if set.

    Raises:
        ConfigurationError: ``LOG_FILE`` cannot be written.
    """
    import structlog

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


class _LogOfCommand:
    """The configuration of a command's log, applied when structlog is imported."""

    def __init__(self) -> None:
        self._debug: bool | None = None

    def set(self, *, debug: bool) -> None:
        self._debug = debug
        if "structlog" in sys.modules:
            self.apply()

    def apply(self) -> None:
        """Configure structlog if a command waits for that, and nothing else has configured it."""
        import structlog

        debug, self._debug = self._debug, None
        if debug is None or structlog.is_configured():
            return

        def only_warnings(
            _logger: object, method: str, event: structlog.typing.EventDict
        ) -> structlog.typing.EventDict:
            if not debug and method in {"debug", "info"}:
                raise structlog.DropEvent
            return event

        structlog.configure(
            processors=[only_warnings, *structlog.get_config()["processors"]],
            # Looked up with each line, because a test may have another stream then.
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )


_log_of_command = _LogOfCommand()


def configure_command(*, debug: bool) -> None:
    """Send a command's log to stderr, so that its output can be read by programs.

    Commands print the information for people themselves, so without ``debug`` only warnings are
    logged. An existing configuration stays.
    """
    _log_of_command.set(debug=debug)


@contextmanager
def silenced() -> Iterator[None]:
    """Log nothing below critical during the block."""
    import structlog

    _log_of_command.apply()
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _with_task(
    _logger: object, _method: str, event: "structlog.typing.EventDict"
) -> "structlog.typing.EventDict":
    """Add the fields that were bound at the start of the task, such as its id and package.

    They override the fields of a parser, which knows only the package's name.
    """
    import structlog

    event.update(structlog.contextvars.get_contextvars())
    return event


def _without_repetition(
    _logger: object, _method: str, event: "structlog.typing.EventDict"
) -> "structlog.typing.EventDict":
    """Remove Celery's field ``data``, which repeats its message."""
    event.pop("data", None)
    return event


def _formatter(
    settings: "Settings", shared: "list[structlog.typing.Processor]", *, colors: bool
) -> logging.Formatter:
    import structlog

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
