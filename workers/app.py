"""The Celery application. Importing it reads no settings and opens no connections."""

import gc
import logging
import os
import sys
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NoReturn

import click
import structlog
from celery import Celery, signals

from ssc_ingest.errors import ConfigurationError, ServersStarting
from ssc_ingest.extraction.delivery import log_fields
from ssc_ingest.logs import check_log_file, configure
from ssc_ingest.servers import locate
from ssc_ingest.settings import load_settings
from workers.configuration import celery_configuration
from workers.overrides.flower import apply_settings, list_all_queues
from workers.overrides.logs import quieten
from workers.process.runtime import Runtime, threads

COLLECT_EVERY = 10_000
"""New objects after which a worker looks for garbage. By default Python does so after 700, although
the objects of a package are in use until it is written: a sixth of the time to read PyPI's."""

log = structlog.get_logger(__name__)


def _exit(error: ConfigurationError) -> NoReturn:
    """End a process that cannot start.

    Raises:
        SystemExit: 78, after which it is not to be started again; or 69 if it may be.
    """
    sys.stderr.write(f"{error}\n")
    raise SystemExit(
        os.EX_UNAVAILABLE if isinstance(error, ServersStarting) else os.EX_CONFIG
    ) from error


class Fleet(Celery):
    """The application; in a worker process, it has the process's runtime."""

    amqp_cls = "workers.overrides.amqp:AMQP"
    events_cls = "workers.overrides.events:Events"
    runtime: Runtime


_tasks = Path(__file__).with_name("tasks")  # its modules import this one, so none is imported here
app = Fleet(
    "workers",
    include=[f"workers.tasks.{module.name}" for module in iter_modules([str(_tasks)])],
)


@app.add_defaults
def _configuration() -> dict[str, Any]:
    """Called by Celery when it first needs its configuration."""
    try:
        settings = load_settings()
        return celery_configuration(settings, locate(settings))
    except ConfigurationError as error:
        _exit(error)


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    try:
        configure(load_settings())
    except ConfigurationError as error:
        _exit(error)
    quieten(logging.getLogger().level)


@signals.import_modules.connect
def _configure_flower(**_: Any) -> None:
    # Flower has no signal of its own. It sends this one after it has read its options, and before
    # it listens.
    command = click.get_current_context(silent=True)
    if command is None or command.info_name != "flower":
        return
    from flower.options import default_options  # noqa: PLC0415 - for this process only

    from workers.overrides.flower_tasks import show_tasks_readably  # noqa: PLC0415

    list_all_queues()
    show_tasks_readably()
    try:
        settings = load_settings()
        check_log_file(settings)
        apply_settings(default_options, command.params["tornado_argv"], settings)
    except ConfigurationError as error:
        _exit(error)


@signals.worker_init.connect
def _start_runtime(sender: Any, **_: Any) -> None:
    settings = load_settings()
    try:
        check_log_file(settings)
        app.runtime = Runtime(settings, locate(settings), hostname=sender.hostname)
        queues = list(app.amqp.queues.consume_from)
        sender.concurrency = threads(settings, queues)
        app.runtime.start(queues=queues)
    except ConfigurationError as error:
        _exit(error)
    except Exception as error:
        # Celery would ignore the error and fetch messages that this process cannot handle.
        log.exception("worker_cannot_start")
        raise SystemExit(1) from error
    # What has been imported and opened stays, so nobody need look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)


@signals.worker_shutting_down.connect
def _begin_shutdown(**_: Any) -> None:
    app.runtime.begin_shutdown()


@signals.worker_shutdown.connect
def _close_runtime(**_: Any) -> None:
    app.runtime.close()


@signals.task_prerun.connect
def _task_started(task_id: str, task: Any, kwargs: dict[str, Any], **_: Any) -> None:
    # The coroutine takes the thread's context to the loop and to the parsing threads.
    structlog.contextvars.bind_contextvars(**log_fields(task_id, kwargs))
    app.runtime.task_started(task_id, task.name)


@signals.task_postrun.connect
def _task_ended(task_id: str, task: Any, state: str, **_: Any) -> None:
    structlog.contextvars.clear_contextvars()
    app.runtime.task_ended(task_id, task.name, state)
