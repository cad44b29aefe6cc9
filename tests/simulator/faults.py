"""Which request fails, and how.

.. code-block:: text

    status        status (503), retry_after (seconds or text), body
    reset         the connection is reset; at = "head" (before a byte) or "body" (in the middle)
    truncate      Content-Length of the whole body, a share of it, then the connection closes
    slow          seconds: the body arrives evenly spread over them; nothing is missing
    stall         seconds of silence before the head (far more than any time-out, if wanted)
    html          an error page with status 200
    media-type    media_type: the true body, declared as something else
    not-json      half the document, and then text; complete as an HTTP answer
    wrong-types   fields of the document have values of another type; keys: which (default all)
    missing-keys  fields of the document are missing; keys: which (default all)
    oversized     megabytes of white space before the document; chunked: without Content-Length
    bomb          as oversized, but compressed, so that little is sent
    heavy         no failure: a packument of so many megabytes, as some real ones have
    redirect      location, status (302); without location: to itself, in a circle
    empty         status 200 and nothing
    body          body (or body_base64), media_type, status: whatever you want

The first fault that matches answers; each may be limited by times, share and after.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any, Literal, get_args

Kind = Literal[
    "status",
    "reset",
    "truncate",
    "slow",
    "stall",
    "html",
    "media-type",
    "not-json",
    "wrong-types",
    "missing-keys",
    "oversized",
    "bomb",
    "heavy",
    "redirect",
    "empty",
    "body",
]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of failure, for requests that match all given fields."""

    kind: Kind
    # What it matches.
    ecosystem: str | None = None
    endpoint: str | None = None
    """Kind of document: ``pypi.simple``, ``npm.packument``, ``cargo.index`` ..."""
    package: str | None = None
    """A purl."""
    path: str | None = None
    """A regular expression, searched for in the path."""
    share: float = 1.0
    """Of the matching requests, decided by the seed."""
    after: int = 0
    """Matching requests that pass first."""
    times: int | None = None
    """Failures in all; ``None`` is without end."""
    # How it fails.
    status: int | None = None
    retry_after: str | None = None
    at: Literal["head", "body"] = "head"
    keep: float = 0.5
    """Share of the body that is sent."""
    seconds: float = 1.0
    megabytes: float = 64.0
    chunked: bool = False
    keys: list[str] = field(default_factory=list)
    location: str | None = None
    media_type: str | None = None
    body: str | None = None
    body_base64: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    # What has happened.
    number: int = 0
    seen: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        """Reject a fault without any effect."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"{self.kind!r} is not one of {', '.join(get_args(Kind))}")
        if self.path is not None:
            re.compile(self.path)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Fault":
        """Read a client's fault.

        Raises:
            ValueError: an unknown field or kind.
        """
        unknown = value.keys() - {f.name for f in fields(cls)}
        if unknown or "kind" not in value:
            raise ValueError(f"unknown or missing fields: {sorted(unknown) or ['kind']}")
        return cls(**value)

    @property
    def silent(self) -> bool:
        """Whether no status is sent."""
        return self.kind == "reset" and self.at == "head"

    @property
    def payload(self) -> bytes | None:
        """The given body, if any."""
        if self.body_base64 is not None:
            return b64decode(self.body_base64)
        return None if self.body is None else self.body.encode()

    def matches(self, path: str, ecosystem: str, endpoint: str, package: str | None) -> bool:
        """Whether the fault applies to this request."""
        return (
            (self.ecosystem is None or self.ecosystem == ecosystem)
            and (self.endpoint is None or self.endpoint == endpoint)
            and (self.package is None or self.package == package)
            and (self.path is None or re.search(self.path, path) is not None)
        )

    def strikes(self, seed: int) -> bool:
        """Count a matching request; returns whether it fails."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.done >= self.times):
            return False
        if self.share < 1.0:
            chance = blake2b(f"{seed}/{self.number}/{self.seen}".encode(), digest_size=4)
            if int.from_bytes(chance.digest(), "big") >= self.share * 2**32:
                return False
        self.done += 1
        return True


class Faults:
    """The active faults, in the order of their creation."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.active: dict[int, Fault] = {}
        self._made = 0

    def add(self, fault: Fault) -> int:
        """Activate a fault; returns its number."""
        self._made += 1
        fault.number = self._made
        self.active[fault.number] = fault
        return fault.number

    def remove(self, number: int) -> Fault | None:
        """Remove one fault."""
        return self.active.pop(number, None)

    def clear(self) -> None:
        """Remove all faults."""
        self.active.clear()

    def choose(self, path: str, ecosystem: str, endpoint: str, package: str | None) -> Fault | None:
        """The fault that answers a request, if any."""
        for fault in self.active.values():
            if fault.matches(path, ecosystem, endpoint, package) and fault.strikes(self.seed):
                return fault
        return None
