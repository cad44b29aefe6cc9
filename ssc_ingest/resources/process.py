"""All clients and services of one process: Redis, the graph, advisories, registries."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.extraction.assignment import Assignments
from ssc_ingest.extraction.delivery import DeliveryHandler
from ssc_ingest.extraction.extract import Extractor
from ssc_ingest.extraction.following import Following
from ssc_ingest.extraction.naming import NamesDeliveries
from ssc_ingest.extraction.outcomes import Recorder
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.facts import FactsReader
from ssc_ingest.graph.import_names import ImportNamesGraph
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.graph.requirement_files import RequirementFileReader
from ssc_ingest.graph.views import GraphViews
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.document_cache import DocumentCache
from ssc_ingest.import_names.cache import ImportNamesCache
from ssc_ingest.import_names.naming import Naming
from ssc_ingest.import_names.policy import NamesPolicy
from ssc_ingest.import_names.reading import NamesReader
from ssc_ingest.metrics import Metrics
from ssc_ingest.monitoring.fleet_metrics import REFRESH_EVERY, FleetMetrics
from ssc_ingest.on_demand.jobs import Budget
from ssc_ingest.on_demand.requirement_files import RequirementFiles
from ssc_ingest.resources.state import State, open_state
from ssc_ingest.runs.facts import FactsSurvey
from ssc_ingest.runs.publisher import RunServices
from ssc_ingest.servers import Servers
from ssc_ingest.settings import ENV_FILE, Settings
from ssc_ingest.vulnerabilities.attributor import Attributor
from ssc_ingest.vulnerabilities.audit import Auditor
from ssc_ingest.vulnerabilities.delivery import AttributionHandler
from ssc_ingest.vulnerabilities.removal import remove_vanished
from ssc_ingest.vulnerabilities.service import AdvisorySync
from ssc_ingest.vulnerabilities.sources import Source, open_source
from ssc_ingest.vulnerabilities.store import VulnerabilityStore, open_store
from ssc_ingest.vulnerabilities.stored_advisories import StoredAdvisories
from ssc_ingest.work.attempts import Attempts
from ssc_ingest.work.malformed import KEEP_EVERY
from ssc_ingest.work.names import queue_names

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
            names=NamesPolicy(self.settings.import_names_max, self.settings.import_names_read),
            edge_order=self.state.edge_order,
            attributor=self.attributor,
            cache=self.state.cache,
            timeout=self.settings.task_timeout,
        )

    @property
    def _attempts(self) -> Attempts:
        return Attempts(self.state.queues, max_attempts=self.settings.max_attempts)

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
                self._attempts,
                state.dead_letters,
                state.cooldowns,
                self.metrics,
                streams=state.standings.metrics,
            ),
        )

    def naming(self) -> Naming:
        """Reads import names."""
        settings = self.settings
        reader = NamesReader(
            self.ecosystems,
            ImportNamesCache(self.state.cache),
            self.metrics,
            most=settings.import_names_max,
            timeout=min(settings.import_names_timeout, settings.task_timeout),
            longest=settings.task_timeout,
        )
        return Naming(self.ecosystems, ImportNamesGraph(self.driver), self.writer, reader)

    def names_deliveries(self) -> NamesDeliveries:
        """Handles deliveries of tasks that read import names."""
        state = self.state
        return NamesDeliveries(
            self.naming(), state.runs, self._attempts, state.dead_letters, self.metrics
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

    def attribution_handler(self) -> AttributionHandler:
        """Handles deliveries of attribution tasks."""
        state = self.state
        return AttributionHandler(
            self.attributor,
            self._attempts,
            state.queues,
            state.deliveries,
            state.dead_letters,
        )

    def auditor(self) -> Auditor:
        """An auditor, which checks the attribution of random packages."""
        state = self.state
        return Auditor(
            ecosystems(),
            AttributionReader(self.driver),
            self.attributor,
            state.unattributed,
            state.redis,
            syncs=self.vulnerabilities.syncs,
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
        queues = queue_names(ecosystems())
        steps = [
            Step("move_delayed", self.state.queues.move_all_due, MOVE_EVERY),
            Step("gather_prioritized", partial(self.state.queues.gather, queues), MOVE_EVERY),
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
