"""Responses of registries: in memory, large ones in files, and their time headers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import IO

from ssc_ingest.models import now


class Headers(Mapping[str, str]):
    """Headers of a response by their case-insensitive names; repeated ones are joined."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        values: dict[str, str] = {}
        for key, value in pairs:
            name = key.lower()
            values[name] = f"{values[name]}, {value}" if name in values else value
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response with status 200, 206 or 304; ``headers`` are case-insensitive."""

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def not_modified(self) -> bool:
        """Whether the document still has the ETag that we sent."""
        return self.status == HTTPStatus.NOT_MODIFIED

    @property
    def etag(self) -> str | None:
        """The validator for the next request."""
        return self.headers.get("etag")

    @property
    def last_modified(self) -> datetime | None:
        """The time of the last change in UTC, if the host states it."""
        return http_date(self.headers.get("last-modified", ""))


@dataclass(frozen=True, slots=True)
class Download:
    """A large document in a file that is deleted at the end of the block; ``file`` is at its start.

    The file is empty if ``not_modified`` (after a conditional request).
    """

    url: str
    file: IO[bytes]
    size: int
    not_modified: bool
    headers: Mapping[str, str]


def retry_after(text: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header (RFC 9110, 10.2.3: seconds or a date)."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - now()).total_seconds())


def http_date(text: str) -> datetime | None:
    """The time in a date header (RFC 9110, 5.6.7), in UTC."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
