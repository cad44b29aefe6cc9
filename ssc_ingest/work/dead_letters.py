"""Dead letters: tasks that failed permanently, with the data for analysis and replay.

Failures of stream requests by other services go to ``<stream>-dlq`` with the fields ``data`` (the
raw text) and ``error``, as their producers expect. All others go to the stream ``dead-letters``. An
id names the stream and the entry: ``dead-letters/1700000000000-0``.
"""

import json
import re
import traceback
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest import __version__
from ssc_ingest.logs import get_logger
from ssc_ingest.work.arguments import Origin
from ssc_ingest.work.messages import Failure, TaskMessage

STREAM = "dead-letters"
STREAM_SUFFIX = "-dlq"

KEPT = "dead-letters:kept"
"""A list of letters for streams whose server was away; they are delivered when it is back."""

KEPT_PORTION = 1000
"""Letters that are delivered at once."""

MAX_TRACEBACK_LENGTH = 20_000
"""Maximum characters of a traceback; the end of a longer one is kept."""

MAX_ERROR_LENGTH = 500
"""Maximum characters of an earlier failure's error text."""

MAX_FAILURES = 20
"""Maximum number of earlier failures in a dead letter; the latest are kept."""

PAGE = 100

log = get_logger(__name__)

_ENTRY_ID = re.compile(r"[0-9]+-[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One task that failed permanently."""

    id: str
    task: str
    task_id: str
    queue: str
    kwargs: dict[str, Any]
    error_type: str
    error: str
    traceback: str
    attempts: int
    first_at: datetime
    last_at: datetime
    version: str
    """Version of the program that gave up."""
    history: tuple[Failure, ...] = ()
    """Earlier failures of the same work, each of which was replayed; the oldest first."""
    data: str | None = None
    """The raw message, for work from a stream."""

    @property
    def subject(self) -> str:
        """A short description: the package, otherwise the task."""
        ecosystem, name = self.kwargs.get("ecosystem"), self.kwargs.get("name")
        return f"{ecosystem} {name}" if ecosystem and name else self.task

    def message(self) -> TaskMessage:
        """The task in its state before the failure, with new attempts.

        Its run has counted it as failed and no longer waits for it.
        """
        kwargs = {k: v for k, v in self.kwargs.items() if k not in {"run_id", "sequence"}}
        failure = Failure(
            at=self.last_at.isoformat(), attempts=self.attempts, error=self.error[:MAX_ERROR_LENGTH]
        )
        return TaskMessage(
            task=self.task,
            kwargs=kwargs,
            queue=self.queue,
            task_id=self.task_id,
            failures=(*self.history, failure)[-MAX_FAILURES:],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """A filter for dead letters; by default, all match."""

    ecosystem: str | None = None
    error_type: str | None = None
    job_id: str | None = None
    run_id: str | None = None
    since: int | None = None
    """Ignores earlier ones: milliseconds since 1970, by the clock of their ids."""
    until: int | None = None
    """Ignores later ones, likewise."""

    def matches(self, letter: DeadLetter) -> bool:
        """Whether a dead letter matches, apart from its time."""
        kwargs = letter.kwargs
        # A task that follows requirements without a job is a job of its own id.
        job_id = kwargs.get("job_id") or kwargs.get("fills") or letter.task_id
        pairs = (
            (self.ecosystem, kwargs.get("ecosystem")),
            (self.error_type, letter.error_type),
            (self.job_id, job_id),
            (self.run_id, kwargs.get("run_id")),
        )
        return all(wanted is None or wanted == value for wanted, value in pairs)


EVERYTHING = LetterFilter()


class DeadLetters:
    """All dead letters. Their streams are in the two databases ``state`` and ``streams``."""

    def __init__(self, state: Redis, streams: Redis, stream_names: Sequence[str]) -> None:
        self._state = state
        self._streams = streams
        self._names = [f"{name}{STREAM_SUFFIX}" for name in stream_names]

    async def add(self, message: TaskMessage, error: BaseException, *, now: datetime) -> str:
        """Store a failure; returns its id."""
        origin = _origin(message.kwargs.get("origin"))
        first = datetime.fromtimestamp(message.since, UTC) if message.since else now
        fields: dict[Any, Any] = {
            "error": f"{type(error).__name__}: {error}",
            "task": message.task,
            "task_id": message.task_id,
            "queue": message.queue,
            "kwargs": json.dumps(dict(message.kwargs)),
            "error_type": type(error).__name__,
            "traceback": "".join(traceback.format_exception(error))[-MAX_TRACEBACK_LENGTH:],
            "attempts": message.attempts + 1,
            "first_at": first.isoformat(),
            "last_at": now.isoformat(),
            "version": __version__,
            "history": json.dumps([asdict(failure) for failure in message.failures]),
        }
        if origin is None:
            entry_id: Any = await self._state.xadd(STREAM, fields)
            return f"{STREAM}/{entry_id}"
        name = origin.stream + STREAM_SUFFIX
        fields["data"] = origin.data
        try:
            entry_id = await self._streams.xadd(name, fields)
        except RedisError as failure:
            # Work must not wait, or be repeated, because the other service's server is away.
            log.warning("dead_letter_kept_back", stream=name, error=str(failure))
            await self._state.lpush(KEPT, json.dumps({"stream": name, "fields": fields}))
            return f"{name}/kept back"
        return f"{name}/{entry_id}"

    async def deliver_kept(self) -> int:
        """Deliver dead letters whose stream's server was unavailable; returns their number.

        Safe to repeat; a process that is killed in between duplicates at most one of them.
        """
        delivered, failed = 0, set()
        kept: Any = await self._state.lrange(KEPT, -KEPT_PORTION, -1)
        for text in reversed(kept):
            letter = json.loads(text)
            if letter["stream"] in failed:
                continue
            try:
                await self._streams.xadd(letter["stream"], letter["fields"])
            except RedisError:
                failed.add(letter["stream"])
                continue
            await self._state.lrem(KEPT, -1, text)
            delivered += 1
        return delivered

    async def count(self) -> int:
        """Number of dead letters, as far as the streams' server answers."""
        counts = await self.counts()
        return sum(count for count in counts.values() if count)

    async def counts(self) -> dict[str, int | None]:
        """Number of dead letters by stream; ``None`` where its server does not answer."""
        found: dict[str, int | None] = {STREAM: int(await self._state.xlen(STREAM))}
        kept = int(await self._state.llen(KEPT))
        if kept:
            found[KEPT] = kept
        for name in self._names:
            try:
                found[name] = int(await self._streams.xlen(name))
            except RedisError:
                found[name] = None
        return found

    async def all(self, chosen: LetterFilter = EVERYTHING) -> AsyncIterator[DeadLetter]:
        """Dead letters that match a filter, one stream after the other, the newest first."""
        first = "-" if chosen.since is None else str(chosen.since)
        for redis, name in [(self._state, STREAM), *((self._streams, n) for n in self._names)]:
            before = "+" if chosen.until is None else str(chosen.until)
            while entries := await _page(redis, name, before, first):
                for entry_id, fields in entries:
                    letter = _decode(f"{name}/{entry_id}", fields)
                    if chosen.matches(letter):
                        yield letter
                before = f"({entries[-1][0]}"

    async def get(self, letter_id: str) -> DeadLetter | None:
        """The dead letter with this id, or ``None``."""
        if (place := _place(letter_id)) is None:
            return None
        name, entry_id = place
        entries: Any = await self._redis_of(name).xrange(name, entry_id, entry_id, count=1)
        return _decode(f"{name}/{entry_id}", entries[0][1]) if entries else None

    async def return_to_stream(self, letter: DeadLetter) -> bool:
        """Return the raw message of a dead letter to its stream.

        Returns:
            Whether that was possible: there is a message, and the stream is one of ours.
        """
        name = letter.id.rpartition("/")[0]
        if letter.data is None or name not in self._names:
            return False
        await self._streams.xadd(name.removesuffix(STREAM_SUFFIX), {"data": letter.data})
        return True

    async def delete(self, letter_ids: Sequence[str]) -> int:
        """Delete dead letters; returns the number of deleted ones."""
        removed = 0
        for name, entry_id in filter(None, map(_place, letter_ids)):
            removed += int(await self._redis_of(name).xdel(name, entry_id))
        return removed

    def _redis_of(self, name: str) -> Redis:
        return self._streams if name.endswith(STREAM_SUFFIX) else self._state


def _place(letter_id: str) -> tuple[str, str] | None:
    """The stream and the entry of an id; ``None`` if the id is invalid."""
    name, _, entry_id = letter_id.rpartition("/")
    name = name or STREAM
    is_stream = name == STREAM or name.endswith(STREAM_SUFFIX)
    return (name, entry_id) if is_stream and _ENTRY_ID.fullmatch(entry_id) else None


def _origin(value: Any) -> Origin | None:
    """The origin of the work; ``None`` if it is unreadable, so that the letter is kept anyway."""
    try:
        return Origin.model_validate(value) if value else None
    except ValidationError:
        return None


async def _page(
    redis: Redis, name: str, before: str, first: str
) -> list[tuple[str, dict[str, str]]]:
    entries: Any = await redis.xrevrange(name, max=before, min=first, count=PAGE)
    return list(entries)


def _decode(letter_id: str, fields: dict[str, str]) -> DeadLetter:
    """A stream entry; other programs write ``<stream>-dlq`` entries with two fields only."""
    stamp = datetime.fromtimestamp(int(letter_id.rpartition("/")[2].partition("-")[0]) / 1000, UTC)
    moment = stamp.isoformat()
    return DeadLetter(
        id=letter_id,
        task=fields.get("task", ""),
        task_id=fields.get("task_id", ""),
        queue=fields.get("queue", ""),
        kwargs=json.loads(fields.get("kwargs", "{}")),
        error_type=fields.get("error_type", ""),
        error=fields.get("error", ""),
        traceback=fields.get("traceback", ""),
        attempts=int(fields.get("attempts", 0)),
        first_at=datetime.fromisoformat(fields.get("first_at", moment)),
        last_at=datetime.fromisoformat(fields.get("last_at", moment)),
        version=fields.get("version", ""),
        history=Failure.decode(json.loads(fields.get("history", "[]"))),
        data=fields.get("data"),
    )
