"""``import-names`` and ``find-import``: the names by which source code imports packages."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.commands import runs
from ssc_ingest.cli.commands.start_runs import EcosystemName
from ssc_ingest.cli.exit_codes import ExitCode, Failed

if TYPE_CHECKING:
    from ssc_ingest.ecosystems.purls import PackageName
    from ssc_ingest.resources import Resources
    from ssc_ingest.runs.model import Run

MAX_FOUND = 1000
"""Maximum number of packages of one ecosystem that find-import shows."""


@dataclass(frozen=True, slots=True)
class ShownNames:
    """The import names of a package or version."""

    purl: str
    import_names: tuple[str, ...]
    import_names_from: str | None
    import_names_guessed: bool = False


commands = typer.Typer(
    help="Show and read the names by which source code imports packages.\n\n"
    "[cyan]ssc-ingest import-names show pkg:pypi/pyyaml[/cyan]",
    no_args_is_help=True,
)


@commands.command("show")
def show(
    purl: Annotated[
        str, typer.Argument(metavar="PURL[@VERSION]", help="A package, or one of its versions.")
    ],
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read the names again, even if they are known.")
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Show the import names of a package or version; read them if they are not known.

    The names of the latest version are stored on the package, the names of any other version on
    that version. It works without workers.

    [cyan]ssc-ingest import-names show pkg:pypi/pyyaml[/cyan]

    [cyan]ssc-ingest import-names show pkg:npm/lodash@4.17.20 --json[/cyan]

    The exit code is 1 if the graph lacks the package or version, or if the names cannot be read.
    """
    asyncio.run(_show(purl, refresh=refresh, as_json=as_json))


@commands.command("backfill")
def backfill(
    ecosystem: EcosystemName,
    *,
    limit: Annotated[
        int, typer.Option(min=0, help="Maximum number of packages per registry; 0: all.")
    ] = 100,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of packages that are read at once.")
    ] = 10,
    timeout: Annotated[
        float, typer.Option(min=1, max=60, help="Seconds for reading the names of one package.")
    ] = 30,
    missing_only: Annotated[
        bool, typer.Option("--missing-only", help="Only packages whose names are a guess.")
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="Read all packages, including those whose names were read from their latest "
            "version.",
        ),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show the progress, then the summary.")
    ] = True,
    as_json: output.JSONOption = False,
) -> None:
    """Read the import names of packages whose latest version has not been read for names.

    Workers do the reading, after all urgent and fresh work. The run continues if a process is
    killed; `runs` can pause, resume and cancel it.

    [cyan]ssc-ingest import-names backfill pypi[/cyan]

    [cyan]ssc-ingest import-names backfill all --limit 0 --concurrency 50[/cyan]

    The exit code is 1 if a run failed. Ctrl-C stops the waiting, not the run.
    """
    if missing_only and refresh:
        raise typer.BadParameter("give either --missing-only or --refresh")
    options = {
        "limit": limit,
        "concurrency": concurrency,
        "timeout": timeout,
        "missing_only": missing_only,
        "refresh": refresh,
    }
    asyncio.run(_backfill(ecosystem, options, wait=wait, as_json=as_json))


def find_import(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name as source code imports it, in exact case.")
    ],
    *,
    ecosystem: Annotated[
        str | None, typer.Option("--ecosystem", help="Only packages of this registry.")
    ] = None,
    as_json: output.JSONOption = False,
) -> None:
    """Find the packages that source code imports by a name.

    [cyan]ssc-ingest find-import yaml[/cyan]

    [cyan]ssc-ingest find-import com.google.common --ecosystem maven[/cyan]

    The exit code is 1 if no package in the graph has the name.
    """
    if not asyncio.run(_find_import(name, ecosystem, as_json=as_json)):
        raise typer.Exit(ExitCode.FAILED)


async def _show(purl: str, *, refresh: bool, as_json: bool) -> None:
    from ssc_ingest.cli.connections import configured, configured_stores_answer
    from ssc_ingest.ecosystems.purls import parse_purl
    from ssc_ingest.resources import open_resources

    named = parse_purl(purl)
    settings, servers = configured()
    await configured_stores_answer(settings, servers)
    async with open_resources(settings, servers) as resources:
        shown = await _names(resources, named, refresh=refresh)
    if as_json:
        output.print_json(asdict(shown))
        return
    source = f"of {shown.import_names_from}" if shown.import_names_from else "of no known version"
    guess = ": a guess from the package's name" if shown.import_names_guessed else ""
    output.console().print(Text(shown.purl, style="bold"))
    output.say(source + guess, style="dim")
    for name in shown.import_names:
        output.say(f"  {name}")
    if not shown.import_names:
        output.say("nothing in it can be imported")


