"""The records of runs in Redis, for operations without a lease.

``run:<id>``             hash: parameters, position, counters
``run:<id>:pending``     hash: purl -> number and arguments of a pending package
``run:<id>:page``        hash: recorded purls of the current page -> published (1/0)
``run:<id>:lease``       the worker that executes it; expires unless it is renewed
``run:<id>:<counter>`` HyperLogLog: counted names of a listing that repeats names; until the run
ends ``runs`` ids by time of creation ``runs:current:<kind>:<ecosystem>`` the run that is running or
paused ``feed:<ecosystem>`` hash: the position of the next update
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from ssc_ingest.logs import get_logger
from ssc_ingest.models import Outcome, Purl
from ssc_ingest.runs.kinds import KINDS, Kind
from ssc_ingest.runs.model import (
    COUNTERS,
    DONE,
    ESTIMATED,
    Feed,
    Item,
    Run,
    State,
    moment,
)
from ssc_ingest.work.arguments import BackfillImportNames, ExtractImportNames, ExtractPackage
from ssc_ingest.work.lua import load
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL, EXTRACT, EXTRACT_NAMES

LOG_EVERY_DONE = 100
"""Number of packages between progress reports."""

RUNS = "runs"

PAGE = 50
"""Number of runs in one read of a list."""

log = get_logger(__name__)


class Runs:
    """All runs. ``redis`` is the state database.

    Args:
        redis: the client.
        kept: maximum number of ended runs whose records are kept.
        kept_for: seconds from the end of a run until its record is deleted.
    """

    def __init__(self, redis: Redis, *, kept: int, kept_for: float) -> None:
        self.redis = redis
        self._kept = kept
        self._kept_for = kept_for
        self._start = redis.register_script(load("start", __package__))
        self._cancel = redis.register_script(load("cancel", __package__))
        self._change_state = redis.register_script(load("transition", __package__))
        self._end = redis.register_script(load("end_package", __package__))

    async def start(
        self,
        kind: Kind,
        ecosystem: str,
        *,
        limit: int | None = None,
        task_id: str | None = None,
        backfill: BackfillImportNames | None = None,
    ) -> tuple[Run, bool]:
        """Create a run, unless one of this kind and ecosystem is running or paused.

        Args:
            kind: the kind of run.
            ecosystem: the ecosystem.
            limit: maximum number of packages that it publishes.
            task_id: id of the task that will execute it; by default a new one.
            backfill: the options of a backfill.

        Returns:
            The current run, and whether it is new.
        """
        run_id = uuid.uuid4().hex[:12]
        fields: dict[str, str | float] = {
            "kind": kind,
            "ecosystem": ecosystem,
            "state": "running",
            "phase": "listing",
            "mode": KINDS[kind].source.mode,
            "task_id": task_id or str(uuid.uuid4()),
            "created_at": (moment := time.time()),
            "touched_at": moment,
        }
        if limit is not None:
            fields["limit"] = limit
        if backfill:
            fields["backfill"] = backfill.model_dump_json()
        pairs = [part for pair in fields.items() for part in pair]
        found = await self._start(
            keys=[*keys(run_id), _current(kind, ecosystem), RUNS], args=[run_id, moment, *pairs]
        )
        await self._prune()
        run = await self.get(str(found))
        if run is None:
            raise LookupError(f"run {found} has disappeared since it was started")
        return run, run.id == run_id

    async def get(self, run_id: str) -> Run | None:
        """The run with this id, or ``None`` if there is none (any more)."""
        record, pending, page, lease = keys(run_id)
        async with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(record)
            pipeline.hlen(pending)
            pipeline.hlen(page)
            pipeline.get(lease)
            facts, waiting, on_page, owner = await pipeline.execute()
        return _decode(run_id, facts, waiting, on_page, owner) if facts else None

    async def current(self, kind: Kind, ecosystem: str) -> Run | None:
        """The run of that kind that is running or paused."""
        run_id = await self.redis.get(_current(kind, ecosystem))
        return await self.get(str(run_id)) if run_id else None

    async def current_of(self, ecosystems: Sequence[str]) -> list[Run]:
        """All runs that are running or paused."""
        found = [await self.current(kind, name) for name in ecosystems for kind in KINDS]
        return [run for run in found if run]

    async def by_age(self) -> AsyncIterator[Run]:
        """All runs, newest first; read as far as the caller asks."""
        ids = [str(run_id) for run_id in await self.redis.zrange(RUNS, 0, -1, desc=True)]
        for start in range(0, len(ids), PAGE):
            for run in await asyncio.gather(*map(self.get, ids[start : start + PAGE])):
                if run is not None:
                    yield run

    async def newest(self, most: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        ids = await self.redis.zrange(RUNS, 0, most - 1, desc=True)
        found = [await self.get(str(run_id)) for run_id in ids]
        return [run for run in found if run]

    async def feed(self, ecosystem: str) -> Feed | None:
        """The position of an ecosystem's updates, if one is stored."""
        facts: Any = await self.redis.hgetall(_feed(ecosystem))
        stored = moment(facts.get("moment"))
        if stored is None:
            return None
        updated = moment(facts.get("updated_at"))
        return Feed(cursor=facts["cursor"], moment=stored, updated_at=updated)

    # Transitions (:mod:`.control` publishes the messages that belong to them) -------------

    async def pause(self, run_id: str) -> State | None:
        """Pause a run; returns its previous state."""
        return await self._transition(run_id, "running", "paused")

    async def resume(self, run_id: str) -> State | None:
        """Resume a paused run; returns its previous state."""
        return await self._transition(run_id, "paused", "running")

    async def _transition(self, run_id: str, before: State, after: State) -> State | None:
        state: State | None = await self._change_state(
            keys=keys(run_id)[:1], args=[before, after, time.time()]
        )
        return state

    async def cancel(self, run_id: str, note: str = "") -> State | None:
        """End a run and discard its pending packages; returns its previous state.

        Its messages stay in their queue, and their tasks end at once.
        """
        run = await self.get(run_id)
        if run is None:
            return None
        state: State = await self._cancel(
            keys=[*keys(run_id), _current(run.kind, run.ecosystem), *name_keys(run_id)],
            args=[time.time(), note],
        )
        return state

    # Their packages -----------------------------------------------------------------------

    async def wants(self, run_id: str, purl: Purl, sequence: int) -> bool:
        """Whether the run waits for this message about the package, not for a later one."""
        entry = await self.redis.hget(keys(run_id)[1], purl)
        return entry is not None and str(entry).startswith(f"{sequence} ")

    async def end(
        self,
        run_id: str,
        purl: Purl,
        sequence: int,
        outcome: Outcome,
        counts: Mapping[str, int] | None = None,
    ) -> bool:
        """Count the outcome of a package; ``False`` if the run does not wait for it (any more)."""
        counters = {("done" if outcome in DONE else outcome.value): 1, **(counts or {})}
        if outcome in DONE:
            counters[outcome.value] = 1
        pairs = [part for pair in counters.items() for part in pair]
        counted, value = await self._end(
            keys=keys(run_id)[:2], args=[time.time(), purl, sequence, *pairs]
        )
        if counted and outcome in DONE and value % LOG_EVERY_DONE == 0:
            await self.log_progress(run_id)
        return bool(counted)

    async def pending(self, run_id: str, most: int = 1000) -> list[Item]:
        """Some of the pending packages."""
        found: Any = await self.redis.hrandfield(keys(run_id)[1], most, withvalues=True)
        pairs = zip(found[::2], found[1::2], strict=True)
        return [pending_item(Purl(purl), entry) for purl, entry in pairs]

    async def touch(self, run_id: str) -> None:
        """Store the time of an activity."""
        await self.redis.hset(keys(run_id)[0], "touched_at", str(time.time()))

    async def log_progress(self, run_id: str) -> None:
        """Log the progress."""
        if run := await self.get(run_id):
            left = run.seconds_left
            log.info(
                "run_progress",
                run_id=run.id,
                kind=run.kind,
                ecosystem=run.ecosystem,
                **run.metrics(),
                pending=run.pending,
                packages_per_second=round(run.rate, 1),
                seconds_left=None if left is None else round(left),
            )

    # Old records --------------------------------------------------------------------------

    async def _prune(self) -> None:
        """Delete the records of the runs that ended first; current runs stay."""
        ids = [str(run_id) for run_id in await self.redis.zrange(RUNS, 0, -1)]
        async with self.redis.pipeline(transaction=False) as pipeline:
            for run_id in ids:
                pipeline.hmget(keys(run_id)[0], ["state", "finished_at"])
            standing = await pipeline.execute()
        ended = sorted(
            (float(finished_at or 0), run_id)
            for run_id, (state, finished_at) in zip(ids, standing, strict=True)
            if state not in {"running", "paused"}
        )
        before = time.time() - self._kept_for
        many = max(0, len(ended) - self._kept)
        for position, (finished_at, run_id) in enumerate(ended):
            if position < many or finished_at < before:
                await self.redis.delete(*keys(run_id), *name_keys(run_id))
                await self.redis.zrem(RUNS, run_id)


