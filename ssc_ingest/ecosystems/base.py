"""What an ecosystem is: the only file that the author of a registry module must read.

A registry module defines one subclass of :class:`Ecosystem` with its :class:`Identity`.
Everything else that the program has per ecosystem (queues, routes, settings, CLI choices,
graph label, indexes, rate limits) is computed from these two.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from packageurl import PackageURL

from ssc_ingest.ecosystems.endpoints import Endpoint, Endpoints, Option
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.models import ANY_VERSION, Package, PackageRef, Purl, Version, VersionName


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a registry is, in every outside spelling; nothing else in the program spells these."""

    name: str
    """Inside spelling: queue prefix, setting prefix, CLI choice (``cargo``)."""
    title: str
    """For people (``crates.io``)."""
    label: str
    """Graph label of its packages (``CargoPackage``)."""
    purl_type: str
    osv_name: str
    """Ecosystem name in OSV records (``crates.io``)."""
    endpoints: tuple[Endpoint, ...]
    """The first is where packages' own documents are."""
    ingestion_hour: int = 8
    """When its weekly ingestion begins, on Sundays, if that is switched on."""
    update_hour: int = 22
    """When its daily update begins. Registries have hours of their own, so that their runs do
    not overlap; these two are free for one more."""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModified:
    """The registry's document is the one that the graph already holds (HTTP 304)."""

    fetched_at: datetime


Hints = tuple[str, ...]
"""What a listing or feed says about a package beyond its name. Like a cursor, it is opaque to
everything but its registry's module, which finds it in :attr:`FetchRequest.hints`: at most five
short texts."""


@dataclass(frozen=True, slots=True)
class NamesPage:
    """A part of the listing of a whole registry."""

    repeats: ClassVar[bool] = False
    """Whether other pages of the listing may have the same names."""

    names: tuple[str, ...]
    """In the registry's spelling, each once on a page; who asked leaves out what is no name."""
    cursor: str
    """Where to go on after this page, in whatever process and however much later."""
    total: int | None = None
    """Names in the whole listing, as soon as it is known."""
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By name; only what the package's own document does not say."""


@dataclass(frozen=True, slots=True)
class Change:
    """A package about which its registry's feed has something new."""

    name: str
    deleted: bool = False
    expected: str | None = None
    """What the package's own document has as soon as it is as new as the feed: a serial, a
    version, a digest. Only the ecosystem's own ``fetch`` reads it."""
    etag: str | None = None
    """The validator of the package's document, where the feed tells: what was read with it
    is in the graph already."""
    hints: Hints | None = None
    """As in :attr:`NamesPage.hints`; ``None`` if the feed says nothing more."""


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A part of a feed; a package may occur on several pages, but once on each."""

    changes: tuple[Change, ...]
    cursor: str
    """Where to go on after this page."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One package to read, and what is known about it already."""

    ref: PackageRef
    _: KW_ONLY
    known: Collection[VersionName] = ()
    """Versions whose requirements the graph has. Where reading requirements costs a request per
    version, ``fetch`` skips these (their ``requirements`` are ``None``)."""
    etag: str | None = None
    """Validator of the document that the graph was filled from. If the registry says that it is
    still current, ``fetch`` returns :class:`NotModified`."""
    full: bool = False
    """Somebody requested this package by name, so one more request for facts that the main
    document lacks is well spent."""
    expected: str | None = None
    """The :attr:`Change.expected` of the change that led to this request."""
    hints: Hints | None = None
    """The hints of the listing or feed that led to this request; ``None`` without any."""


