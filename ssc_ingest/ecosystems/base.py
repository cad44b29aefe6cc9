"""The interface of an ecosystem: the only file that the author of a registry module must read.

A registry module defines one subclass of :class:`Ecosystem` with its :class:`Identity`. The program
computes everything else per ecosystem (queues, routes, settings, CLI choices, graph label, indexes,
rate limits) from these two.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from packageurl import PackageURL

from ssc_ingest.ecosystems.endpoints import Endpoint, Endpoints, Option
from ssc_ingest.ecosystems.manifests import check_constraints, check_name
from ssc_ingest.models import (
    ANY_VERSION,
    Installable,
    Installed,
    Package,
    PackageRef,
    Purl,
    Version,
    VersionName,
)

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A registry's names in all systems; no other part of the program contains them."""

    name: str
    """Name inside the program: queue prefix, setting prefix, CLI choice (``cargo``)."""
    title: str
    """Name for people (``crates.io``)."""
    label: str
    """Graph label of its packages (``CargoPackage``)."""
    purl_type: str
    osv_name: str
    """Ecosystem name in OSV records (``crates.io``)."""
    endpoints: tuple[Endpoint, ...]
    """The endpoints; the first one has the packages' own documents."""
    ingestion_hour: int = 8
    """Hour at which its weekly ingestion starts, on Sundays, if that is enabled."""
    update_hour: int = 22
    """Hour at which its daily update starts. Registries have different hours, so that their runs do
    not overlap; no built-in registry uses these two defaults."""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModified:
    """The registry's document has not changed since the graph read it (HTTP 304)."""

    fetched_at: datetime


Hints = tuple[str, ...]
"""Facts about a package from a listing or feed: at most five short texts. Like a cursor, they are
opaque to everything but their registry's module, which receives them in
:attr:`FetchRequest.hints`."""

Links = Hints
"""The earlier name, for plug-ins that import it."""


@dataclass(frozen=True, slots=True)
class NamesPage:
    """A part of the listing of a whole registry."""

    repeats: ClassVar[bool] = False
    """Whether other pages of the listing may repeat the names."""

    names: tuple[str, ...]
    """In the registry's spelling, each once per page; the caller skips invalid names."""
    cursor: str
    """Continues the listing after this page, in any process and at any later time."""
    total: int | None = None
    """Number of names in the whole listing, if known."""
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By name; only facts that the package's own document lacks."""


@dataclass(frozen=True, slots=True)
class Change:
    """A package that its registry's feed reports as changed."""

    name: str
    deleted: bool = False
    expected: str | None = None
    """A serial, version or digest of the package's document that is at least as new as the feed.
    Only the ecosystem's own ``fetch`` reads it."""
    etag: str | None = None
    """The validator of the package's document, if the feed has it: if the graph has the same
    validator, it is up to date."""
    hints: Hints | None = None
    """As in :attr:`NamesPage.hints`; ``None`` if the feed has no more facts."""


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A part of a feed; a package may occur on several pages, but only once per page."""

    changes: tuple[Change, ...]
    cursor: str
    """Continues the feed after this page."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One package to read, with the facts that are already known."""

    ref: PackageRef
    _: KW_ONLY
    known: Collection[VersionName] = ()
    """Versions whose requirements the graph has. If requirements cost a request per version,
    ``fetch`` skips these (their ``requirements`` are ``None``)."""
    reread: Collection[VersionName] = ()
    """Further versions that the graph has, which ``fetch`` reads again, listed or not."""
    etag: str | None = None
    """Validator of the document that the graph has read. If the document has not changed, ``fetch``
    returns :class:`NotModified`."""
    full: bool = False
    """A caller named this package, so ``fetch`` may send one more request for facts that the main
    document lacks."""
    expected: str | None = None
    """The :attr:`Change.expected` of the change that led to this request."""
    hints: Hints | None = None
    """The hints of the listing or feed that led to this request; ``None`` without any."""


