"""What a dump of the database has that was not there, or not so, when the last one was compared.

The dump is read twice: its versions and deletions tell which crates have changed, and then its
crates tell what these are called. Memory is in proportion to what has changed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.crates.dump import Crate, Deletion, Dump, Release
from ssc_ingest.ecosystems.crates.feed import Published
from ssc_ingest.ecosystems.crates.position import MARGIN, FeedPosition

_TOGETHER = timedelta(minutes=1)
"""Between these, a crate and its version were written by the same act."""

MAX_WEIGHED = 100_000
"""New versions of which it is looked up whether the feed has told them; of more, few can be."""


class Comparison:
    """One dump against what has been handed over. Call in the order of the methods, in a thread.

    The methods' errors are those of :class:`Dump`.
    """

    def __init__(self, dump: Dump, made_at: datetime, position: FeedPosition) -> None:
        self._dump = dump
        self._made_at = made_at
        self._position = position
        self._published: dict[str, list[Release]] = {}
        self._changed: set[str] = set()
        self._last: dict[str, list[Release]] = {}
        self.deleted: dict[str, str] = {}
        """Deleted crates by their name in lower case; complete behind :meth:`changed`."""
        self.last: list[Published] = []
        """Versions of the dump's last minutes; complete behind :meth:`changed`."""

    def read_events(self) -> None:
        """Go through the versions and deletions."""
        since, weighed = self._position.compared, 0
        for event in self._dump.events():
            match event:
                case Release(crate) if max(event.created_at, event.updated_at) > since:
                    if event.created_at > self._made_at - MARGIN:
                        self._last.setdefault(crate, []).append(event)
                    if event.created_at > since and not event.yanked and weighed < MAX_WEIGHED:
                        self._published.setdefault(crate, []).append(event)
                        weighed += 1
                    else:
                        self._changed.add(crate)
                case Deletion(name, deleted_at) if deleted_at > since:
                    self.deleted[name.lower()] = name

    def changed(self, done: int) -> Iterator[tuple[int, Change]]:
        """The crates that have changed, each with its row, leaving out the first ``done`` rows."""
        for crate in self._dump.crates():
            # A name that was given away again is not a deleted crate's any more.
            self.deleted.pop(crate.name.lower(), None)
            for release in self._last.get(crate.number, ()):
                self.last.append(Published(release.created_at, crate.name, release.version))
            if crate.row > done and (change := self._change(crate)):
                yield crate.row, change

    def _change(self, crate: Crate) -> Change | None:
        published = self._published.get(crate.number, [])
        if crate.number not in self._changed and all(self._was_told(crate, r) for r in published):
            # It may still have changed without its versions, by losing one.
            together = max((r.updated_at + _TOGETHER for r in published), default=None)
            if crate.updated_at <= (together or self._position.compared):
                return None
        newest = max(published, key=lambda release: release.created_at, default=None)
        return Change(crate.name, expected=newest and newest.version, hints=crate.links)

    def _was_told(self, crate: Crate, release: Release) -> bool:
        """Whether the feed has told of it, and nothing has become of it since."""
        told_at = self._position.told_at(crate.name, release.version)
        return told_at is not None and release.updated_at <= told_at
