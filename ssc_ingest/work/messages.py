"""Task messages in the format that Celery workers read.

The format is Celery's message protocol, version 2
(https://docs.celeryq.dev/en/stable/internals/protocol.html), in kombu's Redis envelope.
"""

import base64
import json
import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

PUBLISHED = "published_at"
"""Our header with the Unix time when the message entered its queue."""

FOLLOWING = ("callbacks", "errbacks", "chain", "chord")
"""Celery's options for the tasks that follow a task, in the message's body."""

MAX_REPR_LENGTH = 1024
"""Maximum characters of the arguments in Flower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The results of a task's attempts so far."""

    requests: int = 0
    """HTTP requests sent."""
    new_versions: int = 0
    requirements: int = 0
    """Requirement edges written."""
    wrote: bool = False
    """An attempt started to write a new package, so the graph may have parts of it."""

    @classmethod
    def decode(cls, header: Any) -> Self:
        """Read from a message's header; invalid fields are ignored."""
        fields = header if isinstance(header, Mapping) else {}
        known = {name: fields[name] for name in cls.__slots__ if isinstance(fields.get(name), int)}
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How the attempts before a replay ended."""

    at: str
    """ISO 8601."""
    attempts: int
    error: str

    @classmethod
    def decode(cls, header: Any) -> tuple[Self, ...]:
        """From a message's header or a dead letter; what is invalid is ignored."""
        if not isinstance(header, list):
            return ()
        types = {"at": str, "attempts": int, "error": str}
        return tuple(
            cls(**{name: one[name] for name in types})
            for one in header
            if isinstance(one, Mapping)
            and all(isinstance(one.get(name), kind) for name, kind in types.items())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMessage:
    """One task in a queue, with its attempts so far."""

    task: str
    kwargs: Mapping[str, Any]
    queue: str
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0
    """Failed attempts so far; waiting does not count."""
    since: float | None = None
    """Unix time of the first failure or delay; ``None`` before that."""
    progress: Progress = Progress()
    failures: tuple[Failure, ...] = ()
    """Earlier failures, each of which was replayed; the oldest first."""
    published_at: float | None = None
    """Unix time when a delivered message entered its queue."""
    ignore_result: bool = True
    """Whether Celery does not store its result; results of packages are in the graph."""
    followers: Mapping[str, Any] = field(default_factory=dict)
    """The caller's tasks that follow this one, by :data:`FOLLOWING`."""

    def moved_to(self, queue: str) -> "TaskMessage":
        """The same task for another queue."""
        return replace(self, queue=queue)

    def to_json(self) -> str:
        """The message as text that :meth:`from_json` reads."""
        fields = asdict(self)
        if not self.followers:
            del fields["followers"]  # workers of earlier releases do not know it
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> "TaskMessage":
        """The inverse of :meth:`to_json`."""
        fields = json.loads(text)
        decoded = {
            "progress": Progress.decode(fields.get("progress")),
            "failures": Failure.decode(fields.get("failures")),
        }
        return cls(**{**fields, **decoded})

    def encode(self, delay: float = 0) -> str:
        """The message as kombu's Redis transport stores it; it enters its queue in ``delay`` s."""
        body = [[], dict(self.kwargs), {name: self.followers.get(name) for name in FOLLOWING}]
        headers = {
            "lang": "py",
            "task": self.task,
            "id": self.task_id,
            "root_id": self.task_id,
            "parent_id": None,
            "group": None,
            "shadow": None,
            "eta": None,
            "expires": None,
            "retries": self.attempts,
            "timelimit": [None, None],
            "argsrepr": "()",
            "kwargsrepr": repr(dict(self.kwargs))[:MAX_REPR_LENGTH],
            "origin": f"{os.getpid()}@{socket.gethostname()}",
            "ignore_result": self.ignore_result,
            "attempts": self.attempts,
            "since": self.since,
            "progress": asdict(self.progress),
            "failures": [asdict(failure) for failure in self.failures],
            PUBLISHED: time.time() + delay,
        }
        properties = {
            "correlation_id": self.task_id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": self.queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        }
        return json.dumps(
            {
                "body": base64.b64encode(json.dumps(body).encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": headers,
                "properties": properties,
            }
        )


@dataclass(frozen=True, slots=True)
class NextMessage:
    """The facts about a queued message that can be read without taking it."""

    task_id: str
    published_at: float | None
    """Unix time; ``None`` if another program published it."""

    @classmethod
    def decode(cls, message: str) -> "NextMessage":
        """Read from the text that kombu stores."""
        try:
            headers = json.loads(message)["headers"]
            return cls(str(headers["id"]), headers.get(PUBLISHED))
        except (
            ValueError,
            KeyError,
            TypeError,
        ):  # not Celery's: the worker that takes it reports it
            return cls(message[:100], None)
