"""Compares a database dump with the changes that were reported before.

The dump is read twice: first its versions and deletions, to find the changed crates, then its
crates, to find their names. Memory is proportional to the number of changes.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.ecosystems.crates.dump import Crate, Deletion, Dump, Release
from ssc_ingest.ecosystems.crates.feed import Published
from ssc_ingest.ecosystems.crates.position import MARGIN, FeedPosition

_SAME_EVENT = timedelta(minutes=1)
"""Maximum time between writing a version and its crate when one event writes both."""

MAX_LOOKED_UP = 100_000
"""Maximum new versions that are compared with those that the feed reported."""


class Comparison:
    """Compares one dump. Call the methods in order, in a thread.

    The methods raise the errors of :class:`Dump`.
    """

    def __init__(self, dump: Dump, made_at: datetime, position: FeedPosition) -> None:
        self._dump = dump
        self._made_at = made_at
        self._position = position
        self._published: dict[str, list[Release]] = {}
        self._changed: set[str] = set()
        self._last: dict[str, list[Release]] = {}
        self.deleted: dict[str, str] = {}
        """Deleted crates by their lower-case name; complete after :meth:`changed`."""
        self.last: list[Published] = []
        """Versions of the dump's last minutes; complete after :meth:`changed`."""

    def read_events(self) -> None:
        """Read the versions and deletions."""
        since, looked_up = self._position.compared, 0
        for event in self._dump.events():
            match event:
                case Release(crate) if max(event.created_at, event.updated_at) > since:
                    if event.created_at > self._made_at - MARGIN:
                        self._last.setdefault(crate, []).append(event)
                    if event.created_at > since and not event.yanked and looked_up < MAX_LOOKED_UP:
                        self._published.setdefault(crate, []).append(event)
                        looked_up += 1
                    else:
                        self._changed.add(crate)
                case Deletion(name, deleted_at) if deleted_at > since:
                    self.deleted[name.lower()] = name

    def changed(self, done: int) -> Iterator[tuple[int, Change]]:
        """The crates that have changed, each with its row, without the first ``done`` rows."""
        for crate in self._dump.crates():
            # A name that is used again no longer belongs to a deleted crate.
            self.deleted.pop(crate.name.lower(), None)
            for release in self._last.get(crate.number, ()):
                self.last.append(Published(release.created_at, crate.name, release.version))
            if crate.row > done and (change := self._change(crate)):
                yield crate.row, change

    def _change(self, crate: Crate) -> Change | None:
        published = self._published.get(crate.number, [])
        if crate.number not in self._changed and all(
            self._was_reported(crate, r) for r in published
        ):
            # The crate may still have changed by losing a version.
            with_versions = max((r.updated_at + _SAME_EVENT for r in published), default=None)
            if crate.updated_at <= (with_versions or self._position.compared):
                return None
        newest = max(published, key=lambda release: release.created_at, default=None)
        return Change(crate.name, expected=newest and newest.version, hints=crate.links)

    def _was_reported(self, crate: Crate, release: Release) -> bool:
        """Whether the feed has reported the version, and it has not changed since."""
        reported_at = self._position.reported_at(crate.name, release.version)
        return reported_at is not None and release.updated_at <= reported_at
