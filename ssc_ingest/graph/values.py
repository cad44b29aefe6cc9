"""The types of properties in the graph, and the format of times."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any


def iso_date(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC to the millisecond, so that text order is time order."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def naive_utc(moment: datetime) -> datetime:
    """The graph's form of a time: UTC without a time zone (a LocalDateTime)."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: Any) -> datetime | None:
    """A LocalDateTime of the graph (naive UTC) as a datetime, to the microsecond."""
    if moment is None:
        return None
    native: datetime = moment.to_native()
    return native.replace(tzinfo=UTC)


def table_digest(text: str) -> str:
    """The key of a ``RequirementTable`` with this text: 32 hexadecimal digits."""
    # What cannot be encoded is refused by the driver later, for its package alone.
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _filled(values: Collection[str]) -> list[str] | None:
    return list(values) or None


@dataclass(frozen=True, slots=True)
class Type:
    """A type of properties; the converters get no ``None``."""

    title: str
    encode: Callable[[Any], Any] | None = None
    """Converts the models' value to the stored one; ``None`` if both are the same."""
    decode: Callable[[Any], Any] | None = None
    """Converts the stored value to the models' one."""


STRING = Type("string")
UNIQUE = Type("string, unique")
INTEGER = Type("integer")
FLOAT = Type("float")
BOOLEAN = Type("boolean")
FLAG = Type("boolean, absent where false")
"""A flag that few nodes or edges have; it is absent on all others."""
STRINGS = Type("list of strings", encode=_filled, decode=tuple)
"""A list whose empty value from a registry means unknown."""
FEW = Type("list of strings, absent where empty", encode=_filled, decode=tuple)
"""A flag that few nodes have; it is absent on all others."""
TABLE = Type("string, `digest` of a `RequirementTable`", encode=table_digest)
"""Large text that many versions share; stored in separate nodes."""
LIST = Type("list of strings", encode=list, decode=tuple)
"""A list whose empty value is known."""
DATE = Type("string", encode=iso_date)
MOMENT = Type("local date-time in UTC", encode=naive_utc, decode=aware)
