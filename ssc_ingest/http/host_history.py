"""The last responses of a host, to tell failures of the host from failures of one document.

Redis stores the last ten for the whole fleet, while one of them is bad.
"""

import hashlib
import uuid
from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

Answer = Literal["fine", "failed", "forbidden", "overloaded", "late"]
"""``late``: a time-out of the host, or one that a gateway reports; ``failed``: other failures,
which do not concern the host."""

LENGTH = 10
"""Maximum number of stored responses."""

MAX_FORBIDDEN = 5
"""Number of refusals (403) in a row, for different documents, from which the host refuses us."""

MAX_LATE = 3
"""Number of time-outs in a row, for different documents, from which the host is unreachable."""

MAX_OVERLOADED = 5
"""Number of different documents with 503 among the stored responses from which the host is
overloaded. Of a host that answers every fiftieth request so, one in a million requests has as many
before it, of one that answers every second request so, most."""

STATUSES: dict[int, Answer] = {
    403: "forbidden",
    503: "overloaded",
    **dict.fromkeys((502, 504, 520, 521, 522, 523, 524), "late"),
}
"""The statuses that may concern the host; the last five are Cloudflare's."""


def answer_of(status: int) -> Answer:
    """The class of a status; 429 is handled elsewhere."""
    if status in STATUSES:
        return STATUSES[status]
    return "fine" if status < 500 and status != 429 else "failed"  # noqa: PLR2004


def entry(answer: Answer, url: str | None) -> str:
    """The stored form of a response; without ``url`` it concerns the host."""
    address = hashlib.sha256(url.encode()).hexdigest()[:12] if url else uuid.uuid4().hex[:12]
    return f"{answer} {address}"


def refuses_us(entries: Sequence[str]) -> bool:
    """Whether the host refuses all documents; the newest entry comes first."""
    return _in_a_row(entries, "forbidden") >= MAX_FORBIDDEN


def is_silent(entries: Sequence[str]) -> bool:
    """Whether the host no longer responds."""
    return _in_a_row(entries, "late") >= MAX_LATE


def is_overloaded(entries: Sequence[str]) -> bool:
    """Whether the host is overloaded, and not only one document broken."""
    return len({each for each in entries if each.startswith("overloaded ")}) >= MAX_OVERLOADED


def is_watched(entries: Sequence[str]) -> bool:
    """Whether one of the responses was bad, so that the next ones are stored."""
    return any(not each.startswith("fine ") for each in entries)


def _in_a_row(entries: Sequence[str], answer: Answer) -> int:
    """Number of different documents with this answer before any other answer."""
    return len(set(takewhile(lambda each: each.startswith(f"{answer} "), entries)))