def keys(run_id: str) -> list[str]:
    """The keys of a run in the order of the scripts: record, pending, page, lease."""
    return [f"run:{run_id}{part}" for part in ("", ":pending", ":page", ":lease")]


def ending_keys(run: Run) -> list[str]:
    """Other keys that the end of a run updates: the current run and the feed."""
    return [_current(run.kind, run.ecosystem), _feed(run.ecosystem)]


def name_keys(run_id: str) -> list[str]:
    """The HyperLogLogs of names, one for each counter of :data:`~.model.ESTIMATED`."""
    return [f"run:{run_id}:{counter}" for counter in ESTIMATED]


def run_message(run: Run) -> TaskMessage:
    """The task that executes a run. All tasks of one run have the same id, and so one result."""
    return TaskMessage(
        task=KINDS[run.kind].task,
        task_id=run.task_id,
        kwargs={"ecosystem": run.ecosystem, "run_id": run.id},
        queue=CONTROL,
        ignore_result=False,
    )


def package_message(run: Run, item: Item) -> TaskMessage:
    """The task for one package of a run; its id is the same each time it is published."""
    request = item.request
    return TaskMessage(
        task=EXTRACT_NAMES if isinstance(request, ExtractImportNames) else EXTRACT,
        task_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.id}/{item.purl}/{request.sequence}")),
        kwargs=request.keywords(),
        queue=run.queue,
    )


