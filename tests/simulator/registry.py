"""One running ecosystem: packages generated on demand, and edits at run time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Any

from tests.simulator.ecosystem import Ecosystem, Shelf
from tests.simulator.history import Event, History, Kind, Listed, last_of_each
from tests.simulator.options import Options
from tests.simulator.universe import Package, Release, Universe

KEPT_PACKAGES = 2
"""Packages kept, for each one whose documents are: by default more than most tests have, whose
lists of everything would make all anew."""


class Registry(Shelf):
    """The universe of one ecosystem, and its edits since the start.

    Memory grows with the edits, not with the size of the universe.
    """

    def __init__(self, ecosystem: Ecosystem, options: Options, base_url: str) -> None:
        self.ecosystem = ecosystem
        self.base_url = f"{base_url}/{ecosystem.prefix}"
        self.options = options
        self.universe = Universe(ecosystem, options)
        self.size = options.packages
        self.history = History(options.packages)
        self._edited: dict[int, Package | None] = {}
        self._package = lru_cache(maxsize=KEPT_PACKAGES * options.kept)(self._make_package)
        self._page = lru_cache(maxsize=options.kept)(self._make_page)

    # Reading ----------------------------------------------------------------------------

    def package(self, index: int) -> Package | None:
        """The package with that index as it is now; ``None`` if it does not exist."""
        if not 0 <= index < self.size:
            return None
        if index in self._edited:
            return self._edited[index]
        return self._package(index)

    def original(self, index: int) -> Package:
        """The package with that index as it was at the start, or when it was added."""
        return self._package(index)

    def find(self, name: str) -> Package | None:
        """The package with that name, in any spelling by which the registry finds it."""
        index = self.universe.index_of(name)
        return None if index is None else self.package(index)

    def name_of(self, index: int) -> str:
        """The registry's spelling of a package's name, even if the package does not exist."""
        return self.universe.name_of(index)

    def listed(self, events: Sequence[Event] | None = None) -> Iterator[Listed]:
        """All packages that exist after these events (by default the shown ones)."""
        history = self.history
        last = last_of_each(history.shown if events is None else events)
        added = sorted(index for index in last if index >= history.packages)
        name_of, options = self.ecosystem.name_of, self.options
        for index in chain(range(history.packages), added):
            event = last.get(index)
            if event is None:
                sequence = history.first_sequence(index)
                moment = history.moment_of(sequence)
            elif event.kind == "delete":
                continue
            else:
                sequence, moment = event.sequence, event.moment
            yield Listed(index, name_of(options, index), sequence, moment)

    def page(self, package: Package) -> Any:
        """The ecosystem's documents of a package."""
        return self._page(package.index, package.edition)

    def _make_package(self, index: int) -> Package:
        """Generate the package of the start, or the added one."""
        sequence = self.history.first_sequence(index)
        if index >= self.history.packages:
            added = (e for e in self.history.events if e.package == index and e.kind == "add")
            sequence = next(added).sequence
        return replace(self.universe.package(index), sequence=sequence)

    def _make_page(self, index: int, edition: int) -> Any:
        package = self.package(index)
        assert package is not None and package.edition == edition  # noqa: PT018
        return self.ecosystem.page(package, self.base_url)

    # Changing ---------------------------------------------------------------------------

    def publish(self, name: str, *, requirements: int | None = None) -> Package:
        """Release a new highest version, with this number of requirements."""
        package = self._require(name)
        release = self.universe.successor(package, requirements)
        releases = (*package.releases, release)
        return self._edit(package, releases, "publish", release.version)

    def yank(self, name: str, version: str, *, yanked: bool = True) -> Package:
        """Yank or un-yank a version."""
        package = self._require(name)
        self._release(package, version)
        changed = (
            replace(r, yanked=yanked) if r.version == version else r for r in package.releases
        )
        return self._edit(package, tuple(changed), "yank" if yanked else "unyank", version)

    def delete_version(self, name: str, version: str) -> Package:
        """Delete a version without a trace."""
        package = self._require(name)
        self._release(package, version)
        left = tuple(r for r in package.releases if r.version != version)
        return self._edit(package, left, "delete-version", version)

    def delete(self, name: str) -> None:
        """Delete a package: the registry responds with 404."""
        index = self._require(name).index
        self._edited[index] = None
        self.history.record(index, "delete")

    def add(self) -> Package:
        """Add a new package."""
        self.history.record(self.size, "add")
        self.size += 1
        package = self.package(self.size - 1)
        assert package is not None
        return package

    def reset_sequence(self) -> None:
        """Restart the numbers, far lower and in the same order."""
        self.history.reset()
        self._package.cache_clear()
        self._page.cache_clear()
        last = last_of_each(self.history.events)
        self._edited = {
            index: package and replace(package, sequence=last[index].sequence)
            for index, package in self._edited.items()
        }

    def restore(self) -> None:
        """Undo all edits; generated packages stay cached if still valid."""
        numbered_from, happened = self.history.first_sequence(0), bool(self.history.events)
        self._edited.clear()
        self.history.clear()
        if self.size != self.history.packages or numbered_from != self.history.first_sequence(0):
            self._package.cache_clear()
            happened = True
        if happened:
            self._page.cache_clear()
        self.size = self.history.packages

    def _edit(
        self, package: Package, releases: tuple[Release, ...], kind: Kind, version: str
    ) -> Package:
        event = self.history.record(package.index, kind, version)
        edited = replace(
            package, releases=releases, edition=package.edition + 1, sequence=event.sequence
        )
        self._edited[package.index] = edited
        return edited

    def _require(self, name: str) -> Package:
        package = self.find(name)
        if package is None:
            raise LookupError(f"{self.ecosystem.name} has no package {name!r}")
        return package

    def _release(self, package: Package, version: str) -> Release:
        for release in package.releases:
            if release.version == version:
                return release
        raise LookupError(f"{package.purl} has no version {version!r}")
