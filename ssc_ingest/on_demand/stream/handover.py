"""The hand-over of messages: from entries of the stream to tasks in the queues.

An entry is acknowledged when its work is safe: its job is recorded, and its task is in a queue with
the raw message. After an earlier failure the entry stays pending and is delivered again. A later
failure is a dead letter of the message's stream.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from ssc_ingest import __version__
from ssc_ingest.errors import InvalidMessage
from ssc_ingest.logs import get_logger
from ssc_ingest.models import PackageRef
from ssc_ingest.on_demand.jobs import Jobs
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.on_demand.stream.counts import StreamCounts, StreamMetrics
from ssc_ingest.on_demand.stream.group import Entry, StreamGroup
from ssc_ingest.on_demand.stream.messages import decode
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.edge_order import EdgeOrder
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.queues import Queues

log = get_logger(__name__)


class Handover:
    """Hands over the entries of one stream.

    Args:
        group: the stream, and the consumer of its entries.
        queues: receive the tasks.
        jobs: each message is its own job.
        edges: the order of messages about one edge.
        metrics: counts the messages.
        timeout: seconds for the entries of one call; other readers claim an entry only when it has
            been pending for longer.
    """

    def __init__(
        self,
        group: StreamGroup,
        *,
        queues: Queues,
        jobs: Jobs,
        edges: EdgeOrder,
        metrics: StreamMetrics,
        timeout: float,
    ) -> None:
        self._group = group
        self._queues = queues
        self._jobs = jobs
        self._edges = edges
        self._metrics = metrics
        self._timeout = timeout

    async def hand_over(self, entries: Sequence[Entry], *, reclaimed: bool = False) -> StreamCounts:
        """Queue the tasks of entries; invalid entries become dead letters.

        Args:
            entries: the delivered entries.
            reclaimed: an earlier reader may have handed them over and died before acknowledging
                them.

        Raises:
            RedisError, TimeoutError: entries that were not acknowledged stay pending.
        """
        counts = StreamCounts()
        async with asyncio.timeout(self._timeout):
            accepted: list[tuple[Entry, PackageRef, ExtractPackage]] = []
            for entry in entries:
                try:
                    accepted.append((entry, *decode(self._group.name, entry.id, entry.data)))
                except InvalidMessage as error:
                    counts += await self.reject(entry.id, error)
            found = await asyncio.gather(
                *(
                    self._prepare(entry, ref, wanted, reclaimed=reclaimed)
                    for entry, ref, wanted in accepted
                )
            )
            messages = [message for message in found if message]
            await self._queues.publish(messages)
            await self._group.acknowledge([entry.id for entry, _, _ in accepted])
        handed = StreamCounts(handed_over=len(accepted), reclaimed=reclaimed * len(entries))
        await self._metrics.add(self._group.name, handed)
        return counts + handed

    async def reject(self, entry_id: str, error: InvalidMessage) -> StreamCounts:
        """Make an entry a dead letter of its stream.

        Raises:
            RedisError: the entry stays pending.
        """
        now = datetime.now(UTC)
        first = datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
        letter = {
            "error": str(error),
            "error_type": type(error.__cause__ or error).__name__,
            "entry": entry_id,
            "first_at": min(first, now).isoformat(),
            "last_at": now.isoformat(),
            "version": __version__,
        }
        outcome = await self._group.bury(entry_id, letter)
        if outcome == "settled":
            return StreamCounts()
        if outcome == "vanished":
            return await self.vanished([entry_id])
        log.warning("message_rejected", stream=self._group.name, entry=entry_id, error=str(error))
        counts = StreamCounts(**{error.counter: 1})
        await self._metrics.add(self._group.name, counts)
        return counts

    async def vanished(self, ids: Sequence[str]) -> StreamCounts:
        """Count entries without contents, which cannot become dead letters."""
        counts = StreamCounts(vanished=len(ids))
        if ids:
            log.warning("messages_vanished", stream=self._group.name, entries=list(ids)[:10])
            await self._metrics.add(self._group.name, counts)
        return counts

    async def _prepare(
        self, entry: Entry, ref: PackageRef, request: ExtractPackage, *, reclaimed: bool
    ) -> TaskMessage | None:
        """Record the job; returns the task to publish, or ``None`` if it has already ended."""
        assert request.job_id  # noqa: S101 - the decoder sets it
        membership = await self._jobs.enter(
            request.job_id,
            ref.purl,
            request=request.keywords(),
            dependencies=request.dependencies,
            force=not reclaimed,
        )
        if membership == "done":
            return None
        if request.parent_id:
            await self._edges.announce(request.parent_id, ref.purl, entry.id)
        return job_message(ref.purl, request)
