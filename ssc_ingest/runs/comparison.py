"""Comparing pages with the graph: what a run has to do about each name."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.models import PackageRef, Purl
from ssc_ingest.runs.model import Kind
from ssc_ingest.work.not_found import NegativeCache

BATCH = 2_000
"""Names that the graph is asked about at once: a few hundredths of a second."""

Verdict = Literal["wanted", "skipped", "current", "unknown", "known_missing"]
"""``wanted`` becomes a task; the others are counters of :data:`~ssc_ingest.runs.model.COUNTERS`."""

Named = tuple[PackageRef, Change]


class Comparison(Protocol):
    """What a kind of run asks the graph about a batch of packages of one label."""

    replaces: bool
    """Whether a package that is pending already is wanted anew when it is named again."""

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """A verdict for each package.

        Raises:
            StoreUnavailable: the graph is away or busy.
        """


class SelectMissing:
    """An ingestion wants what the graph lacks or has as a stub only."""

    replaces = False

    def __init__(self, reader: GraphReader, missing: NegativeCache) -> None:
        self._reader = reader
        self._missing = missing

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """See :class:`Comparison`."""
        found: dict[Purl, Verdict] = {ref.purl: "skipped" for ref, _ in batch}
        unread = await self._reader.unread(batch[0][0].label, found)
        missing = await self._missing.filter(list(unread))
        for purl in unread:
            found[purl] = "known_missing" if purl in missing else "wanted"
        return found


class SelectChanged:
    """An update wants what the graph has, unless it has it as new as the feed says.

    ``adds``: packages that the graph lacks are wanted too.
    """

    replaces = True

    def __init__(self, reader: GraphReader, *, adds: bool) -> None:
        self._reader = reader
        self._adds = adds

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """See :class:`Comparison`."""
        purls = [ref.purl for ref, _ in batch]
        etags = await self._reader.read_etags(batch[0][0].label, purls)
        found: dict[Purl, Verdict] = {}
        for ref, change in batch:
            if ref.purl not in etags:
                wanted = self._adds and not change.deleted
                found[ref.purl] = "wanted" if wanted else "unknown"
            elif change.etag and not change.deleted and change.etag == etags[ref.purl]:
                found[ref.purl] = "current"
            else:
                found[ref.purl] = "wanted"
        return found


class SelectAll:
    """A staleness run wants what is on its pages: they were chosen by what the graph has."""

    replaces = False

    async def verdicts(self, batch: Sequence[Named]) -> Mapping[Purl, Verdict]:
        """See :class:`Comparison`."""
        return {ref.purl: "wanted" for ref, _ in batch}


def comparison(
    kind: Kind, reader: GraphReader, missing: NegativeCache, *, adds: bool
) -> Comparison:
    """That of a kind of run; ``adds``: updates want what the graph lacks, too."""
    match kind:
        case "ingestion":
            return SelectMissing(reader, missing)
        case "update":
            return SelectChanged(reader, adds=adds)
        case "staleness":
            return SelectAll()
