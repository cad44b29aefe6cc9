"""The comparison of pages with the graph, which selects the packages to publish."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.models import PackageRef, Purl

if TYPE_CHECKING:
    from ssc_ingest.runs.publisher import RunServices

BATCH = 2_000
"""Number of names in one query of the graph, which takes a few hundredths of a second."""

Verdict = Literal["selected", "skipped", "current", "unknown", "known_missing"]
"""``selected`` becomes a task; the other values are counters of
:data:`~ssc_ingest.runs.model.COUNTERS`.
"""

Named = tuple[PackageRef, Change]


class Selection(ABC):
    """Selects the packages of a page that a kind of run publishes."""

    replaces: ClassVar[bool] = False
    """Whether each mention of a package is another change. If so, the package is published again
    even if it is pending, and each mention counts; otherwise each name counts once.
    """

    def __init__(self, services: "RunServices") -> None:
        self._services = services

    @abstractmethod
    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """A verdict for each package of a batch of one label.

        Raises:
            StoreUnavailable: the graph is unavailable or busy.
        """


class SelectMissing(Selection):
    """Selects stubs and packages that the graph lacks."""

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """See :class:`Selection`."""
        found: dict[Purl, Verdict] = {ref.purl: "skipped" for ref, _ in batch}
        unread = await self._services.reader.unread(batch[0][0].label, found)
        missing = await self._services.not_found.filter(list(unread))
        for purl in unread:
            found[purl] = "known_missing" if purl in missing else "selected"
        return found


class SelectChanged(Selection):
    """Selects packages of the graph that are older than the feed says.

    With ``UPDATES_ADD_PACKAGES`` also those that the graph lacks.
    """

    replaces = True

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """See :class:`Selection`."""
        purls = [ref.purl for ref, _ in batch]
        etags = await self._services.reader.read_etags(batch[0][0].label, purls)
        adds = self._services.settings.updates_add_packages
        found: dict[Purl, Verdict] = {}
        for ref, change in batch:
            if ref.purl not in etags:
                found[ref.purl] = "selected" if adds and not change.deleted else "unknown"
            elif change.etag and not change.deleted and change.etag == etags[ref.purl]:
                found[ref.purl] = "current"
            else:
                found[ref.purl] = "selected"
        return found


class SelectAll(Selection):
    """Selects all packages, because the page source has selected them from the graph."""

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """See :class:`Selection`."""
        return {ref.purl: "selected" for ref, _ in batch}
