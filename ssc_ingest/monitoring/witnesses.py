"""Finds the problems of the fleet, including missing processes.

A missing process reports nothing, so this module looks for each expected one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.monitoring.health import stalled
from ssc_ingest.monitoring.heartbeats import Beat, Worker, beats, workers
from ssc_ingest.on_demand.stream.status import StreamStatus
from ssc_ingest.runs.model import FINISHED_WITH_ERRORS, Run
from ssc_ingest.runs.store import Runs
from ssc_ingest.work.names import CONTROL, DEFAULT, queue_names
from ssc_ingest.work.queues import Queues

NEWEST = 200
"""Runs among which the latest of each kind and ecosystem is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem, with its remedy."""

    subject: str
    finding: str
    remedy: str
    absent: bool = False
    """Whether a part of the fleet is not there, so that work waits for ever."""


async def problems(
    *,
    redis: Redis,
    queues: Queues,
    runs: Runs,
    pauses: Mapping[str, tuple[str, str]],
    streams: Sequence[StreamStatus],
) -> list[Problem]:
    """The fleet's problems, the worst first.

    Args:
        redis: the state database.
        queues: all queues.
        runs: all runs.
        pauses: for each registry that receives no requests: the reason, and what ends the pause.
        streams: those on which other services request packages.
    """
    running = await workers(redis)
    lengths = await queues.lengths(queue_names(list(ecosystems())))
    newest = await runs.newest(NEWEST)
    found = [
        *_of_workers(running, lengths),
        *_of_streams(streams, running),
        *_of_beat(await beats(redis)),
        *_of_registries(pauses),
        *_of_runs(newest),
    ]
    return sorted(found, key=lambda problem: not problem.absent)


def _of_workers(running: Sequence[Worker], lengths: Mapping[str, int]) -> Iterator[Problem]:
    if not running:
        yield Problem(
            subject="workers",
            finding="no worker is running",
            remedy="`ssc-ingest up`, or `celery -A workers worker`, starts one",
            absent=True,
        )
        return
    read = {queue for worker in running for queue in worker.queues}
    if unread := [name for name in lengths if name not in read]:
        waiting = sum(lengths[name] for name in unread)
        remedy = f"start a worker with `--queues {','.join(unread)}`"
        if {CONTROL, DEFAULT} & set(unread):
            remedy += "; without control, runs, delayed work and recovery stand still"
        yield Problem(
            subject="queues",
            finding=f"no worker reads {', '.join(unread)} ({waiting} messages wait there)",
            remedy=remedy,
            absent=True,
        )
    for reason in filter(None, map(stalled, running)):
        yield Problem(
            subject="workers", finding=reason, remedy="restart that worker; no work is lost"
        )


def _of_streams(streams: Sequence[StreamStatus], running: Sequence[Worker]) -> Iterator[Problem]:
    has_control = any(CONTROL in worker.queues for worker in running)
    for stream in streams:
        subject = f"stream {stream.name}"
        if stream.error:
            yield Problem(
                subject=subject,
                finding=f"it cannot be read: {stream.error}",
                remedy="`ssc-ingest check` says at which address; see STREAM_REDIS_URL",
                absent=True,
            )
        elif has_control and not stream.is_read:
            yield Problem(
                subject=subject,
                finding="no process reads it, though control is running",
                remedy="if it stays so for a minute, restart control; see its log",
                absent=True,
            )


def _of_beat(running: Sequence[Beat]) -> Iterator[Problem]:
    remedy = "`ssc-ingest up`, or `celery -A workers beat`, starts it"
    if not running:
        yield Problem(
            subject="beat",
            finding="beat is not running: no update, sweep or other schedule fires",
            remedy=remedy,
            absent=True,
        )
    elif not any(beat.leads for beat in running):
        yield Problem(
            subject="beat",
            finding="no beat holds the lock: no schedule fires",
            remedy="if it stays so for a minute, restart beat",
        )


def _of_registries(pauses: Mapping[str, tuple[str, str]]) -> Iterator[Problem]:
    for name, (reason, remedy) in pauses.items():
        yield Problem(subject=name, finding=reason, remedy=remedy)


def _of_runs(newest: Sequence[Run]) -> Iterator[Problem]:
    """The latest run of each kind and ecosystem, if it has ended badly."""
    latest: dict[tuple[str, str], Run] = {}
    for run in newest:
        latest.setdefault((run.kind, run.ecosystem), run)
    for run in latest.values():
        if run.standing not in {"failed", FINISHED_WITH_ERRORS}:
            continue
        reason = run.error or f"{run.counts['failed']} packages failed"
        yield Problem(
            subject="runs",
            finding=f"the last {run.title} {run.standing}: {reason}",
            remedy=f"`ssc-ingest dead-letters list --run {run.id}`",
        )
