"""The part of ``status`` that is in Redis: workers, queues, work in progress, problems."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from ssc_ingest.cli import output

if TYPE_CHECKING:
    from ssc_ingest.monitoring.heartbeats import Worker
    from ssc_ingest.monitoring.status import WorkStatus
    from ssc_ingest.monitoring.waiting import JobLatency
    from ssc_ingest.on_demand.stream.status import StreamStatus
    from ssc_ingest.runs.model import Feed, Run


def work_parts(work: "WorkStatus") -> Iterator[RenderableType]:
    """Workers, queues, work in progress and problems."""
    if work.workers:
        yield _workers(work.workers)
        yield ""
    yield output.facts(_facts(work))
    for problem in work.problems:
        yield ""
        yield Text(f"{problem.subject}: {problem.finding}", "red" if problem.absent else "yellow")
        yield Text(f"  {problem.remedy}")


def _workers(workers: "Sequence[Worker]") -> RenderableType:
    return output.table(
        ["worker", "running", "up", "reads"],
        [
            (
                worker.hostname,
                f"{worker.running}/{worker.concurrency}",
                output.duration(
                    (
                        datetime.now(UTC) - datetime.fromtimestamp(worker.started_at, UTC)
                    ).total_seconds()
                ),
                _summary_of_queues(worker.queues),
            )
            for worker in workers
        ],
        right=["running"],
        whole=["up"],
    )


def _facts(work: "WorkStatus") -> Iterator[tuple[str, object]]:
    waiting = {name: length for name, length in work.queues.items() if length}
    taken = output.count(work.unacknowledged, "message")
    yield (
        "queues",
        ", ".join(f"{name} {output.number(n)}" for name, n in waiting.items()) or "empty",
    )
    yield "in progress", f"{output.count(work.in_flight, 'package')} ({taken} unacknowledged)"
    yield "delayed", output.number(work.delayed)
    if work.delayed:
        shown = {problem.finding for problem in work.problems}
        for name, reason in work.waits_for.items():
            if reason not in shown:
                yield f"{name} waits", Text(reason, "yellow")
    yield "jobs running", output.number(work.jobs_running)
    yield "jobs in 24 h", _latency(work.job_latency)
    yield "runs", "; ".join(map(_run, work.runs)) or "none"
    yield "last update", ", ".join(_last_updates(work.feeds)) or "never"
    for stream in work.streams:
        yield f"stream {stream.name}", _stream(stream)
    yield "attribution", _attribution(work)
    yield (
        "dead letters",
        Text(output.number(work.dead_letters), "red" if work.dead_letters else ""),
    )


def _latency(latency: "JobLatency") -> str:
    """The number of finished jobs, and how long they took."""
    if latency.median is None or latency.slow is None:
        return "none"
    median, slow = output.duration(latency.median), output.duration(latency.slow)
    return f"{output.number(latency.jobs)} (median {median}, 95% within {slow})"


def _stream(stream: "StreamStatus") -> Text:
    """The stream's readers, its unread and pending entries, and its messages by outcome."""
    if stream.error:
        return Text(stream.error, "red")
    readers = [reader for reader in stream.readers if reader.state != "failing"]
    parts = [f"{output.count(len(readers), 'reader')}" if readers else "nobody reads it"]
    if any(reader.state == "waiting" for reader in readers):
        parts[0] += ", waiting for room in the queues"
    lag = "an unknown number" if stream.lag is None else output.number(stream.lag)
    parts.append(f"{lag} unread, {output.number(stream.pending or 0)} pending")
    total, recent = stream.total, stream.recent
    parts.append(
        f"{output.number(total.successful)} of {output.number(total.total_processed)} successful"
        f" ({output.number(recent.total_processed)} in 5 minutes)"
    )
    if stream.dead_letters:
        parts.append(output.count(stream.dead_letters, "dead letter"))
    return Text("; ".join(parts), "" if readers else "yellow")


def _run(run: "Run") -> str:
    facts = run.report()
    done = facts.get("new_packages_ingested") or facts.get("packages_processed") or 0
    text = f"{run.title} {run.standing}, {output.count(done, 'package')}"
    if run.seconds_left is not None:
        text += f", about {output.duration(run.seconds_left)} left"
    return f"{text} ({run.id})"


def _last_updates(feeds: "dict[str, Feed]") -> Iterator[str]:
    """Time since the last update of each feed, or since a new feed was stored."""
    for name, feed in feeds.items():
        if feed.updated_at:
            yield f"{name} {output.age(feed.updated_at)}"
        else:
            yield f"{name} not yet, feed stored {output.age(feed.moment)}"


def _summary_of_queues(queues: tuple[str, ...]) -> str:
    """``pypi, npm, cargo: urgent, fresh, bulk``; queues without an urgency have their names."""
    by_urgencies: dict[tuple[str, ...], list[str]] = {}
    urgencies: dict[str, list[str]] = {}
    for queue in queues:
        ecosystem, dot, urgency = queue.partition(".")
        urgencies.setdefault(ecosystem, []).extend([urgency] if dot else [])
    for ecosystem, names in urgencies.items():
        by_urgencies.setdefault(tuple(names), []).append(ecosystem)
    return "; ".join(
        ", ".join(ecosystems) + (f": {', '.join(names)}" if names else "")
        for names, ecosystems in by_urgencies.items()
    )


def _attribution(work: "WorkStatus") -> Text:
    """Whether the versions match their advisories, as far as this is known."""
    waiting = f"; {output.count(work.unattributed, 'package')} waiting" if work.unattributed else ""
    if (last := work.audit) is None:
        return Text(f"never audited{waiting}")
    return Text(
        f"{last.differing} of {output.count(last.examined, 'package')} differed "
        f"{output.age(last.at)} (at most {last.bound:.2%} of all){waiting}",
        "red" if last.differing else "",
    )
