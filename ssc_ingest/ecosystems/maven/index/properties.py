"""``nexus-maven-repository-index.properties``: the published index and its chunks.

.. code-block:: text

    nexus.index.chain-id=1318453614498
    nexus.index.timestamp=20181029012159.470 +0000
    nexus.index.last-incremental=541
    nexus.index.incremental-0=541
    nexus.index.incremental-1=540

Chunks of one chain are numbered without gaps; some thirty are available. Another chain-id means
that the publisher started over, with other numbers. The format is that of Java's properties;
``org.apache.maven.index.context.IndexingContext`` has the names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ssc_ingest.errors import MalformedMetadata

MAX_PROPERTIES = 256 * 1024
"""Bytes; Central's has 1,100."""

_SEPARATOR = re.compile(r"[\s=:]")
_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_PREFIX = "nexus.index."
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class IndexProperties:
    """The published index."""

    chain: str
    """The sequence of chunks; empty if there are no chunks."""
    timestamp: int
    """The time of the index in milliseconds since 1970."""
    last: int | None
    """Number of the last chunk."""
    available: frozenset[int]

    def chunks_after(self, number: int | None) -> Sequence[int] | None:
        """The chunks after a number, ascending; ``None`` if one of them is not available."""
        if number is None or self.last is None or number > self.last:
            return None
        numbers = range(number + 1, self.last + 1)
        if len(numbers) > len(self.available) or not self.available.issuperset(numbers):
            return None
        return numbers


def parse_properties(body: bytes, url: str) -> IndexProperties:
    """Read the file.

    Raises:
        MalformedMetadata: the file has no valid time of the index.
    """
    values: dict[str, str] = {}
    for line in map(str.strip, body.decode("latin-1").splitlines()):
        if not line.startswith(("#", "!")):
            name, *value = _SEPARATOR.split(line, maxsplit=1)
            values[name] = "".join(value).lstrip(" \t=:").replace("\\", "")
    available = (
        _number(value)
        for name, value in values.items()
        if name.startswith(f"{_PREFIX}incremental-")
    )
    return IndexProperties(
        chain=values.get(f"{_PREFIX}chain-id", ""),
        timestamp=_timestamp(values, url),
        last=_number(values.get(f"{_PREFIX}last-incremental", "")),
        available=frozenset(number for number in available if number is not None),
    )


def _timestamp(values: Mapping[str, str], url: str) -> int:
    text = values.get(f"{_PREFIX}timestamp", "")
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S.%f %z")
    except ValueError as error:
        raise MalformedMetadata(
            f"not the properties of an index: {text[:100]!r} is not a timestamp", url=url
        ) from error
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None
