"""The clients of the Redis databases, and the services that use only Redis.

A service whose module takes milliseconds to import is imported when a process first uses it: a
command uses few of them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.backoff import ExponentialBackoff

from ssc_ingest.on_demand.jobs import Jobs
from ssc_ingest.on_demand.stream.connections import entry_client, text_client
from ssc_ingest.on_demand.stream.names import stream_names
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.unattributed import Unattributed
from ssc_ingest.work.claims import Claims
from ssc_ingest.work.cooldowns import Cooldowns
from ssc_ingest.work.deliveries import Deliveries
from ssc_ingest.work.edge_order import EdgeOrder
from ssc_ingest.work.not_found import NegativeCache
from ssc_ingest.work.pipelining import PipeliningRedis
from ssc_ingest.work.queues import Queues
from ssc_ingest.work.rereading import Rereading
from ssc_ingest.work.waiting import NotedPool, NotedRetry

if TYPE_CHECKING:
    from ssc_ingest.control.recovery import Recovery
    from ssc_ingest.control.registry_pauses import Registry
    from ssc_ingest.control.replay import Replay
    from ssc_ingest.http.rate_limit import RateLimiter
    from ssc_ingest.monitoring.status import WorkStatus
    from ssc_ingest.on_demand.stream.consumer import StreamConsumer
    from ssc_ingest.on_demand.stream.status import Streams
    from ssc_ingest.runs.control import RunControl
    from ssc_ingest.runs.store import Runs
    from ssc_ingest.vulnerabilities.changed import ChangedPackages
    from ssc_ingest.vulnerabilities.requests import SyncRequests
    from ssc_ingest.work.dead_letters import DeadLetters
    from ssc_ingest.work.malformed import MalformedTexts

MAX_CONNECTIONS = 32
"""Connections of one process to one Redis database."""


@dataclass(frozen=True, kw_only=True)
class State:
    """The clients of the Redis databases, and the services that use only Redis."""

    settings: Settings
    queues: Queues
    jobs: Jobs
    not_found: NegativeCache
    cooldowns: Cooldowns
    rereading: Rereading
    claims: Claims
    deliveries: Deliveries
    unattributed: Unattributed
    edge_order: EdgeOrder
    redis: Redis
    """The state database."""
    broker: Redis
    """The database of the queues; the client returns bytes."""
    streams: Redis
    """The database with the streams of other services and their dead letters."""
    stream_entries: Redis
    """A client that returns bytes, for reading entries; it does not retry."""
    cache: Redis
    """The client returns bytes, not text."""

    async def aclose(self) -> None:
        """Close what uses the clients in tasks of its own; then they may be closed."""
        if "limiter" in vars(self):  # it was used
            await self.limiter.aclose()

    @cached_property
    def runs(self) -> "Runs":
        """The records of runs."""
        from ssc_ingest.runs.store import Runs

        return Runs(
            self.redis,
            kept=self.settings.runs_kept,
            kept_for=self.settings.runs_kept_days * 24 * 3600,
        )

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """The dead letters of tasks and of streams."""
        from ssc_ingest.work.dead_letters import DeadLetters

        return DeadLetters(self.redis, self.streams, stream_names(self.settings.redis_stream))

    @cached_property
    def malformed(self) -> "MalformedTexts":
        """The texts in queues that are not messages."""
        from ssc_ingest.work.malformed import MalformedTexts

        return MalformedTexts(self.broker, self.dead_letters)

    @cached_property
    def limiter(self) -> "RateLimiter":
        """The rates and pauses of hosts."""
        from ssc_ingest.http.rate_limit import RateLimiter

        return RateLimiter(self.redis)

    @cached_property
    def standings(self) -> "Streams":
        """The state of the streams of other services."""
        from ssc_ingest.on_demand.stream.counts import StreamMetrics
        from ssc_ingest.on_demand.stream.readers import StreamReaders
        from ssc_ingest.on_demand.stream.status import Streams

        return Streams(
            self.streams,
            stream_names(self.settings.redis_stream),
            self.settings.redis_group,
            StreamMetrics(self.redis),
            StreamReaders(self.redis),
        )

    def replay(self) -> "Replay":
        """The replay of dead letters."""
        from ssc_ingest.control.replay import Replay

        return Replay(self.dead_letters, self.queues, self.jobs, self.redis)

    def stream_consumers(self, settings: Settings) -> "list[StreamConsumer]":
        """Reads the streams of other services, each separately."""
        from ssc_ingest.on_demand.stream.consumers import stream_consumers

        return stream_consumers(
            settings,
            self.stream_entries,
            self.standings,
            queues=self.queues,
            jobs=self.jobs,
            edge_order=self.edge_order,
            dead_letters=self.dead_letters,
        )

    async def work_status(self, registries: "Sequence[Registry]") -> "WorkStatus":
        """The status of the fleet's work.

        Args:
            registries: of all ecosystems, for their pauses and the reasons why tasks wait.

        Raises:
            RedisError: Redis does not respond.
        """
        from ssc_ingest.control.registry_pauses import pauses
        from ssc_ingest.monitoring.status import read_work

        return await read_work(
            queues=self.queues,
            jobs=self.jobs,
            runs=self.runs,
            claims=self.claims,
            dead_letters=self.dead_letters,
            redis=self.redis,
            pauses=pauses(registries),
            obstacles={registry.name: registry.obstacle for registry in registries},
            streams=self.standings,
        )

    def run_control(self) -> "RunControl":
        """Starts, pauses, resumes and cancels runs."""
        from ssc_ingest.runs.control import RunControl

        return RunControl(self.runs, self.queues)

    def sync_requests(self) -> "SyncRequests":
        """The requests for syncs of advisories."""
        from ssc_ingest.vulnerabilities.requests import SyncRequests

        return SyncRequests(self.redis)

    def changed_packages(self) -> "ChangedPackages":
        """The outbox of packages with changed advisories."""
        from ssc_ingest.vulnerabilities.changed import ChangedPackages

        return ChangedPackages(self.redis, self.queues)

    def recovery(self, settings: Settings) -> "Recovery":
        """Requeues lost work."""
        from ssc_ingest.control.recovery import Recovery

        return Recovery(
            self.queues,
            self.claims,
            self.jobs,
            self.runs,
            syncs=self.sync_requests(),
            changed=self.changed_packages(),
            visibility_timeout=settings.visibility_timeout,
        )


@asynccontextmanager
async def open_state(settings: Settings, servers: Servers) -> AsyncIterator[State]:
    """Open the clients of the Redis databases, without connecting yet."""
    async with AsyncExitStack() as stack:

        def connections(database: int, *, text: bool = True) -> NotedPool:
            # Blocking: if all connections are in use, a task waits instead of failing.
            return NotedPool.from_url(
                servers.redis(database),
                max_connections=MAX_CONNECTIONS,
                decode_responses=text,
                socket_keepalive=True,
                socket_timeout=10,
                socket_connect_timeout=5,
                health_check_interval=25,
                # The client bridges a restart of some seconds; after a longer outage the task is
                # retried.
                retry=NotedRetry(ExponentialBackoff(cap=1, base=0.05), retries=8),
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
        queues = Queues(connect(settings.redis_broker_db))
        opened = State(
            settings=settings,
            queues=queues,
            jobs=Jobs(state),
            not_found=NegativeCache(state),
            cooldowns=Cooldowns(state),
            rereading=Rereading(state),
            claims=Claims(state, queues),
            deliveries=Deliveries(state),
            unattributed=Unattributed(state),
            edge_order=EdgeOrder(state),
            redis=state,
            broker=connect(settings.redis_broker_db, text=False),
            streams=streams,
            stream_entries=entries,
            cache=connect(settings.redis_cache_db, text=False),
        )
        stack.push_async_callback(opened.aclose)
        yield opened
