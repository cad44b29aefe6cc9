"""``status``: an overview of the fleet."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode
from ssc_ingest.cli.work_status import print_work

if TYPE_CHECKING:
    from ssc_ingest.graph.views import Counts
    from ssc_ingest.monitoring.status import WorkStatus
    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings
    from ssc_ingest.vulnerabilities.state import SyncState

T = TypeVar("T")

DAY = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The address of a server and whether it responds."""

    uri: str
    """The address without credentials."""
    reachable: bool
    version: str | None = None
    error: str | None = None


def status(*, as_json: output.JSONOption = False) -> None:
    """Show servers, workers, queues, dead letters, problems, and the graph's size and freshness.

    [cyan]ssc-ingest status[/cyan]

    [cyan]ssc-ingest status --json | jq .queues[/cyan]

    The exit code is 69 if a server does not respond, no worker or beat is running, or a queue has
    no reader; the other parts are shown nevertheless.
    """
    asyncio.run(_status(as_json=as_json))


async def _status(*, as_json: bool) -> None:
    from ssc_ingest.cli.connections import configured

    settings, servers = configured()
    (redis, work), (graph, counts), (vulnerabilities, syncs) = await asyncio.gather(
        _work(settings, servers), _graph(settings, servers), _vulnerabilities(settings, servers)
    )
    found = {"graph": graph, "redis": redis, "vulnerabilities": vulnerabilities}
    if servers.stream_url:
        found["stream"] = await _stream_server(servers.stream(settings.redis_db))
    looks = _days_between_looks(settings, counts or {})
    if as_json:
        output.print_json(
            {
                "servers": {name: asdict(server) for name, server in found.items()},
                **(_work_document(work) if work else {}),
                "graph": counts
                and {
                    name: {**asdict(count), "looked_at_every_days": looks[name]}
                    for name, count in counts.items()
                },
                "advisories": syncs and list(syncs.values()),
            }
        )
    else:
        _print(found, work, counts, looks)
        if syncs is not None:
            _print_advisories(syncs)
    is_absent = any(problem.absent for problem in work.problems) if work else False
    if is_absent or not all(server.reachable for server in found.values()):
        raise typer.Exit(ExitCode.UNAVAILABLE)


async def _work(
    settings: "Settings", servers: "Servers"
) -> "tuple[ServerStatus, WorkStatus | None]":
    from ssc_ingest.cli.connections import state_store
    from ssc_ingest.control.registry_pauses import RegistryPauses
    from ssc_ingest.monitoring.status import read_work

    async def ask() -> "tuple[str, WorkStatus]":
        async with state_store(settings, servers) as state:
            info: Any = await state.redis.info("server")
            registries = RegistryPauses(state.limiter, state.queues)
            version = f"{info.get('server_name', 'redis').capitalize()} {_redis_version(info)}"
            return version, await read_work(
                queues=state.queues,
                jobs=state.jobs,
                runs=state.runs,
                claims=state.claims,
                dead_letters=state.dead_letters,
                redis=state.redis,
                pauses={each.name: each.pause for each in await registries.all()},
                streams=state.standings,
            )

    return await _ask(servers.redis_url, ask())


def _work_document(work: "WorkStatus") -> dict[str, Any]:
    """The status as JSON."""
    return {
        **asdict(replace(work, workers=[], runs=[], streams=[])),
        "workers": [worker.document() for worker in work.workers],
        "runs": [run.document() for run in work.runs],
        "streams": [stream.document() for stream in work.streams],
    }


async def _graph(
    settings: "Settings", servers: "Servers"
) -> "tuple[ServerStatus, dict[str, Counts] | None]":
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.graph.driver import open_driver, ping
    from ssc_ingest.graph.views import GraphViews

    labels = {name: cls.identity.label for name, cls in ecosystems().items()}

    async def ask() -> "tuple[str, dict[str, Counts]]":
        async with open_driver(servers, settings) as driver:
            server = await ping(driver)
            timeout = settings.db_default_query_timeout_ms / 1000
            counts = await GraphViews(driver, timeout=timeout).counts(labels)
            return f"Neo4j {server.version} {server.edition}", counts

    return await _ask(servers.graph_uri, ask())


def _days_between_looks(
    settings: "Settings", counts: "dict[str, Counts]"
) -> dict[str, float | None]:
    """Days between two staleness checks of a package, by ecosystem; ``None``: never."""
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.ecosystems.endpoints import load_endpoints
    from ssc_ingest.runs.staleness_budget import daily_budget, days_between_checks
    from ssc_ingest.settings import ENV_FILE

    found = {}
    for name, count in counts.items():
        endpoints = load_endpoints(name, ecosystems()[name].identity.endpoints, ENV_FILE)
        budget = daily_budget(endpoints, settings)
        found[name] = days_between_checks(count.packages, budget, settings)
    return found


