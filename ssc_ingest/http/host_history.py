"""What a host's last answers say about the host, and not about single documents.

The last ten are kept in Redis, for the whole fleet, while one of them is bad.
"""

import hashlib
import uuid
from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

Answer = Literal["fine", "failed", "forbidden", "overloaded", "late"]
"""``late``: a time-out, or a gateway's word that the registry behind it does not respond;
``failed``: other failures, which say nothing about the host."""

LENGTH = 10
"""Answers that are kept."""

MAX_FORBIDDEN = 5
"""Refusals (403) of different documents in a row by which a host refuses us altogether."""

MAX_LATE = 3
"""Time-outs of different documents in a row after which a host is unreachable."""

MAX_OVERLOADED = 3
"""Responses 503 among the last ten by which a host is overloaded, and not a document broken."""

STATUSES: dict[int, Answer] = {
    403: "forbidden",
    503: "overloaded",
    **dict.fromkeys((502, 504, 520, 521, 522, 523, 524), "late"),
}
"""The statuses that may say something about the host; the last five are Cloudflare's."""


def answer_of(status: int) -> Answer:
    """What a status means here; 429 speaks for itself."""
    if status in STATUSES:
        return STATUSES[status]
    return "fine" if status < 500 and status != 429 else "failed"  # noqa: PLR2004


def entry(answer: Answer, url: str | None) -> str:
    """What is kept of an answer; without ``url``, it is about the host whatever the document."""
    address = hashlib.sha256(url.encode()).hexdigest()[:12] if url else uuid.uuid4().hex[:12]
    return f"{answer} {address}"


def refuses_us(entries: Sequence[str]) -> bool:
    """Whether the host refuses everything; the newest entry comes first."""
    return _in_a_row(entries, "forbidden") >= MAX_FORBIDDEN


def is_silent(entries: Sequence[str]) -> bool:
    """Whether the host does not respond any more."""
    return _in_a_row(entries, "late") >= MAX_LATE


def is_overloaded(entries: Sequence[str]) -> bool:
    """Whether the host, and not a document alone, is overloaded."""
    return sum(each.startswith("overloaded ") for each in entries) >= MAX_OVERLOADED


def _in_a_row(entries: Sequence[str], answer: Answer) -> int:
    """Different documents with this answer, up to the first other answer."""
    return len(set(takewhile(lambda each: each.startswith(f"{answer} "), entries)))