def pending_item(purl: Purl, entry: str) -> Item:
    """Build a pending package from its stored record."""
    keywords = json.loads(entry.partition(" ")[2])
    arguments = ExtractImportNames if keywords.pop("task", EXTRACT) == EXTRACT_NAMES else None
    return Item(purl, (arguments or ExtractPackage).parse(keywords))


def pending_entry(item: Item) -> str:
    """The arguments of a pending package as they are stored."""
    keywords = item.request.keywords()
    if isinstance(item.request, ExtractImportNames):
        keywords["task"] = EXTRACT_NAMES
    return json.dumps(keywords)


def _current(kind: Kind, ecosystem: str) -> str:
    return f"runs:current:{kind}:{ecosystem}"


def _feed(ecosystem: str) -> str:
    return f"feed:{ecosystem}"


def _decode(
    run_id: str, facts: Mapping[str, str], pending: int, on_page: int, owner: str | None
) -> Run:
    created = moment(facts.get("created_at"))
    touched = moment(facts.get("touched_at"))
    if created is None or touched is None:
        raise LookupError(f"the record of run {run_id} is damaged")

    def number(name: str) -> int | None:
        return int(facts[name]) if name in facts else None

    values: dict[str, Any] = {
        name: facts.get(name) or None for name in ("cursor", "feed_end", "error", "note")
    }
    values |= {name: facts[name] for name in ("kind", "ecosystem", "state", "phase", "mode")}
    return Run(
        id=run_id,
        task_id=facts["task_id"],
        limit=number("limit"),
        complete=facts.get("complete") == "1",
        repeats=facts.get("repeats") == "1",
        total=number("total"),
        created_at=created,
        started_at=moment(facts.get("started_at")),
        finished_at=moment(facts.get("finished_at")),
        touched_at=touched,
        active=float(facts.get("active", 0)),
        owner=owner,
        restarts=number("restarts") or 0,
        stuck=number("stuck") or 0,
        pages=number("pages") or 0,
        pending=pending,
        on_page=on_page,
        counts={name: int(facts.get(name, 0)) for name in COUNTERS},
        backfill=BackfillImportNames.model_validate_json(options)
        if (options := facts.get("backfill"))
        else None,
        **values,
    )