async def _names(resources: "Resources", named: "PackageName", *, refresh: bool) -> ShownNames:
    """The names in the graph, after reading those that it lacks.

    Raises:
        Failed: the graph lacks the package or version, or a version's names cannot be read.
    """
    from ssc_ingest.errors import DeadlineExceeded, RegistryError
    from ssc_ingest.graph.import_names import ImportNamesGraph
    from ssc_ingest.import_names.knowledge import is_guess

    ref, version = named.ref, None
    if named.version:
        version = named.ecosystem.version_name(named.version)
    purl = named.ecosystem.version_purl(ref, version) if version else ref.purl
    try:
        await resources.naming().name(ref, version, refresh=refresh, urgent=True)
    except (RegistryError, DeadlineExceeded) as error:
        reason = f"the names were not read: {type(error).__name__}: {error}"
        if version:
            raise Failed(reason) from error
        output.say(reason, style="yellow", stderr=True)
    state = await ImportNamesGraph(resources.driver).state(ref, purl)
    if state is None or (version and not state.has_version):
        raise Failed(
            f"{purl} is not in the graph; `ssc-ingest extract {ref.purl} --refresh` reads "
            "the registry"
        )
    if version and version != state.latest:
        if state.names is None:
            raise Failed(f"the import names of {purl} cannot be read")
        return ShownNames(purl, state.names, version)
    names, source = state.package_names, state.names_from
    guessed = is_guess(named.ecosystem, ref, names, source)
    return ShownNames(ref.purl, names, source, import_names_guessed=guessed)


async def _backfill(name: str, options: Mapping[str, object], *, wait: bool, as_json: bool) -> None:
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.ecosystems import ecosystem, ecosystems
    from ssc_ingest.work.arguments import BackfillImportNames

    names = list(ecosystems()) if name == "all" else [ecosystem(name).identity.name]
    async with state_store(*configured()) as state:
        started = []
        for each in names:
            request = BackfillImportNames.parse({"ecosystem": each, **options})
            run, is_new = await state.run_control().begin(
                "import_names", each, limit=request.limit or None, backfill=request
            )
            started.append(run)
            about = "starts" if is_new else f"is already {run.state}; no other was started"
            output.say(f"run {run.id}: import names of {each}: {about}", stderr=True)
        ended = await runs.wait_for(state, started) if wait else started
    if as_json or not wait:
        runs.print_runs(ended, as_json=as_json, alone=name != "all")
    else:
        for run in ended:
            _print_summary(run)
    if any(run.state == "failed" for run in ended):
        raise typer.Exit(ExitCode.FAILED)


def _print_summary(run: "Run") -> None:
    """The summary of one backfill."""
    metrics = run.metrics()
    output.console().print(
        output.facts(
            [
                ("import names of", run.ecosystem),
                ("succeeded", output.number(int(metrics["succeeded"]))),
                ("without imports", output.number(int(metrics["without_imports"]))),
                ("download errors", output.number(int(metrics["download_errors"]))),
                ("processing errors", output.number(int(metrics["processing_errors"]))),
                ("total", output.number(int(metrics["packages_processed"]))),
                ("total time", output.duration(run.active)),
                ("average per package", f"{metrics['seconds_per_package']:.3f} s"),
                *([("note", run.note)] if run.note else []),
                *([("error", Text(run.error, "red"))] if run.error else []),
            ]
        )
    )


async def _find_import(name: str, only: str | None, *, as_json: bool) -> bool:
    from ssc_ingest.cli.connections import configured, graph_store
    from ssc_ingest.ecosystems import ecosystem, ecosystems
    from ssc_ingest.graph.import_names import ImportNamesGraph

    classes = [ecosystem(only)] if only else list(ecosystems().values())
    settings, servers = configured()
    async with graph_store(settings, servers) as driver:
        graph = ImportNamesGraph(driver)
        found = [
            (cls.identity.name, package)
            for cls in classes
            for package in await graph.imported_as(cls.identity.label, name, MAX_FOUND)
        ]
    documents = [
        {
            "purl": package.purl,
            "ecosystem": of,
            "latest": package.latest,
            "import_names_from": package.names_from,
        }
        for of, package in found
    ]
    if as_json:
        output.print_json(documents)
    elif not found:
        output.say(f"no package in the graph is imported as {name}")
    else:
        _print_found(documents)
    return bool(found)


def _print_found(documents: Sequence[Mapping[str, str | None]]) -> None:
    output.console().print(
        output.table(
            ["package", "latest", "names from"],
            [
                (each["purl"], each["latest"] or "", each["import_names_from"] or "not known")
                for each in documents
            ],
            whole=["package"],
        )
    )
