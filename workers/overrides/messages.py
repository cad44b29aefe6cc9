"""Messages from other programs, checked before Celery acts on them.

Celery drops what it cannot read with a line in its log, and some of it fails in a thread of the
pool, which then holds the message until the visibility timeout, again and again. All formats:
https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

from ssc_ingest.work.messages import FOLLOWING, Failure, TaskMessage

MAX_TEXT_LENGTH = 64 * 1024
"""Characters of an unreadable message that are kept."""

MAX_SIGNATURES = 100
"""Tasks in the callbacks, the chain and the chord of one message."""


class Unusable(ValueError):
    """The text is the reason why no worker can carry out a message."""


def check(message: Any) -> None:
    """Check a message of kombu.

    Raises:
        Unusable: no worker can carry it out.
    """
    if not isinstance(message.headers, Mapping):
        raise Unusable("it has no headers")
    try:
        payload = message.payload  # decoded once: Celery uses the same object
    except Exception as error:
        raise Unusable(f"its body cannot be decoded: {type(error).__name__}: {error}") from error
    facts: Any = message.headers if "task" in message.headers else payload
    if not isinstance(facts, Mapping) or not isinstance(facts.get("task"), str):
        raise Unusable("it names no task")
    if not isinstance(facts.get("id"), str) or not facts["id"]:
        raise Unusable("its task has no id")
    _check_times(facts)
    _check_following(_check_arguments(payload))


def seconds_to_wait(message: Any) -> float:
    """The time until a valid message is due; 0 without an ``eta``."""
    facts = message.headers if "task" in message.headers else message.payload
    if not facts.get("eta"):
        return 0.0
    eta = datetime.fromisoformat(facts["eta"])
    aware = eta if eta.tzinfo else eta.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()


def without_eta(message: Any) -> str:
    """The message as kombu stores it in a queue, to be carried out as soon as it is there."""
    headers, body = dict(message.headers), message.body
    if "task" in headers:
        headers["eta"] = None
    else:
        body = json.dumps({**message.payload, "eta": None})
    raw = body.encode() if isinstance(body, str) else bytes(body)
    return json.dumps(
        {
            "body": base64.b64encode(raw).decode(),
            "content-encoding": message.content_encoding,
            "content-type": message.content_type,
            "headers": headers,
            "properties": {**message.properties, "body_encoding": "base64"},
        }
    )


def letter_of(message: Any) -> TaskMessage:
    """The task of an unusable message, as far as it can be read.

    Its arguments, or the whole message if they are unreadable, are the letter's keywords.
    """
    headers = message.headers if isinstance(message.headers, Mapping) else {}
    payload: Any = None
    with suppress(Exception):
        payload = message.payload
    facts: Any = headers if "task" in headers or not isinstance(payload, Mapping) else payload
    kwargs: Any = None
    if isinstance(payload, list) and len(payload) > 1:
        kwargs = payload[1]
    elif isinstance(payload, Mapping):
        kwargs = payload.get("kwargs")
    if not isinstance(kwargs, dict):
        body = message.body
        text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
        kwargs = {"message": text[:MAX_TEXT_LENGTH], "content_type": str(message.content_type)}
    task = facts.get("task")
    return TaskMessage(
        task=task if isinstance(task, str) else "",
        task_id=str(facts.get("id") or ""),
        kwargs=kwargs,
        queue=str((message.delivery_info or {}).get("routing_key") or ""),
        failures=Failure.decode(headers.get("failures")),
    )


def _check_arguments(payload: Any) -> Any:
    """Returns the options of the task, in which its followers are."""
    if isinstance(payload, Mapping):  # protocol 1
        args, kwargs, options = payload.get("args", []), payload.get("kwargs", {}), payload
    elif isinstance(payload, list) and len(payload) == 3:  # noqa: PLR2004 - protocol 2
        args, kwargs, options = payload
    else:
        raise Unusable("its body is not a list of arguments, keywords and options")
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise Unusable("its arguments are not a list and an object")
    return options


def _check_times(facts: Mapping[str, Any]) -> None:
    for name in ("eta", "expires"):
        value = facts.get(name)
        if value is None or (name == "expires" and isinstance(value, int | float)):
            continue
        try:
            moment = datetime.fromisoformat(value)
            if not MINYEAR < moment.year < MAXYEAR:
                raise OverflowError  # noqa: TRY301 - it has no time in some zones
        except (OverflowError, TypeError, ValueError) as error:
            raise Unusable(f"its {name} is not a moment: {str(value)[:100]!r}") from error


def _check_following(options: Any) -> None:
    """Check the tasks that follow a task: Celery checks them only when the task is done."""
    if options is None:
        return
    if not isinstance(options, Mapping):
        raise Unusable("its options are not an object")
    seen = 0
    for name in FOLLOWING:
        found = options.get(name) or []
        if name == "chord" and found:
            found = [found]
        if not isinstance(found, list):
            raise Unusable(f"its {name} is not a list of tasks")
        pending: list[Any] = list(found)
        while pending:
            signature = pending.pop()
            seen += 1
            if seen > MAX_SIGNATURES:
                raise Unusable(f"more than {MAX_SIGNATURES} tasks follow it")
            if not _is_signature(signature):
                raise Unusable(f"its {name} has {str(signature)[:100]!r}, which is not a task")
            pending += _members(signature)


def _members(signature: dict[str, Any]) -> list[Any]:
    """The tasks of a group, chain or chord."""
    if not signature.get("subtask_type"):
        return []
    members = signature.get("kwargs", {}).get("tasks", [])
    return members if isinstance(members, list) else [members]


_SIGNATURE: Mapping[str, type] = {"args": list, "kwargs": dict, "options": dict}


def _is_signature(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("task"), str)
        and bool(value["task"])
        and all(isinstance(value.get(name, kind()), kind) for name, kind in _SIGNATURE.items())
    )
