"""The composition root: the clients of one event loop, and the services that use them.

Only entry points import it: workers, the command line, benchmarks. Other constructors take only the
services that they use.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from neo4j import AsyncDriver
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from ssc_ingest.control.recovery import Recovery
from ssc_ingest.control.replay import Replay
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.extraction.assignment import Assignments
from ssc_ingest.extraction.delivery import DeliveryHandler
from ssc_ingest.extraction.extract import Extractor
from ssc_ingest.extraction.following import Following
from ssc_ingest.extraction.outcomes import Recorder
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.facts import FactsReader
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.graph.requirement_files import RequirementFileReader
from ssc_ingest.graph.views import GraphViews
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.document_cache import DocumentCache
from ssc_ingest.http.rate_limit import RateLimiter
from ssc_ingest.import_names.cache import ImportNamesCache
from ssc_ingest.metrics import Metrics
from ssc_ingest.monitoring.fleet_metrics import REFRESH_EVERY, FleetMetrics
from ssc_ingest.on_demand.jobs import Budget, Jobs
from ssc_ingest.on_demand.requirement_files import RequirementFiles
from ssc_ingest.on_demand.stream.connections import entry_client, text_client
from ssc_ingest.on_demand.stream.consumer import StreamConsumer
from ssc_ingest.on_demand.stream.consumers import stream_consumers
from ssc_ingest.on_demand.stream.counts import StreamMetrics
from ssc_ingest.on_demand.stream.names import stream_names
from ssc_ingest.on_demand.stream.readers import StreamReaders
from ssc_ingest.on_demand.stream.status import Streams
from ssc_ingest.runs.control import RunControl
from ssc_ingest.runs.facts import FactsSurvey
from ssc_ingest.runs.publisher import RunServices
from ssc_ingest.runs.store import Runs
from ssc_ingest.servers import Servers
from ssc_ingest.settings import ENV_FILE, Settings
from ssc_ingest.vulnerabilities.attributor import Attributor
from ssc_ingest.vulnerabilities.audit import Auditor
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.removal import remove_vanished
from ssc_ingest.vulnerabilities.requests import SyncRequests
from ssc_ingest.vulnerabilities.service import AdvisorySync
from ssc_ingest.vulnerabilities.sources import Source, open_source
from ssc_ingest.vulnerabilities.store import VulnerabilityStore, open_store
from ssc_ingest.vulnerabilities.stored_advisories import StoredAdvisories
from ssc_ingest.vulnerabilities.unattributed import Unattributed
from ssc_ingest.work.claims import Claims
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.deliveries import Deliveries
from ssc_ingest.work.edge_order import EdgeOrder
from ssc_ingest.work.malformed import KEEP_EVERY, MalformedTexts
from ssc_ingest.work.not_found import NegativeCache
from ssc_ingest.work.pipelining import PipeliningRedis
from ssc_ingest.work.queues import Queues
from ssc_ingest.work.rereading import Rereading

MAX_CONNECTIONS = 32
"""Connections of one process to one Redis database."""

MOVE_EVERY = 1.0
"""Seconds between checks for due messages in the delayed set."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a process repeats in the background."""

    name: str
    """The name of the step in the log."""
    run: Callable[[], Awaitable[None]]
    every: float
    """Seconds from its end to its next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The clients of the Redis databases, and the services that use only Redis."""

    queues: Queues
    jobs: Jobs
    runs: Runs
    not_found: NegativeCache
    cooldowns: Cooldowns
    rereading: Rereading
    claims: Claims
    deliveries: Deliveries
    dead_letters: DeadLetters
    malformed: MalformedTexts
    unattributed: Unattributed
    limiter: RateLimiter
    redis: Redis
    """The state database."""
    edge_order: EdgeOrder
    standings: Streams
    """The state of the streams of other services."""
    streams: Redis
    """The database with the streams of other services and their dead letters."""
    stream_entries: Redis
    """A client that returns bytes, for reading entries; it does not retry."""
    cache: Redis
    """The client returns bytes, not text."""

    def replay(self) -> Replay:
        """The replay of dead letters."""
        return Replay(self.dead_letters, self.queues, self.jobs, self.redis)

    def stream_consumers(self, settings: Settings) -> list[StreamConsumer]:
        """Reads the streams of other services, each separately."""
        return stream_consumers(
            settings,
            self.stream_entries,
            self.standings,
            queues=self.queues,
            jobs=self.jobs,
            edge_order=self.edge_order,
            dead_letters=self.dead_letters,
        )

    def run_control(self) -> RunControl:
        """Starts, pauses, resumes and cancels runs."""
        return RunControl(self.runs, self.queues)

    def sync_requests(self) -> SyncRequests:
        """The requests for syncs of advisories."""
        return SyncRequests(self.redis)

    def changed_packages(self) -> ChangedPackages:
        """The outbox of packages with changed advisories."""
        return ChangedPackages(self.redis, self.queues)

    def recovery(self, settings: Settings) -> Recovery:
        """Requeues lost work."""
        return Recovery(
            self.queues,
            self.claims,
            self.jobs,
            self.runs,
            syncs=self.sync_requests(),
            changed=self.changed_packages(),
            visibility_timeout=settings.visibility_timeout,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All clients and services of a worker process."""

    settings: Settings
    servers: Servers
    state: State
    driver: AsyncDriver
    reader: GraphReader
    writer: GraphWriter
    vulnerabilities: VulnerabilityStore
    advisories: Source
    """Where advisories come from."""
    ecosystems: Mapping[str, Ecosystem]
    import_names: ImportNamesCache
    attributor: Attributor
    metrics: Metrics

    @property
    def budget(self) -> Budget:
        """The limits of jobs."""
        settings = self.settings
        return Budget(
            packages=settings.job_max_packages,
            requests=settings.job_max_requests,
            direct=settings.job_max_direct_requirements,
        )

    def extractor(self) -> Extractor:
        """Extracts packages."""
        return Extractor(
            ecosystems=self.ecosystems,
            reader=self.reader,
            writer=self.writer,
            not_found=self.state.not_found,
            rereading=self.state.rereading,
            import_names=self.import_names,
            edge_order=self.state.edge_order,
            attributor=self.attributor,
            cache=self.state.cache,
            timeout=self.settings.task_timeout,
        )

    def delivery_handler(self) -> DeliveryHandler:
        """Handles deliveries of extraction tasks."""
        state = self.state
        assignments = Assignments(state.jobs, state.runs, self.budget)
        return DeliveryHandler(
            assignments,
            state.claims,
            self.extractor(),
            Following(self.ecosystems, self.reader, state.jobs, state.queues, self.budget),
            Recorder(
                assignments,
                state.queues,
                state.dead_letters,
                state.cooldowns,
                self.metrics,
                streams=state.standings.metrics,
                max_attempts=self.settings.max_attempts,
            ),
        )

    def advisory_sync(self) -> AdvisorySync:
        """Executes requested syncs of advisories."""
        return AdvisorySync(
            self.vulnerabilities,
            self.state.changed_packages(),
            self.state.sync_requests(),
            self.advisories,
            self.settings,
            clean_up=partial(remove_vanished, self.vulnerabilities, self.reader),
        )

    def requirement_files(self) -> RequirementFiles:
        """Extracts the stubs of requirement files."""
        state = self.state
        return RequirementFiles(
            reader=RequirementFileReader(self.driver),
            redis=state.redis,
            queues=state.queues,
            jobs=state.jobs,
            not_found=state.not_found,
            cooldowns=state.cooldowns,
            budget=self.budget,
            high_water=self.settings.run_high_water,
        )

    def facts_survey(self) -> FactsSurvey:
        """Finds packages that have versions without facts."""
        labels = {name: cls.identity.label for name, cls in ecosystems().items()}
        return FactsSurvey(FactsReader(self.driver), self.state.redis, labels)

    def auditor(self) -> Auditor:
        """Checks the attribution of random packages."""
        state = self.state
        return Auditor(
            ecosystems(),
            AttributionReader(self.driver),
            self.attributor,
            state.unattributed,
            state.redis,
        )

    def fleet_metrics(self) -> FleetMetrics:
        """Sets the fleet-wide gauges."""
        state, settings = self.state, self.settings
        return FleetMetrics(
            registry=self.metrics.registry,
            queues=state.queues,
            dead_letters=state.dead_letters,
            runs=state.runs,
            limiter=state.limiter,
            redis=state.redis,
            streams=state.standings,
            views=GraphViews(self.driver, timeout=settings.db_default_query_timeout_ms / 1000),
            freshness_goal=timedelta(days=settings.freshness_goal_days),
        )

    def control_steps(self, *, exports_metrics: bool) -> list[Step]:
        """The background steps of a worker that reads the queue ``control``.

        ``exports_metrics``: whether the process serves its metrics.
        """
        steps = [
            Step("move_delayed", self.state.queues.move_all_due, MOVE_EVERY),
            Step("keep_malformed", self.state.malformed.keep, KEEP_EVERY),
        ]
        if exports_metrics:
            refresh = self.fleet_metrics().keep_fresh
            steps.append(Step("refresh_fleet_metrics", refresh, REFRESH_EVERY))
        consumers = self.state.stream_consumers(self.settings)
        steps += [
            Step(f"read_{consumer.stream}", consumer.run, MOVE_EVERY) for consumer in consumers
        ]
        return steps

    def run_services(self, ecosystem: str) -> RunServices:
        """The services for the runs of an ecosystem."""
        return RunServices(
            runs=self.state.runs,
            queues=self.state.queues,
            driver=self.driver,
            reader=self.reader,
            not_found=self.state.not_found,
            cooldowns=self.state.cooldowns,
            rereading=self.state.rereading,
            ecosystem=self.ecosystems[ecosystem],
            settings=self.settings,
        )


@asynccontextmanager
async def open_state(settings: Settings, servers: Servers) -> AsyncIterator[State]:
    """Open the clients of the Redis databases, without connecting yet."""
    async with AsyncExitStack() as stack:

        def connections(database: int, *, text: bool = True) -> BlockingConnectionPool:
            # Blocking: if all connections are in use, a task waits instead of failing.
            return BlockingConnectionPool.from_url(
                servers.redis(database),
                max_connections=MAX_CONNECTIONS,
                decode_responses=text,
                socket_keepalive=True,
                socket_timeout=10,
                socket_connect_timeout=5,
                health_check_interval=25,
                # The client bridges a restart of some seconds; after a longer outage the task is
                # retried.
                retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries=8),
            )

        def connect(database: int, *, text: bool = True) -> Redis:
            client = Redis.from_pool(connections(database, text=text))
            stack.push_async_callback(client.aclose)
            return client

        state = PipeliningRedis(connections(settings.redis_state_db))
        stack.push_async_callback(state.aclose)
        stream_url = servers.stream(settings.redis_db)
        streams, entries = text_client(stream_url), entry_client(stream_url)
        stack.push_async_callback(streams.aclose)
        stack.push_async_callback(entries.aclose)
        metrics, readers = StreamMetrics(state), StreamReaders(state)
        names = stream_names(settings.redis_stream)
        queues = Queues(connect(settings.redis_broker_db))
        dead_letters = DeadLetters(state, streams, names)
        yield State(
            queues=queues,
            jobs=Jobs(state),
            runs=Runs(
                state,
                kept=settings.runs_kept,
                kept_for=settings.runs_kept_days * 24 * 3600,
            ),
            not_found=NegativeCache(state),
            cooldowns=Cooldowns(state),
            rereading=Rereading(state),
            claims=Claims(state, queues),
            deliveries=Deliveries(state),
            dead_letters=dead_letters,
            malformed=MalformedTexts(connect(settings.redis_broker_db, text=False), dead_letters),
            unattributed=Unattributed(state),
            limiter=RateLimiter(state),
            redis=state,
            edge_order=EdgeOrder(state),
            standings=Streams(streams, names, settings.redis_group, metrics, readers),
            streams=streams,
            stream_entries=entries,
            cache=connect(settings.redis_cache_db, text=False),
        )


@asynccontextmanager
async def open_resources(
    settings: Settings,
    servers: Servers,
    *,
    env_file: Path | None = ENV_FILE,
    metrics: Metrics | None = None,
) -> AsyncIterator[Resources]:
    """Open everything; the writer flushes before the driver closes.

    ``metrics``: those of the process; by default new ones.

    Raises:
        ConfigurationError: a registry's URL or rate is invalid.
    """
    metrics = metrics or Metrics()
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(open_state(settings, servers))
        endpoints = {
            name: load_endpoints(name, cls.identity.endpoints, env_file, cls.identity.options)
            for name, cls in ecosystems().items()
        }
        transport = await stack.enter_async_context(
            open_transport(settings, host_names(endpoints.values(), settings.osv_url))
        )
        driver = await stack.enter_async_context(open_driver(servers, settings))
        writer = GraphWriter(driver)
        stack.push_async_callback(writer.close)
        documents = DocumentCache(state.cache)
        readers = {}
        for name, cls in ecosystems().items():
            client = RegistryClient(
                transport,
                state.limiter,
                endpoints[name].hosts,
                documents,
                registry=name,
                metrics=metrics,
            )
            readers[name] = cls(client, endpoints[name])
        store = await stack.enter_async_context(open_store(servers.vulnerabilities_uri, settings))
        yield Resources(
            settings=settings,
            servers=servers,
            state=state,
            driver=driver,
            reader=GraphReader(driver),
            writer=writer,
            vulnerabilities=store,
            advisories=open_source(transport, state.limiter, settings, metrics),
            ecosystems=readers,
            import_names=ImportNamesCache(state.cache),
            attributor=open_attributor(settings, state, driver, writer, store),
            metrics=metrics,
        )


def open_attributor(
    settings: Settings,
    state: State,
    driver: AsyncDriver,
    writer: GraphWriter,
    store: VulnerabilityStore,
) -> Attributor:
    """Open the service that attributes advisories to versions."""
    return Attributor(
        ecosystems(),
        StoredAdvisories(store),
        AttributionReader(driver),
        writer,
        state.unattributed,
        malware_score=settings.malware_score,
    )
