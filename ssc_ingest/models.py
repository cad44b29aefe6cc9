"""The model of a package, independent of wire formats and stores.

Frozen dataclasses: parsers create them, and nothing changes them afterwards.
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
"""Stored instead of an unknown value; the graph's readers expect this text."""

ANY_VERSION = "any"
"""The constraint that every version satisfies, in the spelling of the graph's readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRef:
    """The names of one package. All spellings of a package have the same ``purl``.

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
    """A dependency of one version: a package that a plain install of the version may pull.

    There is one per package, so several declarations of a package make one requirement whose
    ``constraints`` are their union.
    """

    package: PackageRef
    constraints: str
    """The range in the ecosystem's notation."""
    kind: str | None = None
    """``build`` (Cargo), ``runtime`` or ``relocation`` (Maven: the version is nothing but a pointer
    to that package); ``None`` for a plain one, and for several kinds."""
    optional: bool = False
    """Whether an install can succeed without it. True of several declarations only if it is true
    of each."""
    declared: str | None = None
    """JSON array with the declarations, if the fields above do not express all of it; see
    :func:`ssc_ingest.ecosystems.declared.declared`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredPackage:
    """A requirement as stored in the graph."""

    label: str
    purl: Purl
    name: str
    registry_name: str
    """Name for requests to its registry; of a stub, the requirement's spelling."""
    is_stub: bool
    optional: bool = False
    declared: str | None = None
    """As :attr:`Requirement.declared`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installable:
    """A version's requirements as stored in the graph, to find the packages of its installation."""

    requirements: tuple[RequiredPackage, ...]
    features: str | None = None
    """As :attr:`Version.features`."""
    extra_requirements: str | None = None
    """As :attr:`Version.extra_requirements`."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A package that an installation fetches, and its selected parts."""

    purl: Purl
    registry_name: str
    parts: frozenset[str] = frozenset()
    """Cargo's features or PyPI's extras, ``default`` for Cargo's default features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One release.

    ``requirements`` is ``None`` for a version whose requirements were not read: the graph has them
    already, or they are unknown. If ``requirements_unknown`` is true, they are only the known ones.
    """

    name: VersionName
    purl: Purl
    release_date: datetime | None
    requirements: tuple[Requirement, ...] | None
    yanked: bool = False
    provisional: bool = False
    """A document was not available yet: the next extraction of the package reads the version
    again."""
    requirements_unknown: bool = False
    """The registry has no readable statement of all requirements: what is not among
    ``requirements`` may be one all the same."""
    requires_python: str | None = None
    """The Python versions that it supports, a PEP 440 specifier (PyPI)."""
    engines: str | None = None
    """The runtimes that it supports, JSON object of ranges by name (npm, RubyGems)."""
    os: tuple[str, ...] = ()
    """The operating systems that it installs on, ``!name`` for all but one (npm)."""
    cpu: tuple[str, ...] = ()
    """The processors that it installs on, as ``os`` (npm)."""
    license: str | None = None
    """What the registry gives as its licence, at most 200 characters."""
    license_spdx: str | None = None
    """The same as a valid SPDX expression, if it is one."""
    deprecated: str | None = None
    """The publisher's advice against it, at most 1,000 characters; yanked versions need none. The
    empty text: none, said by a document that was read for all versions."""
    features: str | None = None
    """JSON object: for each feature, the features and dependencies that it enables (Cargo)."""
    extra_requirements: str | None = None
    """JSON object: for each extra, its requirements as the registry has them (PyPI)."""
    peer_requirements: str | None = None
    """JSON object of the packages that its user must install: ``{name: {"range": ...}}``, with
    ``"optional": true`` if it may be absent (npm)."""

    frameworks: str | None = None
    """JSON array of the target frameworks that it has groups of requirements for, of which an
    install takes one; ``any`` is the group for all others. ``None`` if there is one group for
    every framework, or nothing is required (NuGet)."""
    builds: str | None = None
    """JSON object of its builds by platform, each with its ``requirements`` and ``engines`` as
    JSON objects, if they differ or none is for every platform, ``ruby`` (RubyGems)."""

    def __post_init__(self) -> None:
        if self.release_date is not None and self.release_date.tzinfo is None:
            raise ValueError(f"release_date of {self.purl} has no time zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The result of one ``fetch``: the package with every version that the registry lists.

    ``vendor`` and ``repository_url`` are ``None`` if the fetch did not read their document. The
    graph then keeps its values. It also keeps ``name``, because ``ref`` then has the caller's
    spelling, not the registry's.

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
    """The names that source code imports from ``latest``; empty if the documents do not have them:
    the graph then keeps its names."""
    guessed_import_name: str | None = None
    """The import name of a package of which the graph has none."""
    dist_tags: str | None = None
    """JSON object: versions by tag, of registries that have tags (npm)."""

    def __post_init__(self) -> None:
        if self.fetched_at.tzinfo is None:
            raise ValueError(f"fetched_at of {self.ref.purl} has no time zone")


class Outcome(StrEnum):
    """The result of the work on a package; jobs, runs and metrics count packages by outcome."""

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
        """The coarser outcome of jobs and metrics: unchanged is extracted, gone is missing."""
        return _COARSE.get(self, self)


_COARSE = {Outcome.UNCHANGED: Outcome.EXTRACTED, Outcome.GONE: Outcome.MISSING}


def now() -> datetime:
    """The current time, with the time zone UTC."""
    return datetime.now(UTC)
