"""The state of the fleet from Redis, for ``ssc-ingest status``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.models import now
from ssc_ingest.monitoring.heartbeats import Worker, workers
from ssc_ingest.monitoring.waiting import JobLatency, latency_of
from ssc_ingest.monitoring.witnesses import Problem, problems
from ssc_ingest.on_demand.jobs import Jobs
from ssc_ingest.on_demand.stream.status import Streams, StreamStatus
from ssc_ingest.runs.facts import surveyed
from ssc_ingest.runs.model import Feed, Run
from ssc_ingest.runs.store import Runs
from ssc_ingest.vulnerabilities.audit import AuditReport, last_audit
from ssc_ingest.vulnerabilities.unattributed import Unattributed
from ssc_ingest.work.claims import Claims
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.names import queue_names
from ssc_ingest.work.queues import Queues

MAX_JOBS = 1000
"""Number of newest jobs that are looked at, for the running ones and for the latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStatus:
    """Workers, queues and work in progress."""

    workers: list[Worker]
    queues: dict[str, int]
    """Number of waiting messages by queue."""
    unacknowledged: int
    """Number of messages that workers have received and not acknowledged."""
    in_flight: int
    """Number of claimed packages."""
    delayed: int
    """Number of messages in the delayed set."""
    dead_letters: int
    jobs_running: int
    job_latency: JobLatency
    """How long the jobs of the last day took."""
    runs: list[Run]
    """Runs that are running or paused."""
    feeds: dict[str, Feed]
    """Positions of updates, by ecosystem with a stored feed."""
    unattributed: int
    """Packages that wait for what advisories say about their versions."""
    audit: AuditReport | None
    """The last audit of the vulnerabilities; ``None`` if there was none."""
    problems: list[Problem]
    """All problems for operators, worst first."""
    facts_surveyed: dict[str, bool]
    """Whether the versions without facts have been counted, by ecosystem."""
    waits_for: dict[str, str] = field(default_factory=dict)
    """The reason why delayed tasks of a registry wait, by registry that has one: an operator's
    pause, a host that is away or requests a pause, our own rate limit."""
    streams: list[StreamStatus] = field(default_factory=list)
    """The streams on which other services request packages."""


async def read_work(
    *,
    queues: Queues,
    jobs: Jobs,
    runs: Runs,
    claims: Claims,
    dead_letters: DeadLetters,
    redis: Redis,
    pauses: Mapping[str, tuple[str, str]],
    streams: Streams,
    obstacles: Mapping[str, str] = MappingProxyType({}),
) -> WorkStatus:
    """Read the status.

    ``redis`` is the state database; ``pauses`` gives, for each registry that receives no requests,
    the reason and what ends the pause; ``obstacles`` the reason why a registry's tasks wait.
    """
    names = list(ecosystems())
    feeds = {name: await runs.feed(name) for name in names}
    spans = await jobs.spans(MAX_JOBS)
    standings = await streams.standings()
    return WorkStatus(
        workers=await workers(redis),
        queues=await queues.lengths(queue_names(names)),
        unacknowledged=await queues.unacknowledged(),
        in_flight=await claims.count(),
        delayed=await queues.delayed(),
        dead_letters=await dead_letters.count(),
        jobs_running=sum(span.finished_at is None for span in spans),
        job_latency=latency_of(spans, now=now()),
        runs=await runs.current_of(names),
        facts_surveyed=await surveyed(redis, names),
        feeds={name: feed for name, feed in feeds.items() if feed},
        unattributed=await Unattributed(redis).count(),
        audit=await last_audit(redis),
        problems=await problems(
            redis=redis, queues=queues, runs=runs, pauses=pauses, streams=standings
        ),
        waits_for={name: reason for name, reason in obstacles.items() if reason},
        streams=standings,
    )
