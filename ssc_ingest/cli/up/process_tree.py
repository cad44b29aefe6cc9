"""One foreground process tree: starts, watches and stops the servers and the fleet in order."""

import asyncio
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.text import Text

from ssc_ingest import __version__
from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode
from ssc_ingest.cli.up.logs import ERRORS, EVERYTHING, ChildLogs
from ssc_ingest.embedded import EmbeddedStack, progress_for
from ssc_ingest.embedded.progress import Advance
from ssc_ingest.errors import IngestError
from ssc_ingest.servers import Servers, locate, without_credentials
from ssc_ingest.settings import Settings
from ssc_ingest.stop_signals import StopSignals

if TYPE_CHECKING:
    from ssc_ingest.cli.up.demo import Demo
    from ssc_ingest.cli.up.fleet import Fleet

WATCH_EVERY = 0.25
"""Seconds between checks of the processes."""

NEEDED_LATER = ("ssc_ingest.cli.up.fleet", "ssc_ingest.cli.up.demo", "ssc_ingest.graph.schema")
"""Slow modules, imported while the servers start."""


class StopRequested(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP; raised in the main thread."""


def run(settings: Settings, console: Console, *, demo: bool, purls: Sequence[str]) -> ExitCode:
    """Start everything, wait for a signal, and stop in order.

    Args:
        settings: all settings; servers with an address are not started.
        console: where progress is printed.
        demo: whether to add a few packages and show them.
        purls: the packages of the demo.

    Returns:
        The exit code, unless an error is raised.

    Raises:
        IngestError: a server or process could not start, or ended again and again; all others
            were stopped.
    """
    up = Up(settings, console)
    code = ExitCode.OK
    with StopSignals(_request_stop, _exit) as signals:
        try:
            if demo:
                code = up.show(purls)
            else:
                up.start()
            if not demo or sys.stdout.isatty():
                up.watch()
        except StopRequested:
            code = ExitCode.OK
        except IngestError as error:
            up.tell_failure(str(error).partition("\n")[0])
            raise
        finally:
            signals.stopping()
            up.stop()
    return code


def _request_stop() -> NoReturn:
    raise StopRequested


def _exit() -> NoReturn:
    # The children end with this process, a moment later.
    os._exit(ExitCode.INTERRUPTED)


class Up:
    """The embedded servers and the fleet."""

    def __init__(self, settings: Settings, console: Console) -> None:
        """Prepare, but start nothing yet."""
        self._settings = settings
        self._console = console
        self._began = time.monotonic()
        self._logs = ChildLogs(console, keep_in=settings.data_dir)
        self._keep = self._logs.keeper("up")
        self._keepers: dict[str, Callable[[str], None]] = {}
        self._stack = EmbeddedStack(settings, on_line=self._keep_line_of_server, tell=self.warn)
        self._fleet: Fleet | None = None

    def _keep_line_of_server(self, name: str, line: str) -> None:
        if name not in self._keepers:
            self._keepers[name] = self._logs.keeper(name.lower())
        self._keepers[name](line)

    def start(self) -> None:
        """Start everything; returns when it is ready.

        Raises:
            IngestError: a process could not start, or exited.
        """
        servers = self._start_servers(step="")
        self._warn_of_misspelt_settings()
        fleet = self._start_workers(servers, step="", demo=False)
        fleet.wait_ready([*fleet.start_flower(), *fleet.start_web()], self.say)
        self._logs.shown = EVERYTHING
        self._print_addresses(servers, fleet)

    def show(self, purls: Sequence[str]) -> ExitCode:
        """Start everything in numbered steps, and show it with a few packages.

        Raises:
            IngestError: a process could not start, or exited.
        """
        servers = self._start_servers(step="[1/4] ")
        self._warn_of_misspelt_settings()
        fleet = self._start_workers(servers, step="[2/4] ", demo=True)
        dashboards = [*fleet.start_flower(), *fleet.start_web()]
        self._logs.shown = ERRORS
        demo = self._demo(servers, purls)
        self._console.print()
        demo.extract(step="[3/4] ", check=self.check)
        fleet.wait_ready(dashboards, self.say)
        self._console.print()
        demo.explain(step="[4/4] ")
        self._print_addresses(servers, fleet)
        return demo.outcome

    def _start_servers(self, *, step: str) -> Servers:
        self._headline(f"{step}SSC Ingest {__version__}: starting the servers")
        meanwhile = Thread(target=lambda: [import_module(name) for name in NEEDED_LATER])
        meanwhile.start()
        try:
            self._stack.start(_Ready(self))
        finally:
            meanwhile.join()
        return locate(self._settings)

    def _warn_of_misspelt_settings(self) -> None:
        from ssc_ingest.cli.misspelt import misspelt_settings

        for wrong in misspelt_settings():
            self.warn(f"  {wrong}")

    def _start_workers(self, servers: Servers, *, step: str, demo: bool) -> "Fleet":
        from ssc_ingest.cli.connections import configured_stores_answer
        from ssc_ingest.cli.up.fleet import Fleet

        asyncio.run(configured_stores_answer(self._settings, servers))
        self._headline(f"{step}starting workers, beat, Flower and the overview page")
        fleet = self._fleet = Fleet(self._settings, servers, self._logs, self.warn)
        # A first trial of the program must not read whole registries.
        names = fleet.start_workers(only_own_schedules=demo)
        asyncio.run(self._ensure_schema(servers))
        fleet.wait_ready(names, self.say)
        return fleet

    async def _ensure_schema(self, servers: Servers) -> None:
        """Create constraints and indexes while the workers start, so that the workers find them."""
        from ssc_ingest.ecosystems import ecosystems
        from ssc_ingest.graph.driver import open_driver
        from ssc_ingest.graph.schema import ensure_schema

        labels = [cls.identity.label for cls in ecosystems().values()]
        async with open_driver(servers, self._settings) as driver:
            await ensure_schema(driver, labels)
        self.say("the graph has its constraints and indexes")

    def _demo(self, servers: Servers, purls: Sequence[str]) -> "Demo":
        from ssc_ingest.cli.up.demo import Demo

        return Demo(self._console, self._settings, servers, purls)

    def watch(self) -> None:
        """Wait for a signal; restart what ends.

        Raises:
            ServerFailed: a process cannot be restarted.
        """
        while True:
            self.check()
            time.sleep(WATCH_EVERY)

    def check(self) -> None:
        """Check the processes, and restart those that have ended.

        Raises:
            ServerFailed: a process cannot be restarted.
        """
        failure = self._stack.failed() or (self._fleet and self._fleet.failed())
        if failure:
            raise failure

    def stop(self) -> None:
        """Stop beat and Flower, then the workers, then the servers."""
        began = time.monotonic()
        try:
            if self._fleet:
                self._tell_if_possible("\nstopping in order (Ctrl-C: at once)")
                self._fleet.stop(self._tell_remaining)
        finally:
            self._stack.stop(self._tell_remaining)
            self._logs.close()
        if self._fleet:
            self._tell_if_possible(f"stopped after {output.duration(time.monotonic() - began)}")

    def say(self, text: str) -> None:
        """Print that something is ready, with the time since the start."""
        subject, is_ready, rest = text.partition(" is ready")
        since = f"  {time.monotonic() - self._began:.1f} s"
        line = Text.assemble("  ", (subject, "bold" if is_ready else ""), is_ready, rest)
        output.write(self._console, line.append(since, "dim"))

    def tell_failure(self, text: str) -> None:
        """Say why everything stops; the whole error is the last that is printed.

        Before the fleet has started nothing is printed in between, so once is enough.
        """
        if self._fleet:
            self.warn(text)
        else:
            self._keep_warning(text)

    def _keep_warning(self, text: str) -> None:
        self._keep(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z [warning  ] {text}")

    def warn(self, text: str) -> None:
        """Print something that needs attention, and keep it beside the logs of the processes."""
        self._keep_warning(text)
        with suppress(OSError, SystemExit):
            output.write(self._console, text, style="yellow")

    def _tell_remaining(self, names: Sequence[str], seconds: float) -> None:
        left = output.duration(math.ceil(seconds))
        self._tell_if_possible(f"  waiting for {', '.join(names)} (at most {left})", style="dim")

    def _tell_if_possible(self, text: str, *, style: str = "bold") -> None:
        # rich exits if the terminal is closed, or if the same Ctrl-C ended the reader of a pipe.
        with suppress(OSError, SystemExit):
            output.write(self._console, text, style=style)

    def _headline(self, text: str) -> None:
        output.write(self._console, text, style="bold")

    def _print_addresses(self, servers: Servers, fleet: "Fleet") -> None:
        password = " (no password)" if servers.graph_auth is None else ""
        self._console.print()
        self._console.print(
            output.facts(
                [
                    ("overview", fleet.web_address),
                    ("Flower", fleet.flower_address),
                    ("graph", f"{without_credentials(servers.graph_uri)}{password}"),
                    ("Redis", without_credentials(servers.redis_url)),
                    ("MongoDB", without_credentials(servers.vulnerabilities_uri)),
                    ("metrics", " ".join(fleet.metrics_addresses) or "none (METRICS_PORT=0)"),
                ]
            )
        )
        self._console.print()
        took = output.duration(time.monotonic() - self._began)
        self._headline(f"everything is ready after {took}; Ctrl-C stops it")


class _Ready:
    """Prints the start of the servers in the same style."""

    def __init__(self, up: Up) -> None:
        self.say = up.say
        self._downloads = progress_for(up._console)  # noqa: SLF001 - one class in two halves

    def download(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Show a download's progress."""
        return self._downloads.download(title, total)