class Ecosystem(ABC):
    """One registry: how its packages are named, ordered, listed and read.

    Instances belong to one event loop (they hold a client); what needs no network is a
    class method, so that it works without one.
    """

    identity: ClassVar[Identity]
    requests_per_package: ClassVar[float] = 1.0
    """Requests that a package new to the graph costs on average; an estimate for dry runs."""
    reads_import_names: ClassVar[bool] = False
    """Whether :meth:`import_names` sends requests, so that its results are worth caching."""

    def __init__(self, client: RegistryClient, endpoints: Endpoints) -> None:
        self.client = client
        self.endpoints = endpoints

    # Names ------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def ref(cls, name: str) -> PackageRef:
        """The package of that name, in any spelling that the registry accepts.

        Raises:
            InvalidName: the text cannot be a package name here (also: path tricks, control
                characters, more characters than the registry allows).
        """

    @classmethod
    def name_from_purl(cls, purl: PackageURL) -> str:
        """The registry's name for a package URL of this type (namespace and name joined)."""
        return f"{purl.namespace}/{purl.name}" if purl.namespace else str(purl.name)

    @classmethod
    def name_of_node(cls, properties: Mapping[str, Any]) -> str:
        """The registry's spelling of a package's name, as far as its node in the graph tells."""
        return str(properties.get("registry_name") or properties.get("name") or "")

    @classmethod
    def version_purl(cls, ref: PackageRef, version: str) -> Purl:
        """Package purl + ``@`` + percent-encoded version (``1.0+b`` -> ``@1.0%2Bb``)."""
        return Purl(f"{ref.purl}@{quote(version, safe='')}")

    # Versions ---------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def sort_key(cls, version: str) -> Any:
        """A value that orders this ecosystem's versions, or ``None`` if it cannot be parsed."""

    @classmethod
    @abstractmethod
    def is_prerelease(cls, version: str) -> bool:
        """Whether a plain install would pass this version over (``False`` if unparsable)."""

    @classmethod
    def version_name(cls, text: str) -> VersionName:
        """The graph's spelling of a version that the registry, or somebody, spells like this."""
        return VersionName(text)

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Requirements on one package, one or more, read as the registry's tools do.

        What :attr:`~ssc_ingest.models.Requirement.constraints` may hold, and so also what it
        holds already: that is its own constraint. Several texts make the smallest range around
        them that the graph can express; a text that nobody can read means any version.
        """
        del texts
        return ANY_VERSION

    @classmethod
    def order(cls, versions: Iterable[tuple[VersionName, str | None]]) -> list[VersionName]:
        """Version names in serial-number order; the input is (name, ISO release date or None).

        Versions that cannot be parsed come first; they and ties are ordered by release
        date, then text. The readers' solver compares by this order.
        """
        unparsable: list[tuple[str, VersionName]] = []
        parsed: list[tuple[Any, str, VersionName]] = []
        for name, date in versions:
            key = cls.sort_key(name)
            if key is None:
                unparsable.append((date or "", name))
            else:
                parsed.append((key, date or "", name))
        unparsable.sort()
        # Two sorts instead of one key tuple: equal keys need not be equal objects to be ties.
        parsed.sort(key=lambda row: row[1:])
        parsed.sort(key=lambda row: row[0])
        return [row[-1] for row in unparsable] + [row[-1] for row in parsed]

    @classmethod
    def by_date(cls, dates: Mapping[VersionName, datetime | None]) -> list[VersionName]:
        """Version names in serial-number order, from their release dates; see :meth:`order`."""
        return cls.order((name, date.isoformat() if date else None) for name, date in dates.items())

    @classmethod
    def latest(cls, ordered: Sequence[Version]) -> VersionName | None:
        """The version an install would take: highest stable, not yanked; else the nearest to it."""

        def is_stable(version: Version) -> bool:
            parsed = cls.sort_key(version.name) is not None
            return parsed and not cls.is_prerelease(version.name) and not version.yanked

        by_preference = (is_stable, lambda version: not version.yanked, lambda _: True)
        for acceptable in by_preference:
            for version in reversed(ordered):
                if acceptable(version):
                    return version.name
        return None

    # The registry as a whole ------------------------------------------------------------
    #
    # A cursor is text that only its ecosystem understands (JSON of a few fields). Who lists
    # makes safe what is on a page before the page's cursor is stored, and may stop anywhere.
    # All raise RateLimited and RegistryUnavailable (go on at the last cursor, later) and
    # MalformedMetadata; none takes an error page, an empty body or a broken transfer for the end.

    @abstractmethod
    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All packages of the registry, page by page, in bounded memory.

        Args:
            cursor: that of a page; the listing goes on behind it. ``None`` begins.

        Raises:
            CursorExpired: the listing can only be begun again.
        """

    @abstractmethod
    async def feed_end(self) -> str:
        """The cursor at the present end of the feed: from here on, nothing is missed."""

    @abstractmethod
    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """What has changed since the cursor; ends when caught up.

        Raises:
            CursorExpired: the feed may have lost something since then (its sequence was reset,
                its window is too short); only the whole listing can tell what.
        """

    # One package ------------------------------------------------------------------------

    @abstractmethod
    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read one package with all its versions and their requirements.

        Raises:
            PackageNotFound: the registry does not have it.
            StaleAnswer: the document is older than ``expected`` says.
            RateLimited, RegistryUnavailable: try again later.
            MalformedMetadata, ResponseTooLarge: a retry cannot help.
        """

    @classmethod
    @abstractmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """What source code most likely imports, guessed from the name alone."""

    async def import_names(self, package: Package, version: VersionName) -> tuple[str, ...]:
        """Sorted importable names of one version; the fall-back name where none are known."""
        del version
        return (self.fallback_import_name(package.ref),)
