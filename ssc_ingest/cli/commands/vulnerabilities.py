"""``vulnerabilities``: syncs advisories, and shows them and the state of the syncs."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.advisories import print_advisory, print_status
from ssc_ingest.cli.commands import affected_versions, attribution
from ssc_ingest.cli.commands.vulnerable_versions import show_package
from ssc_ingest.cli.exit_codes import ExitCode, Failed
from ssc_ingest.logs import silenced

if TYPE_CHECKING:
    from ssc_ingest.vulnerabilities.service import Ended
    from ssc_ingest.vulnerabilities.session import SyncProgress

commands = typer.Typer(
    help="Sync advisories of vulnerable and malicious packages, and show them.\n\n"
    "[cyan]ssc-ingest vulnerabilities sync[/cyan]",
    no_args_is_help=True,
)


@commands.command("sync")
def sync(
    ecosystem: Annotated[
        str,
        typer.Argument(
            metavar="ECOSYSTEM|all",
            help="pypi, npm, maven, cargo, rubygems or nuget; by default all of them.",
        ),
    ] = "all",
    *,
    full: Annotated[
        bool,
        typer.Option("--full", help="Compare all records, not only those in the list of changes."),
    ] = False,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Read a folder or zip file with a copy of an OSV bucket instead of OSV_URL.",
        ),
    ] = None,
    accept_removals: Annotated[
        bool,
        typer.Option(
            "--accept-removals",
            help="Accept all withdrawals and removals, without VULNERABILITIES_BRAKE.",
        ),
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Update the advisories in MongoDB from OSV.

    The first sync of an ecosystem reads its whole dump. Later ones request changed records.
    Packages with changed advisories are queued, and workers attribute them. The schedule
    vulnerabilities_sync does the same every 30 minutes.

    [cyan]ssc-ingest vulnerabilities sync[/cyan]

    [cyan]ssc-ingest vulnerabilities sync pypi --from /srv/osv[/cyan]

    The exit code is 1 if a sync failed. You may press Ctrl-C at any time: the next sync continues.
    """
    ended = asyncio.run(
        _sync(ecosystem, full=full, path=from_, accept_removals=accept_removals, quiet=as_json)
    )
    if as_json:
        output.print_json([asdict(each) for each in ended])
    if any(_is_failure(each) for each in ended):
        raise typer.Exit(ExitCode.FAILED)


@commands.command("show")
def show(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="ID|PURL", help="The id of an advisory (GHSA-...), or a package URL."
        ),
    ],
    *,
    as_json: output.JSONOption = False,
) -> None:
    """Show an advisory, or a package's affected versions and the nearest unaffected releases.

    For an advisory: its kind, score, packages and ranges.

    [cyan]ssc-ingest vulnerabilities show PYSEC-2021-114[/cyan]

    For a package: its affected versions in the graph. For each, the nearest unaffected release: the
    next later one, or else the last earlier one, without prereleases and yanked versions.

    [cyan]ssc-ingest vulnerabilities show pkg:pypi/django[/cyan]

    [cyan]ssc-ingest vulnerabilities show pkg:maven/org.slf4j/slf4j-api@1.7.0 --json[/cyan]

    The exit code is 1 if the advisory is not in MongoDB, or the package is not in the graph.
    """
    if subject.strip().lower().startswith("pkg:"):
        asyncio.run(show_package(subject, as_json=as_json))
    else:
        asyncio.run(_show(subject, as_json=as_json))


@commands.command("status")
def status(*, as_json: output.JSONOption = False) -> None:
    """Show the last sync of each ecosystem, and unreadable advisories.

    [cyan]ssc-ingest vulnerabilities status[/cyan]

    The exit code is 1 if the last sync of an ecosystem failed.
    """
    asyncio.run(_status(as_json=as_json))


@commands.command("import-cwes")
def import_cwes(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="MITRE's catalogue: cwec_v4.x.xml, or its zip file."),
    ],
) -> None:
    """Import MITRE's catalogue of weaknesses (CWE) from its XML file.

    Advisories have the ids of weaknesses; readers find their descriptions in the collection `cwes`.
    Data of other services in this collection stays. The catalogue is optional.

    [cyan]ssc-ingest vulnerabilities import-cwes cwec_v4.16.xml.zip[/cyan]

    The exit code is 1 if the file is not a catalogue.
    """
    count = asyncio.run(_import_cwes(path))
    output.say(f"{output.number(count)} weaknesses and categories imported")


commands.command("attribute")(attribution.attribute)
commands.command("audit")(attribution.audit)
commands.command("affected")(affected_versions.affected)


async def _import_cwes(path: Path) -> int:
    from ssc_ingest.cli.connections import advisory_store, configured
    from ssc_ingest.vulnerabilities.cwe_catalogue import read_catalogue

    try:
        catalogue = await asyncio.to_thread(read_catalogue, path)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    settings, servers = configured()
    async with advisory_store(settings, servers) as store:
        await store.ensure_indexes()
        await store.weaknesses.write(catalogue)
        named = [each async for each in store.documents.weaknesses()]
        await store.weaknesses.refer(named)
    return len(catalogue)


# sync ----------------------------------------------------------------------------------------


