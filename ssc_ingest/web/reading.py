"""Reads the parts of the page through the services that the commands use."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ssc_ingest.control.registry_pauses import Registry, RegistryPauses
from ssc_ingest.control.schedules import ScheduleControl, ScheduleStatus
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.driver import ping
from ssc_ingest.graph.errors import translated as graph_translated
from ssc_ingest.graph.views import Ages, Counts, GraphViews
from ssc_ingest.models import now
from ssc_ingest.monitoring.heartbeats import Beat, beats
from ssc_ingest.monitoring.status import WorkStatus
from ssc_ingest.monitoring.stores import (
    StoreSize,
    graph_size,
    private_size,
    redis_size,
    vulnerabilities_size,
)
from ssc_ingest.monitoring.waiting import oldest_messages
from ssc_ingest.monitoring.witnesses import NEWEST
from ssc_ingest.runs.model import Run
from ssc_ingest.servers import configured_redis_url, redis_name
from ssc_ingest.vulnerabilities.mongo import translated as mongo_translated
from ssc_ingest.vulnerabilities.state import SyncState
from ssc_ingest.web.parts import Cached
from ssc_ingest.web.sources import Sources
from ssc_ingest.work.names import queue_names

LETTERS_COUNTED = 1000
"""Number of newest dead letters that are counted by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The state of the fleet in Redis."""

    version: str
    size: StoreSize
    work: WorkStatus
    oldest: Mapping[str, float | None]
    """Seconds for which the next message of each queue that is not empty has waited."""
    registries: Sequence[Registry]
    beats: Sequence[Beat]
    schedules: Sequence[ScheduleStatus]
    runs: Sequence[Run]
    """The newest runs, newest first."""

    @property
    def latest_runs(self) -> list[Run]:
        """The latest ended run of each kind and ecosystem, the newest first."""
        found: dict[tuple[str, str], Run] = {}
        for run in self.runs:
            if run.ended:
                found.setdefault((run.kind, run.ecosystem), run)
        return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """The newest dead letters by kind."""

    kinds: Mapping[str, int]
    """Numbers by type of error, the most frequent first."""
    counted: int
    more: bool
    """Whether there are older ones, which are not counted by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The contents of the graph."""

    version: str
    size: StoreSize
    counts: Mapping[str, Counts]
    ages: Mapping[str, Ages]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisories:
    """The state of the vulnerability store."""

    version: str
    size: StoreSize
    states: Mapping[str, SyncState]
    """The state of every ecosystem's sync."""


class Reading:
    """All parts of the page."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._data = sources.settings.data_dir
        seconds = timedelta(seconds=1)
        self.fleet = Cached("fleet", self._fleet, fresh_for=4 * seconds)
        self.letters = Cached("letters", self._letters, fresh_for=10 * seconds)
        # These reads cost the servers more, and their answers change slowly.
        self.graph = Cached("graph", self._graph, fresh_for=60 * seconds, limit=300 * seconds)
        self.advisories = Cached("advisories", self._advisories, fresh_for=30 * seconds)

    @property
    def parts(self) -> dict[str, Cached[Any]]:
        """The parts by name."""
        return {
            "fleet": self.fleet,
            "letters": self.letters,
            "graph": self.graph,
            "advisories": self.advisories,
        }

    async def close(self) -> None:
        """End the reads in progress."""
        for part in self.parts.values():
            await part.close()

    async def _fleet(self) -> Fleet:
        settings = self._sources.settings
        async with self._sources.state() as state:
            info = await state.redis.info("server")
            registries = await RegistryPauses(
                state.limiter, state.queues, env_file=self._sources.env_file
            ).all()
            control = ScheduleControl(state.redis, state.queues, settings.timezone)
            return Fleet(
                version=redis_name(info),
                size=await self._with_files(
                    await redis_size(state.redis), "valkey", configured_redis_url(settings)
                ),
                work=await state.work_status(registries),
                oldest=await oldest_messages(state.queues, queue_names(ecosystems())),
                registries=registries,
                beats=await beats(state.redis),
                schedules=await control.standings(),
                runs=await state.runs.newest(NEWEST),
            )

    async def _letters(self) -> Letters:
        kinds: Counter[str] = Counter()
        more = False
        async with self._sources.state() as state:
            async for letter in state.dead_letters.all():
                if kinds.total() == LETTERS_COUNTED:
                    more = True
                    break
                kinds[letter.error_type] += 1
        return Letters(kinds=dict(kinds.most_common()), counted=kinds.total(), more=more)

    async def _graph(self) -> Graph:
        settings = self._sources.settings
        labels = {name: cls.identity.label for name, cls in ecosystems().items()}
        goal = now() - timedelta(days=settings.freshness_goal_days)
        async with self._sources.graph() as driver:
            server = await ping(driver)
            views = GraphViews(driver, timeout=settings.db_default_query_timeout_ms / 1000)
            with graph_translated("a read"):
                size = await graph_size(driver)
            return Graph(
                version=f"Neo4j {server.version} {server.edition}",
                size=await self._with_files(size, "neo4j", settings.graph_db_uri),
                counts=await views.counts(labels),
                ages=await views.ages(labels, goal),
            )

    async def _advisories(self) -> Advisories:
        configured = self._sources.settings.vuln_db_uri
        async with self._sources.vulnerabilities() as store:
            version = await store.ping()
            states = await store.syncs.of(ecosystems())
            with mongo_translated():
                size = await vulnerabilities_size(store.database)
        return Advisories(
            version=f"MongoDB {version}",
            size=await self._with_files(size, "mongo", configured),
            states=states,
        )

    async def _with_files(self, size: StoreSize, folder: str, configured: object) -> StoreSize:
        """Add the files of a private server, which are on this machine."""
        if configured:
            return size
        files = await asyncio.to_thread(private_size, self._data / folder)
        return replace(size, disk=files.disk or size.disk, disk_free=files.disk_free)
