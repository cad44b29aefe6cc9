"""The report of ``status``, read from all servers at once."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ssc_ingest.graph.views import Counts
    from ssc_ingest.monitoring.status import WorkStatus
    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings
    from ssc_ingest.vulnerabilities.state import SyncState

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The address of a server and whether it responds."""

    uri: str
    """The address without credentials."""
    reachable: bool
    version: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """The status of the servers, and their data; ``None`` for a server that does not respond."""

    servers: dict[str, ServerStatus]
    work: "WorkStatus | None"
    counts: "dict[str, Counts] | None"
    looks: dict[str, float | None]
    """Days between two staleness checks of a package, by ecosystem; ``None``: never."""
    syncs: "dict[str, SyncState] | None"

    @property
    def is_whole(self) -> bool:
        """Whether all servers respond and no part of the fleet is absent."""
        absent = any(problem.absent for problem in self.work.problems) if self.work else False
        return not absent and all(server.reachable for server in self.servers.values())

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "servers": {name: asdict(server) for name, server in self.servers.items()},
            **(_work_document(self.work) if self.work else {}),
            "graph": self.counts
            and {
                name: {**asdict(count), "looked_at_every_days": self.looks[name]}
                for name, count in self.counts.items()
            },
            "advisories": self.syncs and list(self.syncs.values()),
        }


async def read_fleet() -> FleetReport:
    """Ask all servers at once.

    Raises:
        ConfigurationError: a setting is wrong, or a server has no address.
    """
    from ssc_ingest.cli.connections import configured

    settings, servers = configured()
    (redis, work), (graph, counts), (vulnerabilities, syncs) = await asyncio.gather(
        _work(settings, servers), _graph(settings, servers), _vulnerabilities(settings, servers)
    )
    found = {"graph": graph, "redis": redis, "vulnerabilities": vulnerabilities}
    if servers.stream_url:
        found["stream"] = await _stream_server(servers.stream(settings.redis_db))
    looks = _days_between_looks(settings, counts or {})
    return FleetReport(servers=found, work=work, counts=counts, looks=looks, syncs=syncs)


async def _work(
    settings: "Settings", servers: "Servers"
) -> "tuple[ServerStatus, WorkStatus | None]":
    from ssc_ingest.cli.connections import state_store
    from ssc_ingest.control.registry_pauses import RegistryPauses
    from ssc_ingest.servers import redis_name

    async def ask() -> "tuple[str, WorkStatus]":
        async with state_store(settings, servers) as state:
            info: Any = await state.redis.info("server")
            registries = await RegistryPauses(state.limiter, state.queues).all()
            return redis_name(info), await state.work_status(registries)

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
    from ssc_ingest.vulnerabilities.store import open_store

    async def ask() -> "tuple[str, dict[str, SyncState]]":
        async with open_store(servers.vulnerabilities_uri, settings) as store:
            version = await store.ping()
            return f"MongoDB {version}", await store.syncs.of(ecosystems())

    return await _ask(servers.vulnerabilities_uri, ask())


async def _stream_server(url: str) -> ServerStatus:
    """The server of other services' streams, if it is another one."""
    from ssc_ingest.cli.commands.stream_checks import client
    from ssc_ingest.servers import redis_name
    from ssc_ingest.work.redis_errors import STREAM, translated

    async def ask() -> tuple[str, None]:
        with translated(STREAM):
            async with client(url) as redis:
                info: Any = await redis.info("server")
        return redis_name(info), None

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