async def _sync(
    name: str, *, full: bool, path: Path | None, accept_removals: bool, quiet: bool
) -> "list[Ended]":
    from ssc_ingest.cli.connections import advisory_store, configured, state_store
    from ssc_ingest.ecosystems import ecosystem, ecosystems
    from ssc_ingest.ecosystems.endpoints import host_names
    from ssc_ingest.http.client import open_transport
    from ssc_ingest.metrics import Metrics
    from ssc_ingest.vulnerabilities.requests import SyncRequest
    from ssc_ingest.vulnerabilities.service import AdvisorySync
    from ssc_ingest.vulnerabilities.sources import open_source
    from ssc_ingest.work.locks import LockHeld

    names = list(ecosystems()) if name == "all" else [ecosystem(name).identity.name]
    settings, servers = configured()
    async with AsyncExitStack() as stack:
        stack.enter_context(silenced())  # events are for workers, stdout is for the result
        state = await stack.enter_async_context(state_store(settings, servers))
        store = await stack.enter_async_context(advisory_store(settings, servers))
        transport = await stack.enter_async_context(
            open_transport(settings, host_names((), settings.osv_url))
        )
        source = open_source(transport, state.limiter, settings, Metrics(), path=path)
        service = AdvisorySync(
            store, state.changed_packages(), state.sync_requests(), source, settings
        )
        wanted = [SyncRequest(each, full) for each in names]
        try:
            with Bars(shown=not quiet) as bars:
                return await service.sync(
                    wanted,
                    accept_removals=accept_removals,
                    on_progress=bars.show,
                    on_end=bars.end,
                )
        except LockHeld:
            raise Failed(
                "a sync is in progress: see `ssc-ingest vulnerabilities status`, and try again"
            ) from None


class Bars:
    """One progress bar per ecosystem, which a line with the result replaces."""

    def __init__(self, *, shown: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        out = output.console(stderr=True)
        self._shown = shown
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            console=out,
            transient=True,
            disable=not (shown and out.is_terminal),
        )
        self._tasks: dict[str, Any] = {}
        self._explained: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: "SyncProgress") -> None:
        """Update the bar of an ecosystem, or say once why it waits."""
        name = progress.ecosystem
        if reason := progress.waits:
            if self._shown and (name, reason) not in self._explained:
                self._explained.add((name, reason))
                output.write(self._bar.console, Text(f"{name} waits: {reason}", "yellow"))
            return
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=progress.total)
        self._bar.update(self._tasks[name], completed=progress.done, total=progress.total)

    def end(self, ended: "Ended") -> None:
        """Replace the bar of an ecosystem with the result."""
        if (task := self._tasks.pop(ended.ecosystem, None)) is not None:
            self._bar.remove_task(task)
        if self._shown:
            style = "red" if _is_failure(ended) else ""
            output.write(self._bar.console, Text(_sentence(ended), style))


def _is_failure(ended: "Ended") -> bool:
    from ssc_ingest.vulnerabilities.service import SyncFailure

    return isinstance(ended, SyncFailure) and not ended.absent


def _sentence(ended: "Ended") -> str:
    """The result of a sync on one line."""
    from ssc_ingest.vulnerabilities.service import SyncFailure

    if isinstance(ended, SyncFailure):
        return f"{ended.ecosystem}: {ended.error}"
    if ended.by == "nothing":
        return f"{ended.ecosystem}: unchanged"
    done = {
        "new": ended.new,
        "updated": ended.updated,
        "withdrawn": ended.withdrawn,
        "vanished": ended.vanished,
        "unreadable": ended.unreadable,
    }
    parts = [f"{output.number(amount)} {what}" for what, amount in done.items() if amount]
    return (
        f"{ended.ecosystem}: {output.count(ended.examined, 'record')} compared, "
        f"{', '.join(parts) or 'nothing changed'}; "
        f"{output.count(ended.packages, 'package')} to attribute ({output.duration(ended.seconds)})"
    )


# show ----------------------------------------------------------------------------------------


async def _show(advisory_id: str, *, as_json: bool) -> None:
    from ssc_ingest.cli.connections import advisory_store, configured

    settings, servers = configured()
    async with advisory_store(settings, servers) as store:
        document = await store.documents.get(advisory_id)
        row = (await store.bookkeeping.rows([advisory_id])).get(advisory_id)
        states = await store.syncs.all()
    if document is None:
        synced = ", ".join(sorted(name for name, state in states.items() if state.synced_at))
        raise Failed(
            f"there is no advisory {advisory_id!r}; ids are exact, and synced are: "
            f"{synced or 'none yet, see `ssc-ingest vulnerabilities sync`'}"
        )
    if as_json:
        output.print_json({"advisory": document, "known": row})
        return
    print_advisory(document, row)


# status --------------------------------------------------------------------------------------


async def _status(*, as_json: bool) -> None:
    from ssc_ingest.cli.connections import advisory_store, configured
    from ssc_ingest.ecosystems import ecosystems

    settings, servers = configured()
    async with advisory_store(settings, servers) as store:
        states = list((await store.syncs.of(ecosystems())).values())
        problems = await store.bookkeeping.with_problems(MAX_PROBLEMS)
    if as_json:
        output.print_json({"syncs": states, "problems": problems})
    else:
        print_status(states, problems)
    if any(state.error for state in states):
        raise typer.Exit(ExitCode.FAILED)


MAX_PROBLEMS = 20
"""Maximum number of records with problems to show."""
