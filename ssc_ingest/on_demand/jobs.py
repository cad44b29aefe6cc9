"""Jobs: on-demand requests and their progress.

A job is a set of packages to add to the graph: the requested ones and, within a budget, the
packages that they require. Its state is in Redis, shared by all processes:

``job:<id>``            hash: times, requests, counters; ``reserved``: HTTP requests that packages
                        in progress may send
``job:<id>:seen``       set of purls that belong to the job
``job:<id>:pending``    set of those without an outcome
``job:<id>:failed``     hash: purl -> reason of its dead letter
``job:<id>:missing``    set of required packages that the registry does not have
``job:<id>:left_over``  set of purls beyond the budget, which stay stubs
``job:<id>:parts``      hash: purl -> selected features or extras, and those that were followed
``job:<id>:direct``     set of direct requirements that are extracted beyond the budget
``job:<id>:filling``    set of those without an outcome; the job does not wait for them
``job:<id>:unfilled``   set of direct requirements beyond the limit, which stay stubs

They are sets and not counters, because delivery is at least once. All expire a day after the last
change of the job. ``jobs`` has the ids by time of creation.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from redis.asyncio import Redis

from ssc_ingest.models import Installed, Outcome, Purl
from ssc_ingest.work.lua import load

TTL = 24 * 3600

BATCH_SIZE = 1000
"""Number of jobs per round trip."""

PAGE = 50
"""Number of jobs that a list reads at once."""

_PARTS = ("", ":seen", ":pending", ":failed", ":missing", ":left_over")

Membership = Literal["asked", "followed", "done"]


OUTCOMES = (
    Outcome.EXTRACTED,
    Outcome.PRESENT,
    Outcome.MISSING,
    Outcome.LEFT_OVER,
    Outcome.FAILED,
)
"""Outcomes of a job's packages (:attr:`ssc_ingest.models.Outcome.coarse`)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits up to which a job follows requirements."""

    packages: int
    requests: int
    direct: int = 2000
    """Direct requirements of the named packages that are filled in addition."""


@dataclass(frozen=True, slots=True)
class Span:
    """The times of a job; aware, in UTC."""

    created_at: datetime
    finished_at: datetime | None
    """``None`` while a package is pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The current state of a job. Times are aware, in UTC."""

    id: str
    created_at: datetime
    finished_at: datetime | None
    touched_at: datetime
    dependencies: str
    roots: tuple[Purl, ...]
    counts: Mapping[str, int]
    """Counts of packages by :data:`OUTCOMES`, and ``versions``, ``requirements``, ``requests``."""
    seen: int
    pending: int
    left_over: int
    failed: Mapping[Purl, str] = field(default_factory=dict)
    missing: tuple[Purl, ...] = ()
    direct: int = 0
    """Direct requirements of all versions of the named packages that are filled in addition."""
    filling: int = 0
    """Those of them that are not finished; the job does not wait for them."""
    unfilled: int = 0
    """Direct requirements beyond the limit, which stay stubs."""

    @property
    def finished(self) -> bool:
        """Whether none of its packages is pending."""
        return self.finished_at is not None


def new_job_id() -> str:
    """A new job id."""
    return uuid.uuid4().hex[:12]


