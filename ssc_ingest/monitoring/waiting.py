"""Waiting times: the latency of on-demand jobs of the last day, and the age of queued messages."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ssc_ingest.on_demand.jobs import Span
from ssc_ingest.work.queues import Queues

WINDOW = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLatency:
    """Seconds from the request of a job to the outcome of its last package."""

    jobs: int
    """Number of jobs that finished within the last day, among the newest ones."""
    median: float | None
    """``None`` without such jobs; so are the others."""
    slow: float | None
    """95% of the jobs took at most this long."""
    longest: float | None


def latency_of(spans: Sequence[Span], *, now: datetime) -> JobLatency:
    """The latency of those jobs that finished within the last day; includes what they followed."""
    seconds = sorted(
        (span.finished_at - span.created_at).total_seconds()
        for span in spans
        if span.finished_at and now - span.finished_at <= WINDOW
    )
    return JobLatency(
        jobs=len(seconds),
        median=_quantile(seconds, 0.5),
        slow=_quantile(seconds, 0.95),
        longest=seconds[-1] if seconds else None,
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of the values does not exceed."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def oldest_messages(queues: Queues, names: Sequence[str]) -> dict[str, float | None]:
    """Seconds for which the next message of each queue has waited.

    Empty queues are left out; ``None`` if the message does not say when it was published, because
    another program published it.
    """
    moment = time.time()
    return {
        name: None if message.published_at is None else max(0.0, moment - message.published_at)
        for name, message in (await queues.next(names)).items()
    }
