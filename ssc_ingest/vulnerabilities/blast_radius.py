"""The blast radius of an advisory: the affected versions, and the versions that may install one.

Level 0 has the versions with the advisory's id. Level 1 has the versions whose constraints accept a
version of level 0, and so on; each version is on its lowest level only. Each constraint on a
package is evaluated once to intervals of serial numbers, regardless of the number of versions with
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ssc_ingest.ecosystems.admission import Admission, Span, overlap, spans_of
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.concurrency import in_thread
from ssc_ingest.graph.dependents import DependentsReader
from ssc_ingest.models import Purl, VersionName


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Versions of one package on one level."""

    purl: Purl
    versions: int
    spans: tuple[Span, ...]
    """Their serial numbers, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The versions at a distance of ``depth`` requirements."""

    depth: int
    """0 for the affected versions."""
    packages: tuple[Reached, ...]
    """Sorted by number of versions, descending, then by purl."""

    @property
    def versions(self) -> int:
        """The number of versions."""
        return sum(each.versions for each in self.packages)


class BlastRadius:
    """Walks from affected versions to those that require them, within one ecosystem.

    Args:
        ecosystem: of the packages.
        reader: of the ecosystem's label.
        optional: whether optional requirements count.
    """

    def __init__(
        self, ecosystem: type[Ecosystem], reader: DependentsReader, *, optional: bool = False
    ) -> None:
        self._ecosystem = ecosystem
        self._reader = reader
        self._optional = optional

    async def levels(self, advisory: str, purls: list[Purl], *, depth: int) -> list[Level]:
        """The levels from 0 to ``depth``, without empty levels at the end.

        Args:
            advisory: its id.
            purls: its packages.
            depth: 0 for the affected versions alone.

        Raises:
            StoreUnavailable: the graph is unavailable or busy.
        """
        newest = await self._reader.affected(advisory, purls)
        seen = {purl: set(serials) for purl, serials in newest.items()}
        levels = [_level(0, newest)]
        while newest and levels[-1].depth < depth:
            found = await self._requiring(newest)
            newest = {}
            for purl, serials in found.items():
                if fresh := serials - seen.setdefault(purl, set()):
                    newest[purl] = fresh
                    seen[purl] |= fresh
            if newest:
                levels.append(_level(levels[-1].depth + 1, newest))
        return levels

    async def _requiring(self, reached: Mapping[Purl, set[int]]) -> dict[Purl, set[int]]:
        constraints = await self._reader.constraints(list(reached), optional=self._optional)
        names = await self._reader.versions(list(constraints))
        admitting = await in_thread(self._admitting, reached, constraints, names)
        return await self._reader.requiring(admitting, optional=self._optional)

    def _admitting(
        self,
        reached: Mapping[Purl, set[int]],
        constraints: Mapping[Purl, list[str]],
        names: Mapping[Purl, list[VersionName]],
    ) -> dict[Purl, list[str]]:
        """The constraints that accept a reached version."""
        found: dict[Purl, list[str]] = {}
        for purl, texts in constraints.items():
            admission = Admission(self._ecosystem, names.get(purl, []))
            spans = spans_of(sorted(reached[purl]))
            if those := [text for text in texts if overlap(admission.spans(text), spans)]:
                found[purl] = those
        return found


def _level(depth: int, reached: Mapping[Purl, set[int]]) -> Level:
    packages = [
        Reached(purl=purl, versions=len(serials), spans=tuple(spans_of(sorted(serials))))
        for purl, serials in reached.items()
    ]
    packages.sort(key=lambda each: (-each.versions, each.purl))
    return Level(depth=depth, packages=tuple(packages))
