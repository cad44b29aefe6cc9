"""What has happened in a registry since the start, in order, and what it shows of that.

A registry numbers everything in one sequence, whatever its documents call the numbers (serial,
``seq``, commit). The packages that are there at the start were its first events, in the order
of their indexes; each edit at run time is one more.
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
    """One edit: its place in the sequence, when it was, and what it did to which package.

    ``package`` is the package's index; ``version`` the one that was published, yanked, deleted.
    """

    sequence: int
    moment: datetime
    package: int
    kind: Kind
    version: str | None


class History:
    """The edits of one registry. Its memory grows with them, and not with the packages."""

    def __init__(self, packages: int) -> None:
        """Begin with that many packages and no edits."""
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
        """The number of a package that was there at the start, until its first edit."""
        return self._offset + index + 1

    def index_of(self, sequence: int) -> int | None:
        """The package that was there at the start and has this number, whatever came later."""
        index = sequence - self._offset - 1
        return index if 0 <= index < self.packages else None

    def moment_of(self, sequence: int) -> datetime:
        """When that number was given; resets change numbers, and not when things happened."""
        return BEGINNING + timedelta(seconds=sequence - self._offset)

    @property
    def start(self) -> int:
        """The number of the last package that was there at the start."""
        return self._offset + self.packages

    @property
    def end(self) -> int:
        """The number of the last event that is shown; also if the feed has dropped it."""
        shown = self.shown
        return shown[-1].sequence if shown else self.start

    # Events -----------------------------------------------------------------------------

    @property
    def events(self) -> Sequence[Event]:
        """All of them, oldest first."""
        return self._events

    @property
    def shown(self) -> Sequence[Event]:
        """Those that listings and feeds show: all, or only the first while they are stale."""
        return self._events if self._shown is None else self._events[: self._shown]

    @property
    def feed(self) -> Sequence[Event]:
        """Those that are shown and that the feed has not dropped."""
        return [e for number, e in enumerate(self.shown) if number not in self._dropped]

    @property
    def state(self) -> str:
        """A text that is another one as soon as anything is shown differently (for ETags)."""
        dropped = ",".join(map(str, sorted(self._dropped)))
        return f"{self.packages}/{self._offset}/{len(self.shown)}/{dropped}"

    @property
    def rebuilt(self) -> Sequence[Event]:
        """Those that are in what the registry makes anew only now and then."""
        return self._events[: max(self._rebuilt_of_shown, default=0)]

    @property
    def rebuilds(self) -> int:
        """How often that was made anew."""
        return len(self._rebuilt_of_shown)

    @property
    def _rebuilt_of_shown(self) -> list[int]:
        return [count for count in self._rebuilt if count <= len(self.shown)]

    # Changing ---------------------------------------------------------------------------

    def record(self, index: int, kind: Kind, version: str | None = None) -> Event:
        """Something has happened now."""
        sequence = self.start + len(self._events) + 1
        event = Event(sequence, self.moment_of(sequence), index, kind, version)
        self._events.append(event)
        return event

    def reset(self) -> None:
        """Number everything anew, from far below; the order stays."""
        self._offset -= STRIDE
        self._events = [e._replace(sequence=e.sequence - STRIDE) for e in self._events]

    def rebuild(self) -> None:
        """Make anew what is made only now and then: a dump, a list."""
        self._rebuilt.append(len(self._events))

    def show(self, count: int | None) -> None:
        """Let listings and feeds be as they were after so many edits; ``None``: as they are."""
        self._shown = count

    def drop(self, count: int) -> None:
        """Take the last events, so many of those that it still has, out of the feed for good."""
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
    """A package (its index, name, last event) as listings have it: nothing has to be made."""

    package: int
    name: str
    sequence: int
    moment: datetime