class Jobs:
    """The state of all jobs. ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._enter = redis.register_script(load("enter", __package__))
        self._follow = redis.register_script(load("follow", __package__))
        self._finish = redis.register_script(load("finish", __package__))
        self._select_parts = redis.register_script(load("select_parts", __package__))
        self._take_parts = redis.register_script(load("take_parts", __package__))
        self._fill = redis.register_script(load("fill", __package__))
        self._reserve = redis.register_script(load("reserve", __package__))
        self._settle = redis.register_script(load("settle", __package__))

    async def enter(
        self,
        job_id: str,
        purl: Purl,
        *,
        request: Mapping[str, Any],
        dependencies: str,
        force: bool = False,
    ) -> Membership:
        """Add one package to a job; creates the job if needed.

        Args:
            job_id: the job.
            purl: the package.
            request: the arguments; stored for a requested package.
            dependencies: the dependencies that the job follows.
            force: work on it even if it has an outcome in the job (a refresh, an edge).

        Returns:
            Whether the package was requested, was found as a requirement, or is done.
        """
        args: list[str | float] = [
            job_id,
            time.time(),
            purl,
            json.dumps(request),
            dependencies,
            int(force),
            TTL,
        ]
        standing: Membership = await self._enter(keys=_keys(job_id), args=args)
        return standing

    async def follow(
        self, job_id: str, purls: Sequence[Purl], budget: Budget, *, redelivered: bool
    ) -> list[Purl]:
        """Add more packages to the job, within the budget and in the given order.

        Args:
            job_id: the job.
            purls: the required packages.
            budget: the limits of the job; packages beyond them are left over.
            redelivered: the parent was delivered before, so pending packages are published again:
                the first delivery may have died before publishing them.

        Returns:
            The packages to publish.
        """
        if not purls:
            return []
        args: list[str | int] = [budget.packages, budget.requests, int(redelivered), TTL, *purls]
        return [Purl(purl) for purl in await self._follow(keys=_keys(job_id), args=args)]

    async def select_parts(self, job_id: str, pulled: Iterable[Installed]) -> set[Purl]:
        """Store the selected parts of packages, before their requirements are followed.

        Returns:
            The packages that were already followed with fewer parts; now follow those of the added
            parts.
        """
        pairs = [item for each in pulled for item in (each.purl, " ".join(sorted(each.parts)))]
        if not pairs:
            return set()
        return set(await self._select_parts(keys=[_parts_key(job_id)], args=[TTL, *pairs]))

    async def take_parts(
        self, job_id: str, purl: Purl, default: Iterable[str], *, named: bool
    ) -> frozenset[str]:
        """The selected parts of a package whose requirements are followed now.

        Args:
            job_id: the job.
            purl: the package.
            default: its parts if none were selected.
            named: a caller requested the package by name, which also selects the default parts.
        """
        args: list[str | int] = [TTL, purl, " ".join(default), int(named)]
        text: str = await self._take_parts(keys=[_parts_key(job_id)], args=args)
        return frozenset(text.split())

    async def fill(
        self, job_id: str, purls: Sequence[Purl], budget: Budget, *, redelivered: bool
    ) -> list[Purl]:
        """Note direct requirements to fill beyond the budget, as far as ``budget.direct`` goes.

        Returns:
            Those to publish; packages that belong to the job anyway are not among them.
        """
        if not purls:
            return []
        args: list[str | int] = [budget.direct, int(redelivered), TTL, *purls]
        keys = [_keys(job_id)[1], *_direct_keys(job_id)]
        return [Purl(purl) for purl in await self._fill(keys=keys, args=args)]

    async def filled(self, job_id: str, purl: Purl) -> bool:
        """Count the end of a direct requirement; returns whether it was pending."""
        return bool(await self._redis.srem(_direct_keys(job_id)[1], purl))

    async def exhausted(self, job_id: str, budget: Budget) -> bool:
        """Whether the job's requests are used up."""
        requests = await self._redis.hget(_keys(job_id)[0], "requests")
        return int(requests or 0) >= budget.requests

    async def reserve(self, job_id: str, requests: int, most: int | None) -> int:
        """Reserve HTTP requests before they are sent; ``most``: the job's limit, if it applies.

        Returns:
            The number of reserved requests; fewer than ``requests`` near the limit.
        """
        args = [requests, -1 if most is None else most]
        return int(await self._reserve(keys=_keys(job_id)[:1], args=args))

    async def settle(self, job_id: str, *, reserved: int, sent: int) -> None:
        """Count the HTTP requests that an attempt has sent, and end its reservation."""
        await self._settle(keys=_keys(job_id)[:1], args=[reserved, sent])

    async def finish(
        self,
        job_id: str,
        purl: Purl,
        outcome: Outcome,
        *,
        reason: str = "",
        counts: Mapping[str, int] | None = None,
    ) -> bool:
        """Count the outcome of a package; the job is finished when no package is pending.

        Returns:
            Whether the package was pending; ``False`` at the second call.
        """
        pairs = [item for pair in {outcome.value: 1, **(counts or {})}.items() for item in pair]
        args = [time.time(), purl, outcome.value, reason, TTL, *pairs]
        return bool(await self._finish(keys=_keys(job_id), args=args))

    async def touch(self, job_id: str) -> None:
        """Store the time of an activity."""
        await self._redis.hset(_keys(job_id)[0], "touched_at", str(time.time()))

    async def reopen(self, job_id: str, purl: Purl) -> None:
        """Make a failed package pending again."""
        job, _, pending, failed, *_ = _keys(job_id)
        if await self._redis.exists(job):
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.sadd(pending, purl)
                pipeline.hdel(failed, purl)
                pipeline.hdel(job, "finished_at")
                await pipeline.execute()

    async def get(self, job_id: str) -> Job | None:
        """The job with this id, or ``None`` if there is none (any more)."""
        return next(iter(await self._read([job_id])), None)

    async def ids(self, most: int = 50) -> list[str]:
        """Ids of the newest jobs, newest first; 0: of all."""
        return [str(i) for i in await self._redis.zrange("jobs", 0, most - 1, desc=True)]

    async def spans(self, most: int) -> list[Span]:
        """The times of the newest jobs, newest first; costs few round trips."""
        ids = await self.ids(most)
        return [
            Span(_moment(created), _moment(finished) if finished else None)
            async for _, (created, finished) in self._fields(ids, "created_at", "finished_at")
            if created is not None
        ]

    async def newest(self) -> AsyncIterator[Job]:
        """All jobs, newest first; read as far as the caller asks."""
        ids = await self.ids(0)
        for start in range(0, len(ids), PAGE):
            for job in await self._read(ids[start : start + PAGE]):
                yield job

    async def unfinished(self, untouched_for: float) -> list[str]:
        """Ids of jobs with pending packages and without activity for this number of seconds."""
        before = datetime.now(UTC).timestamp() - untouched_for
        ids = [str(i) for i in await self._redis.zrange("jobs", 0, -1)]
        return [
            job_id
            async for job_id, (finished, touched) in self._fields(ids, "finished_at", "touched_at")
            if touched is not None and finished is None and float(touched) < before
        ]

    async def pending(self, job_id: str, most: int = 1000) -> dict[Purl, dict[str, Any]]:
        """Pending packages; requested ones with their arguments."""
        names = _keys(job_id)
        members: Any = await self._redis.srandmember(names[2], most)
        purls = [Purl(member) for member in members]
        if not purls:
            return {}
        requests = await self._redis.hmget(names[0], [f"root:{purl}" for purl in purls])
        return {
            purl: json.loads(request) if request else {}
            for purl, request in zip(purls, requests, strict=True)
        }

    async def _read(self, ids: Sequence[str]) -> list[Job]:
        """Jobs in the order of their ids, without missing ones; one round trip."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for job_id in ids:
                names = _keys(job_id)
                pipeline.hgetall(names[0])
                pipeline.scard(names[1])
                pipeline.scard(names[2])
                pipeline.hgetall(names[3])
                pipeline.smembers(names[4])
                pipeline.scard(names[5])
                for name in _direct_keys(job_id):
                    pipeline.scard(name)
            answers = await pipeline.execute()
        width = len(answers) // len(ids)
        parts = (answers[start : start + width] for start in range(0, len(answers), width))
        return [_job(job_id, part) for job_id, part in zip(ids, parts, strict=True) if part[0]]

    async def _fields(
        self, ids: Sequence[str], *names: str
    ) -> AsyncIterator[tuple[str, list[str | None]]]:
        """Some fields of each job, in one round trip for many jobs."""
        for start in range(0, len(ids), BATCH_SIZE):
            some = ids[start : start + BATCH_SIZE]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for job_id in some:
                    pipeline.hmget(_keys(job_id)[0], names)
                answers = await pipeline.execute()
            for job_id, answer in zip(some, answers, strict=True):
                yield job_id, answer


def _job(job_id: str, answers: Sequence[Any]) -> Job:
    """A job from the answers to the commands of :meth:`Jobs._read`."""
    facts, seen, pending, failed, missing, left_over, direct, filling, unfilled = answers
    return Job(
        id=job_id,
        created_at=_moment(facts["created_at"]),
        finished_at=_moment(facts["finished_at"]) if "finished_at" in facts else None,
        touched_at=_moment(facts["touched_at"]),
        dependencies=facts.get("dependencies", ""),
        roots=tuple(Purl(k.removeprefix("root:")) for k in facts if k.startswith("root:")),
        counts={
            name: int(facts.get(name, 0))
            for name in (*OUTCOMES, "versions", "requirements", "requests")
        },
        seen=seen,
        pending=pending,
        left_over=left_over,
        failed=failed,
        missing=tuple(sorted(missing)),
        direct=direct,
        filling=filling,
        unfilled=unfilled,
    )


def _keys(job_id: str) -> list[str]:
    return [f"job:{job_id}{part}" for part in _PARTS]


def _parts_key(job_id: str) -> str:
    return f"job:{job_id}:parts"


def _direct_keys(job_id: str) -> list[str]:
    return [f"job:{job_id}:{part}" for part in ("direct", "filling", "unfilled")]


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(float(text), UTC)
