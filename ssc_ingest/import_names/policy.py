"""Decides which import names an extraction writes, and which a separate task reads."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.import_names.rules import select
from ssc_ingest.models import VersionName

ReadVersions = Literal["latest", "all", "none"]


@dataclass(frozen=True, slots=True)
class NamesPolicy:
    """The settings of import names for extractions."""

    most: int
    """Maximum names of a package."""
    read: ReadVersions
    """The versions whose names are read from their files after an extraction."""

    def stored(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names to store of those in a package's documents."""
        return select(names, self.most).names

    def unread(
        self,
        ecosystem: Ecosystem,
        *,
        latest: VersionName | None,
        names_from: VersionName | None,
        new: Collection[VersionName] = (),
    ) -> tuple[VersionName | None, ...]:
        """The versions whose names must be read from their files; ``None`` is the latest one.

        Args:
            ecosystem: of the package.
            latest: its latest version.
            names_from: the version that the graph's names are of.
            new: versions that the graph lacked.
        """
        if self.read == "none" or not ecosystem.reads_import_names or latest is None:
            return ()
        others = sorted(set(new) - {latest}) if self.read == "all" else ()
        return tuple(others) if names_from == latest else (None, *others)