class Ecosystem(ABC):
    """One registry: how its packages are named, ordered, listed and read.

    Instances belong to one event loop (they hold a client). Everything that needs no network is a
    class method, so that it works without a client.
    """

    identity: ClassVar[Identity]
    requests_per_package: ClassVar[float] = 1.0
    """Average requests for a package that is new to the graph; an estimate for dry runs."""
    default_parts: ClassVar[frozenset[str] | None] = None
    """Parts of a package (features, extras) that an installation selects unless it says otherwise;
    ``None`` where packages have no parts."""
    needs_name_for_links: ClassVar[bool] = False
    """Whether the repository is read only if a caller names the package (or with hints)."""
    reads_each_version: ClassVar[bool] = False
    """Whether the requirements of a version cost a request of their own."""
    range_class: ClassVar[Any | None] = None
    """The class of univers by which the graph's readers evaluate :meth:`constraints`; ``None`` if
    they have none, and take every version."""
    reads_import_names: ClassVar[bool] = False
    """Whether :meth:`read_import_names` reads files; otherwise a package has the import names of
    its documents, or else the fall-back name."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
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
        """The registry's spelling of a package's name, if its node in the graph has it."""
        return str(properties.get("registry_name") or properties.get("name") or "")

    @classmethod
    def manifest_entry(cls, name: str, constraints: str) -> tuple[PackageRef, str]:
        """The package that an entry of a project's manifest requires, and the range of it.

        Args:
            name: as the manifest has it.
            constraints: as the manifest has them; empty without any.

        Raises:
            InvalidName: the entry names no package of this registry; the text says what it is.
        """
        check_name(name)
        check_constraints(name, constraints)
        return cls.ref(name), constraints

    @classmethod
    def version_purl(cls, ref: PackageRef, version: str) -> Purl:
        """Package purl + ``@`` + percent-encoded version (``1.0+b`` -> ``@1.0%2Bb``)."""
        return Purl(f"{ref.purl}@{quote(version, safe='')}")

    @classmethod
    def advisory_name(cls, name: str) -> str:
        """The spelling under which advisories of a package are found: equal for equal packages.

        Both the name in an advisory and the registry's name of a package are spelled like this.
        Letters outside ASCII are never folded: look-alikes of a name are other packages.
        """
        return name

    # Versions ---------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def sort_key(cls, version: str) -> Any:
        """A value that orders this ecosystem's versions, or ``None`` if it cannot be parsed."""

    @classmethod
    @abstractmethod
    def is_prerelease(cls, version: str) -> bool:
        """Whether a plain installation would skip this version (``False`` if unparsable)."""

    @classmethod
    def version_name(cls, text: str) -> VersionName:
        """The graph's spelling of a version that is spelled by the registry or a person."""
        return VersionName(text)

    @classmethod
    def constraints(cls, *texts: str) -> str:
        """Requirements on one package, one or more, read as the registry's tools do.

        The result fits :attr:`~ssc_ingest.models.Requirement.constraints`; translating it again
        does not change it. Several texts give the smallest range around them that the graph can
        express; an unreadable text means any version.
        """
        del texts
        return ANY_VERSION

    @classmethod
    def order(cls, versions: Iterable[tuple[VersionName, str | None]]) -> list[VersionName]:
        """Version names in serial-number order; the input is (name, ISO release date or None).

        Versions that cannot be parsed come first. These, and versions with equal keys, are ordered
        by release date, then by text. The readers' solver compares versions by this order.
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
        """The version that an installation selects: the highest stable one that is not yanked.

        If there is none, the highest one that is not yanked; if all are yanked, the highest stable
        one, otherwise the highest one.
        """

        def is_stable(version: Version) -> bool:
            return cls.sort_key(version.name) is not None and not cls.is_prerelease(version.name)

        offered = [version for version in ordered if not version.yanked] or ordered
        stable = next((v for v in reversed(offered) if is_stable(v)), None)
        return stable.name if stable else offered[-1].name if offered else None

    @classmethod
    def installs(cls, version: Installable, parts: frozenset[str]) -> list[Installed]:
        """The direct requirements that an installer would install for a version, each once.

        Args:
            version: its requirements and tables from the graph.
            parts: the parts of the package that the installation selects.
        """
        del parts
        return [Installed(each.purl, each.registry_name) for each in version.requirements]

    # Advisories -------------------------------------------------------------------------
    #
    # An advisory's author means the ecosystem's own order, which can differ from the one of the
    # graph's readers: Maven takes 4.3.15 and 4.3.15.RELEASE for equal. Records of advisories are
    # anybody's text, so these methods accept any text and raise nothing.

    @classmethod
    def own_order(cls, version: str) -> Any | None:
        """The position of a version in the ecosystem's own order, ``None`` for other texts.

        Only a text with a position can be a bound of an advisory's range.
        """
        return cls.sort_key(version)

    @classmethod
    def advisory_key(cls, version: str) -> Any:
        """The position of any text in the ecosystem's own order.

        Texts that are not versions come before all versions.
        """
        key = cls.own_order(version)
        return (0, version) if key is None else (1, key)

    # The registry as a whole ------------------------------------------------------------
    #
    # A cursor is text that only its ecosystem understands (JSON of a few fields). The caller stores
    # a page's content before the page's cursor, and may stop anywhere. All methods raise
    # RateLimited and RegistryUnavailable (continue at the last cursor, later) and
    # MalformedMetadata; an error page, an empty body or a broken transfer never counts as the end.

    @abstractmethod
    def list_names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All packages of the registry, page by page, in bounded memory.

        Args:
            cursor: continue after the page of this cursor; ``None``: start.

        Raises:
            CursorExpired: the listing can only be restarted.
        """

    @abstractmethod
    async def feed_end(self) -> str:
        """The cursor at the current end of the feed, from which no later change is missed."""

    @abstractmethod
    def list_changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Changes since the cursor; ends at the current end of the feed.

        Raises:
            CursorExpired: the feed may have lost changes since then (its sequence was reset, or
                its window is too short); only a whole listing can find them.
        """

    # One package ------------------------------------------------------------------------

    @abstractmethod
    async def fetch(self, request: FetchRequest) -> Package | NotModified:
        """Read one package with all its versions and their requirements.

        Raises:
            PackageNotFound: the registry does not have it.
            StaleAnswer: the document is older than ``expected`` says.
            RateLimited, RegistryUnavailable: retry later.
            MalformedMetadata, ResponseTooLarge: a retry cannot help.
        """

    @classmethod
    @abstractmethod
    def fallback_import_name(cls, ref: PackageRef) -> str:
        """The name that source code most likely imports, guessed from the package's name."""

    async def read_import_names(self, ref: PackageRef, version: VersionName) -> frozenset[str]:
        """The names that source code can import from one version, by what its files contain.

        Empty if the version has nothing that can be imported. The names are in no order, without
        a limit, and may contain any character.

        Raises:
            PackageNotFound: the registry does not have the version or its file.
            RateLimited, RegistryUnavailable: retry later.
            MalformedArchive, MalformedMetadata, ResponseTooLarge: a retry cannot help.
        """
        del version
        return frozenset({self.fallback_import_name(ref)})
