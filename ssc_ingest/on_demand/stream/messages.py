"""Messages of the stream: the text ``data`` of an entry, and its request.

Two generations of producers are in use. Every key except ``node_type`` and ``package`` may be
absent, null or empty. ``vendor``, ``repository_url``, ``moment`` and ``parent_version`` are
accepted in every form and ignored, because the registry and the graph have better values.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import InvalidArguments, InvalidMessage
from ssc_ingest.models import PackageRef
from ssc_ingest.on_demand.stream.names import DATA
from ssc_ingest.work.arguments import ExtractPackage, Origin

MAX_DATA = 64 * 1024
"""Maximum bytes of a message; real ones have some 400."""

MAX_CONSTRAINTS = 8192
"""Characters."""

MAX_SHOWN = 100
"""Maximum characters of the text in an error."""


class _Message(BaseModel):
    """The keys that are used."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    node_type: str
    package: str
    constraints: str | None = Field(None, max_length=MAX_CONSTRAINTS)
    parent_id: str | None = Field(None, max_length=200)
    refresh: bool | None = False


def decode(stream: str, entry_id: str, data: bytes | None) -> tuple[PackageRef, ExtractPackage]:
    """The requested package of an entry, and the arguments of its task.

    Each entry is its own job, whose id follows from the entry's id, so an entry that is delivered
    twice is one job.

    Args:
        stream: name of the stream.
        entry_id: of the entry.
        data: its field ``data``; ``None`` if it has none.

    Raises:
        InvalidMessage: the request is invalid; the text has the reason.
    """
    if data is None:
        raise InvalidMessage(f"Validation error: the entry has no field {DATA!r}")
    if len(data) > MAX_DATA:
        raise InvalidMessage(
            f"Validation error: the message has {len(data)} bytes; at most {MAX_DATA} are read"
        )
    text = _text(data)
    message = _parse(text)
    cls = _ecosystem(message.node_type)
    try:
        ref, constraints = cls.manifest_entry(message.package, message.constraints or "")
        request = ExtractPackage.parse(
            {
                "ecosystem": ref.ecosystem,
                "name": ref.registry_name,
                "refresh": bool(message.refresh),
                "dependencies": "all",
                "job_id": job_id(stream, entry_id),
                "parent_id": message.parent_id or None,
                "constraints": (constraints or None) if message.parent_id else None,
                "origin": Origin(stream=stream, data=text, entry=entry_id),
            }
        )
    except InvalidArguments as error:
        raise InvalidMessage(f"Validation error: {error}") from error
    return ref, request


def job_id(stream: str, entry_id: str) -> str:
    """The id of an entry's job; a producer can compute it from the response to ``XADD``."""
    return f"{stream}-{entry_id}"


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidMessage(f"JSON decode error: the message is not UTF-8: {error}") from error


def _parse(text: str) -> _Message:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"JSON decode error: {error}") from error
    if not isinstance(content, dict):
        raise InvalidMessage(f"Validation error: an object was expected, not {_kind(content)}")
    try:
        return _Message.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise InvalidMessage(f"Validation error: {problems}") from error


def _ecosystem(node_type: str) -> type[Ecosystem]:
    by_label = {cls.identity.label: cls for cls in ecosystems().values()}
    if found := by_label.get(node_type):
        return found
    shown = node_type if len(node_type) <= MAX_SHOWN else f"{node_type[:MAX_SHOWN]}..."
    raise InvalidMessage(
        f"Unsupported node_type: {shown!r}; supported are {', '.join(by_label)}",
        counter="unsupported_types",
    )


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
