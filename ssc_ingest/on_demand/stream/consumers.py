"""The consumers of a process: one per stream, with the limits of the settings."""

import os
import socket

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.on_demand.jobs import Jobs
from ssc_ingest.on_demand.stream.consumer import HighWater, Limits, StreamConsumer
from ssc_ingest.on_demand.stream.group import StreamGroup
from ssc_ingest.on_demand.stream.handover import Handover
from ssc_ingest.on_demand.stream.status import Streams
from ssc_ingest.settings import Settings
from ssc_ingest.work.dead_letters import DeadLetters
from ssc_ingest.work.edge_order import EdgeOrder
from ssc_ingest.work.names import queue_name
from ssc_ingest.work.queues import Queues

FRESH_SHARE = 50
"""Times ``STREAM_HIGH_WATER``: the mark of the fresh queues. A message may add JOB_MAX_PACKAGES
packages there, and a daily update must not delay callers."""

DAY = 24 * 3600


def stream_consumers(
    settings: Settings,
    entries: Redis,
    streams: Streams,
    *,
    queues: Queues,
    jobs: Jobs,
    edge_order: EdgeOrder,
    dead_letters: DeadLetters,
) -> list[StreamConsumer]:
    """The consumers; ``entries`` is the database of the streams, as bytes.

    An entry is taken from its reader after TASK_TIMEOUT, and a hand-over takes at most half of it.
    """
    consumers = []
    for name in streams.names:
        group = StreamGroup(
            entries, name=name, group=settings.redis_group, consumer=consumer_name(settings)
        )
        handover = Handover(
            group,
            queues=queues,
            jobs=jobs,
            edges=edge_order,
            metrics=streams.metrics,
            timeout=settings.task_timeout / 2,
        )
        consumers.append(
            StreamConsumer(
                group,
                handover,
                queues=queues,
                readers=streams.readers,
                dead_letters=dead_letters,
                limits=_limits(settings),
            )
        )
    return consumers


def consumer_name(settings: Settings) -> str:
    """The unique name of this process in the group."""
    return f"{settings.redis_consumer}-{socket.gethostname()}-{os.getpid()}"


def _limits(settings: Settings) -> Limits:
    high_water = settings.stream_high_water
    return Limits(
        marks=(
            HighWater(_queues("urgent"), high_water),
            HighWater(_queues("fresh"), FRESH_SHARE * high_water),
        ),
        reclaim_after=settings.task_timeout,
        retention=settings.stream_retention_days * DAY,
        consumer_prefix=f"{settings.redis_consumer}-",
    )


def _queues(urgency: str) -> tuple[str, ...]:
    return tuple(queue_name(name, urgency) for name in ecosystems())
