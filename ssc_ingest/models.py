"""The model of a package, independent of any registry's wire format and of any store.

Frozen dataclasses: parsed once at the edge, never changed afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

Purl = NewType("Purl", str)
"""A package URL in the canonical spelling of the graph: ``pkg:npm/%40scope/name``."""

VersionName = NewType("VersionName", str)
"""A version exactly as the registry spells it."""

NOT_AVAILABLE = "n/a"
"""The graph's readers expect this text where a value is unknown."""

ANY_VERSION = "any"
"""The constraint that every version satisfies; the graph's readers know no other spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRef:
    """The names of one package. Two spellings of the same package have equal ``purl``.

    The graph's readers look up ``name`` (lower case); requests to the registry use
    ``registry_name``. ``properties`` are further node properties of some ecosystems (Maven:
    ``group_id``, ``artifact_id``).
    """

    ecosystem: str
    label: str
    purl: Purl
    name: str
    registry_name: str
    properties: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A dependency of one version: the package, and the range in its ecosystem's notation."""

    package: PackageRef
    constraints: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One release.

    ``requirements`` is ``None`` for a version whose requirements were not read: the graph has them
    already, or they are unknown.
    """

    name: VersionName
    purl: Purl
    release_date: datetime | None
    requirements: tuple[Requirement, ...] | None
    yanked: bool = False
    provisional: bool = False
    """A document was not available yet: the package's next extraction reads this version again."""
    requirements_unknown: bool = False
    """The registry has no readable statement of the requirements; they are not empty."""

    def __post_init__(self) -> None:
        if self.release_date is not None and self.release_date.tzinfo is None:
            raise ValueError(f"release_date of {self.purl} has no time zone")
        if self.requirements_unknown and self.requirements is not None:
            raise ValueError(f"requirements of {self.purl} are both known and unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The result of one ``fetch``: the package with every version that the registry lists.

    ``vendor`` and ``repository_url`` are ``None`` if the fetch did not read the document that has
    them. The graph then keeps its values, and also its ``name``, since ``ref`` has the caller's
    spelling in that case and not the registry's.

    ``versions`` are in ascending order of their ecosystem. ``latest`` is the highest
    stable version that is not yanked (a prerelease only when nothing else exists), or
    ``None`` for a package without versions. ``etag`` is the validator of the main
    document, for a conditional request next time.
    """

    ref: PackageRef
    vendor: str | None
    repository_url: str | None
    versions: tuple[Version, ...]
    latest: VersionName | None
    fetched_at: datetime
    etag: str | None = None
    import_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.fetched_at.tzinfo is None:
            raise ValueError(f"fetched_at of {self.ref.purl} has no time zone")


class Outcome(StrEnum):
    """How the extraction of a package ended; jobs, runs and metrics count packages by it."""

    EXTRACTED = "extracted"
    """Read from its registry and written."""
    UNCHANGED = "unchanged"
    """The registry has nothing newer than the graph."""
    PRESENT = "present"
    """Another task had already written it."""
    MISSING = "missing"
    """Neither the registry nor the graph has it."""
    GONE = "gone"
    """The registry no longer has it; the graph keeps it."""
    LEFT_OVER = "left_over"
    """Beyond the budget of its job; it stays a stub."""
    FAILED = "failed"
    """In the dead letters."""

    @property
    def coarse(self) -> "Outcome":
        """As jobs and metrics count it: unchanged is extracted, gone is missing."""
        return _COARSE.get(self, self)


_COARSE = {Outcome.UNCHANGED: Outcome.EXTRACTED, Outcome.GONE: Outcome.MISSING}


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)
