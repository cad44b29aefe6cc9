"""The events of a registry since its start, and the part of them that it shows.

A registry numbers everything in one sequence, whatever its documents call the numbers (serial,
``seq``, commit). The packages of the start are its first events, in the order of their indexes;
each edit at run time is one more.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

Kind = Literal["publish", "yank", "unyank", "delete-version", "delete", "add"]

BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
"""When the first package came to be; everything after it took a second."""

STRIDE = 2_000_000
"""How far a reset sets the sequence back; more than there can be packages and edits."""

RESETS = 50
"""Resets that a registry can take."""


class Event(NamedTuple):
    """One edit: its number, time, kind and package.

    ``package`` is the package's index; ``version`` the published, yanked or deleted one.
    """

    sequence: int
    moment: datetime
    package: int
    kind: Kind
    version: str | None


class History:
    """The edits of one registry. Its memory grows with them, not with the packages."""

    def __init__(self, packages: int) -> None:
        """Start with this number of packages and no edits."""
        self.packages = packages
        self.clear()

    def clear(self) -> None:
        """Undo everything."""
        self._events: list[Event] = []
        self._dropped: set[int] = set()
        self._shown: int | None = None
        self._offset = RESETS * STRIDE
        self._rebuilt: list[int] = []
        self.notes: dict[Any, Any] = {}
        """What documents must remember of what they said, until everything is undone."""

    # Numbers ----------------------------------------------------------------------------

    def first_sequence(self, index: int) -> int:
        """The number of a package of the start, until its first edit."""
        return self._offset + index + 1

    def index_of(self, sequence: int) -> int | None:
        """The package of the start with this number, independent of later edits."""
        index = sequence - self._offset - 1
        return index if 0 <= index < self.packages else None

    def moment_of(self, sequence: int) -> datetime:
        """The time of a number; resets change numbers, but not times."""
        return BEGINNING + timedelta(seconds=sequence - self._offset)

    @property
    def start(self) -> int:
        """The number of the last package of the start."""
        return self._offset + self.packages

    @property
    def end(self) -> int:
        """The number of the last shown event, even if the feed has dropped it."""
        shown = self.shown
        return shown[-1].sequence if shown else self.start

    # Events -----------------------------------------------------------------------------

    @property
    def events(self) -> Sequence[Event]:
        """All of them, oldest first."""
        return self._events

    @property
    def shown(self) -> Sequence[Event]:
        """The events in listings and feeds: all, or only the first ones while they are stale."""
        return self._events if self._shown is None else self._events[: self._shown]

    @property
    def feed(self) -> Sequence[Event]:
        """The shown events that the feed has not dropped."""
        return [e for number, e in enumerate(self.shown) if number not in self._dropped]

    @property
    def state(self) -> str:
        """A text that changes with everything that is shown (for ETags)."""
        dropped = ",".join(map(str, sorted(self._dropped)))
        return f"{self.packages}/{self._offset}/{len(self.shown)}/{dropped}"

    @property
    def rebuilt(self) -> Sequence[Event]:
        """The events in the documents that are generated only from time to time."""
        return self._events[: max(self._rebuilt_of_shown, default=0)]

    @property
    def rebuilds(self) -> int:
        """The number of these generations."""
        return len(self._rebuilt_of_shown)

    @property
    def _rebuilt_of_shown(self) -> list[int]:
        return [count for count in self._rebuilt if count <= len(self.shown)]

    # Changing ---------------------------------------------------------------------------

    def record(self, index: int, kind: Kind, version: str | None = None) -> Event:
        """Add an event at the current time."""
        sequence = self.start + len(self._events) + 1
        event = Event(sequence, self.moment_of(sequence), index, kind, version)
        self._events.append(event)
        return event

    def reset(self) -> None:
        """Restart the numbers, far lower and in the same order."""
        self._offset -= STRIDE
        self._events = [e._replace(sequence=e.sequence - STRIDE) for e in self._events]

    def rebuild(self) -> None:
        """Regenerate the documents that are generated only from time to time."""
        self._rebuilt.append(len(self._events))

    def show(self, count: int | None) -> None:
        """Show listings and feeds after this number of edits; ``None``: all."""
        self._shown = count

    def drop(self, count: int) -> None:
        """Remove this number of the last events from the feed for ever."""
        kept = [n for n in range(len(self._events)) if n not in self._dropped]
        self._dropped.update(kept[-count:] if count else ())


def last_of_each(events: Sequence[Event]) -> dict[int, Event]:
    """The last event of each package, by the package's index, in the order of the events."""
    last: dict[int, Event] = {}
    for event in events:
        last.pop(event.package, None)
        last[event.package] = event
    return last


class Listed(NamedTuple):
    """A package (its index, name, last event) in listings, without generating it."""

    package: int
    name: str
    sequence: int
    moment: datetime
