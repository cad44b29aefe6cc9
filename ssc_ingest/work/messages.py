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
"""Header of ours: since when the message is in its queue (Unix time)."""

MAX_REPR_LENGTH = 1024
"""Characters of the arguments that Flower shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the attempts of one task did so far."""

    requests: int = 0
    """HTTP requests sent."""
    new_versions: int = 0
    requirements: int = 0
    """Requirement edges written."""
    wrote: bool = False
    """An attempt began to write a package that nobody had read: what is in the graph may be its."""

    @classmethod
    def decode(cls, header: Any) -> Self:
        """From a message's header; what makes no sense there is no progress."""
        fields = header if isinstance(header, Mapping) else {}
        known = {name: fields[name] for name in cls.__slots__ if isinstance(fields.get(name), int)}
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMessage:
    """One task on its way: what to do, where, and what it has been through."""

    task: str
    kwargs: Mapping[str, Any]
    queue: str
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0
    """Failures so far that counted."""
    since: float | None = None
    """Unix time since when it has not succeeded; ``None`` before the first failure."""
    progress: Progress = Progress()
    published_at: float | None = None
    """Unix time since when it is in its queue, of a message that was delivered."""
    ignore_result: bool = True
    """Whether nobody asks for its result: those of packages are in the graph."""

    def moved_to(self, queue: str) -> "TaskMessage":
        """The same task for another queue."""
        return replace(self, queue=queue)

    def to_json(self) -> str:
        """The message as text that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "TaskMessage":
        """The inverse of :meth:`to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "progress": Progress.decode(fields.get("progress"))})

    def encode(self, delay: float = 0) -> str:
        """The message as kombu's Redis transport stores it; it is to be there in ``delay`` s."""
        body = [[], dict(self.kwargs), dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))]
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
    """What is known about a message without taking it."""

    task_id: str
    published_at: float | None
    """Unix time; ``None`` where another program published it."""

    @classmethod
    def decode(cls, message: str) -> "NextMessage":
        """From the form in which kombu stores it."""
        try:
            headers = json.loads(message)["headers"]
            return cls(str(headers["id"]), headers.get(PUBLISHED))
        except (ValueError, KeyError, TypeError):  # none of Celery's: whoever takes it will see
            return cls(message[:100], None)
