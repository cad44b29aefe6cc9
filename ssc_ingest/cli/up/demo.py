"""The tour of ``make run``: real packages go through the queue into the graph."""

import asyncio
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.commands.extract import wait_for
from ssc_ingest.cli.connections import graph_store, state_store
from ssc_ingest.cli.exit_codes import ExitCode
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.purls import PackageName
from ssc_ingest.graph.views import GraphViews
from ssc_ingest.on_demand.jobs import Job
from ssc_ingest.on_demand.submit import named_packages, request_for, submit
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings

PACKAGES = (
    "pkg:pypi/iniconfig",
    "pkg:pypi/tomli",
    "pkg:npm/debug",
    "pkg:npm/%40types/ms",
    "pkg:cargo/itoa",
    "pkg:cargo/ryu",
)
"""Small packages with few versions and requirements: a few dozen requests in all."""

YOUR_OWN = "pkg:npm/is-odd"
"""A package for the example of `extract`."""

STUCK_TIMEOUT = 20.0
"""Seconds without progress until the demo continues without its packages."""


class Demo:
    """A tour of the program with a few packages."""

    def __init__(
        self, console: Console, settings: Settings, servers: Servers, purls: Sequence[str]
    ) -> None:
        """Prepare; without ``purls`` some small packages are used.

        Raises:
            InvalidArguments: some are not package URLs.
        """
        self._console = console
        self._settings = settings
        self._servers = servers
        self._packages = named_packages(purls or PACKAGES)
        self.outcome = ExitCode.OK

    def extract(self, *, step: str, check: Callable[[], None]) -> None:
        """Add the packages to the graph; calls ``check`` repeatedly in the meantime."""
        console = self._console
        packages = output.count(len(self._packages), "package")
        whose = "its" if len(self._packages) == 1 else "their"
        output.write(
            console,
            f"{step}reading {packages} and {whose} requirements from the registries",
            style="bold",
        )
        job = asyncio.run(self._extract(check))
        if not job.finished:
            self.outcome = ExitCode.UNAVAILABLE
            output.write(
                console,
                f"  {output.count(job.pending, 'package')} could not be read yet: the "
                f"registries do not respond (is there a network?), or this machine is slow. The "
                f"tasks continue by themselves.",
                style="yellow",
            )
            return
        took = ((job.finished_at or job.touched_at) - job.created_at).total_seconds()
        read, there = job.counts["extracted"], job.counts["present"]
        known = f", {output.number(there)} already in the graph" if there else ""
        output.write(
            console,
            f"  {output.count(read, 'package')} read{known}: "
            f"{output.count(job.counts['versions'], 'version')}, "
            f"{output.count(job.counts['requirements'], 'requirement')}, "
            f"{output.count(job.counts['requests'], 'request')} in {output.duration(took)}",
        )
        for purl, reason in job.failed.items():
            self.outcome = ExitCode.FAILED
            output.write(console, f"  {purl} failed: {reason}", style="red")

    async def _extract(self, check: Callable[[], None]) -> Job:
        async with state_store(self._settings, self._servers) as state:
            job_id = await submit(
                [request_for(package.ref, dependencies="latest") for package in self._packages],
                jobs=state.jobs,
                queues=state.queues,
            )
            return await wait_for(
                state,
                job_id,
                self._packages,
                out=self._console,
                check=check,
                patience=STUCK_TIMEOUT,
            )

    def explain(self, *, step: str) -> None:
        """Show the contents of the graph and suggest commands."""
        console = self._console
        output.write(console, f"{step}the graph now", style="bold")
        console.print()
        asyncio.run(self._print_graph())
        console.print()
        first = self._packages[0]
        extract = output.json_line(
            {"ecosystem": first.ref.ecosystem, "name": first.ref.registry_name, "refresh": True}
        )
        console.print(Text("try next, in a second terminal", "bold"))
        program, celery = _command("ssc-ingest"), _command("celery")
        for command in (
            f"{program} show {first.ref.purl}",
            f'{program} query "MATCH (p:{first.ref.label}) RETURN p.purl, p.latest"',
            f"{program} extract {YOUR_OWN} --wait",
            f"{celery} -A workers call extraction.extract_package --kwargs '{extract}'",
        ):
            console.print(Text(f"  {command}", "cyan"), soft_wrap=True)

    async def _print_graph(self) -> None:
        labels = {name: cls.identity.label for name, cls in ecosystems().items()}
        rows: list[output.Row] = []
        async with graph_store(self._settings, self._servers) as driver:
            views = GraphViews(driver, timeout=self._settings.db_default_query_timeout_ms / 1000)
            found = [(each, await _row(views, each)) for each in self._packages]
            # Counted last, because the workers go on: what is shown is among what is counted.
            counts = await views.counts(labels)
            for name, cls in ecosystems().items():
                shown = [row for each, row in found if row and each.ref.ecosystem == name]
                rows += shown
                every = counts[name]
                if not every.packages and not every.stubs:
                    continue
                summary = (
                    f"{cls.identity.title} in all: {output.count(every.packages, 'package')}, "
                    f"{output.count(every.stubs, 'stub')}"
                )
                totals = output.number(every.versions), output.number(every.requirements)
                rows.append((Text(summary, "dim"), "", *totals))
        self._console.print(
            output.table(
                ["package", "latest", "versions", "requires"], rows, right=["versions", "requires"]
            )
        )


async def _row(views: GraphViews, package: PackageName) -> output.Row | None:
    found = await views.package(package.ref.label, package.ref.purl, versions=1_000)
    if found is None or found.is_stub:
        return None
    requires = next((v.requirements for v in found.versions if v.name == found.latest), 0)
    return found.purl, found.latest or "", output.number(found.version_count), str(requires)


def _command(name: str) -> str:
    """The command for an installed program: its name if it is in the PATH, otherwise its path.

    The path is absolute, because the second terminal may be in another folder.
    """
    program = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found and Path(found).resolve() == program.resolve():
        return name
    return shlex.quote(str(program.absolute()))