async def _vulnerabilities(
    settings: "Settings", servers: "Servers"
) -> "tuple[ServerStatus, dict[str, SyncState] | None]":
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.vulnerabilities.state import SyncState
    from ssc_ingest.vulnerabilities.store import open_store

    async def ask() -> "tuple[str, dict[str, SyncState]]":
        async with open_store(servers.vulnerabilities_uri, settings) as store:
            version = await store.ping()
            found = await store.syncs.all()
            states = {name: found.get(name) or SyncState(ecosystem=name) for name in ecosystems()}
            return f"MongoDB {version}", states

    return await _ask(servers.vulnerabilities_uri, ask())


async def _stream_server(url: str) -> ServerStatus:
    """The server of other services' streams, if it is another one."""
    from redis.exceptions import RedisError

    from ssc_ingest.cli.commands.stream_checks import client
    from ssc_ingest.errors import StoreUnavailable

    async def ask() -> tuple[str, None]:
        try:
            async with client(url) as redis:
                info: Any = await redis.info("server")
        except (RedisError, OSError) as error:
            raise StoreUnavailable("stream", str(error)) from error
        return f"{info.get('server_name', 'redis').capitalize()} {_redis_version(info)}", None

    server, _ = await _ask(url, ask())
    return server


async def _ask(uri: str, answer: Awaitable[tuple[str, T]]) -> tuple[ServerStatus, T | None]:
    """The response of a server, or the reason why it does not respond."""
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.servers import without_credentials

    shown = without_credentials(uri)
    try:
        version, value = await answer
    except (StoreUnavailable, ConfigurationError) as error:
        return ServerStatus(uri=shown, reachable=False, error=str(error)), None
    return ServerStatus(uri=shown, reachable=True, version=version), value


def _redis_version(info: dict[str, Any]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version"))


def _print(
    servers: dict[str, ServerStatus],
    work: "WorkStatus | None",
    counts: "dict[str, Counts] | None",
    looks: dict[str, float | None],
) -> None:
    out = output.console()
    out.print(
        output.table(
            ["server", "address", "version"],
            [
                (
                    name,
                    server.uri,
                    server.version if server.reachable else Text(str(server.error), "red"),
                )
                for name, server in servers.items()
            ],
        )
    )
    if work:
        out.print()
        print_work(work)
    if counts:
        out.print()
        out.print(
            output.table(
                ["graph", "packages", "stubs", "versions", "requirements", "to fill"],
                [
                    (
                        name,
                        output.number(count.packages),
                        output.number(count.stubs),
                        output.number(count.versions),
                        output.number(count.requirements),
                        _to_fill(count, surveyed=bool(work and work.facts_surveyed[name])),
                    )
                    for name, count in counts.items()
                ],
                right=["packages", "stubs", "versions", "requirements", "to fill"],
            )
        )
        out.print()
        out.print(
            output.table(
                ["freshness", "read in 24 h", "newest", "re-checked", "guessed names"],
                [
                    (
                        name,
                        output.number(count.read_last_day),
                        output.age(count.newest),
                        "never" if days is None else f"every {output.duration(days * DAY)}",
                        output.number(count.packages - count.named),
                    )
                    for name, count in counts.items()
                    for days in [looks[name]]
                ],
                right=["read in 24 h", "guessed names"],
                whole=["re-checked"],
            )
        )


def _to_fill(count: "Counts", *, surveyed: bool) -> str:
    """How many versions an earlier release read without facts, as far as they are counted."""
    found = count.versions_without_facts
    if surveyed or not count.packages:
        return output.number(found)
    return f"{output.number(found)} so far" if found else "not counted yet"


def _print_advisories(syncs: "dict[str, SyncState]") -> None:
    """One line: the age of each ecosystem's sync; then what an operator should know."""
    from ssc_ingest.models import now
    from ssc_ingest.monitoring.advisories import advisory_problems

    out = output.console()
    ages = [
        f"{name} {output.age(state.synced_at) if state.synced_at else output.NOT_SYNCED}"
        for name, state in syncs.items()
    ]
    out.print()
    out.print(output.facts([("advisories synced", ", ".join(ages))]))
    for problem in advisory_problems(syncs, list(syncs), now=now()):
        output.say(f"{problem.finding} ({problem.remedy})", style="yellow")
