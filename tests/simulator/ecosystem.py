"""The interface of a simulated ecosystem: its spellings and its wire format."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, ClassVar, NamedTuple

import orjson

from tests.simulator.history import Event, History, Listed
from tests.simulator.options import Options
from tests.simulator.universe import Link, Package, Release, Requirement, Spelling
from tests.simulator.versions import Number, Stage

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Document:
    """A response of the registry: status, body, media type, further headers."""

    body: bytes
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    gzipped: bool = False
    """Whether it is sent compressed, whatever the client accepts."""
    ranges: bool = False
    """Whether the client may ask for a part of it (RFC 9110, 14)."""
    pieces: Callable[[], Iterable[bytes]] | None = None
    """Makes a large body piece by piece while it is sent; ``body`` is empty then."""

    @classmethod
    def tagged(cls, body: bytes, media_type: str = JSON, **headers: str) -> "Document":
        """A document with a validator, for conditional requests."""
        etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        return cls(
            body,
            media_type,
            headers={k.replace("_", "-"): v for k, v in headers.items()},
            etag=etag,
        )

    @classmethod
    def streamed(
        cls,
        pieces: Callable[[], Iterable[bytes]],
        state: str,
        media_type: str = JSON,
        **headers: str,
    ) -> "Document":
        """A document too large for memory; ``state`` determines its validator."""
        tagged = cls.tagged(state.encode(), media_type, **headers)
        return replace(tagged, body=b"", pieces=pieces)

    def whole(self) -> "Document":
        """The same with its body in memory."""
        return (
            self
            if self.pieces is None
            else replace(self, body=b"".join(self.pieces()), pieces=None)
        )

    @classmethod
    def json(cls, value: Any, **headers: str) -> "Document":
        """A JSON document with a validator."""
        return cls.tagged(orjson.dumps(value), **headers)


def moved(location: str) -> Document:
    """A permanent redirect."""
    return Document(b"", "text/html; charset=UTF-8", status=301, headers={"Location": location})


class Route(NamedTuple):
    """The meaning of a request: the kind of document, the package, and the response.

    ``package`` is a purl, also if the registry does not have the package. ``document`` receives the
    request's headers (case-insensitive).
    """

    endpoint: str
    package: str | None
    document: Callable[[Mapping[str, str]], Document]


class Shelf(ABC):
    """The running registry, as an ecosystem's routes see it."""

    options: Options
    history: History
    """What has happened, and how it is numbered."""
    size: int
    """Indexes in use, also those of packages that are gone; the history has the shown part."""

    @abstractmethod
    def listed(self, events: Sequence[Event] | None = None) -> Iterator[Listed]:
        """All existing packages in the order of their indexes, generated one by one.

        ``events``: the considered part of the history, by default ``history.shown``; registries
            whose
        listing is their feed use ``history.feed``.
        """

    @abstractmethod
    def name_of(self, index: int) -> str:
        """The registry's spelling of a package's name, whether the package exists or not."""

    @abstractmethod
    def package(self, index: int) -> Package | None:
        """The current package with that index; ``None`` if it does not exist."""

    @abstractmethod
    def original(self, index: int) -> Package:
        """The package with that index at the start, or when it was added."""

    @abstractmethod
    def find(self, name: str) -> Package | None:
        """The package with that name, if the registry has it."""

    @abstractmethod
    def page(self, package: Package) -> Any:
        """The ecosystem's :meth:`Ecosystem.page` of a package, kept for a while."""


class Ecosystem(ABC):
    """One registry. A subclass defines its spellings and writes its documents."""

    # Identity ---------------------------------------------------------------------------
    name: ClassVar[str]
    """As the program's settings and queues spell it."""
    prefix: ClassVar[str]
    """First segment of its paths here."""

    # What its packages are like ---------------------------------------------------------
    ordinary: ClassVar[Sequence[Spelling]]
    """Ranges as most packages write them."""
    rare: ClassVar[Sequence[Spelling]]
    """Every other way that the registry lets them be written."""
    styles: ClassVar[int] = 1
    """Ways to spell the same number; a package keeps to one."""
    prerelease_stages: ClassVar[Sequence[Stage]] = (Stage.ALPHA, Stage.BETA, Stage.RC)
    has_post_releases: ClassVar[bool] = False
    has_builds: ClassVar[bool] = False
    has_epochs: ClassVar[bool] = False
    has_empty_packages: ClassVar[bool] = False
    allows_self: ClassVar[bool] = False
    can_yank: ClassVar[bool] = True
    forgets_dates: ClassVar[bool] = False
    """Whether the registry no longer tells when a yanked version was published."""
    unparsable: ClassVar[Sequence[str]] = ()
    unparsable_share: ClassVar[float] = 0.0
    form_of_unparsable: ClassVar[str] = "plain"
    release_forms: ClassVar[Sequence[str]] = ("plain",)
    """Ways to publish a release, the ordinary one first."""
    form_without_metadata: ClassVar[str | None] = None
    """The way whose requirements nobody can know."""
    tells_facts: ClassVar[bool] = False
    """Whether :meth:`facts`, :meth:`edge` and :meth:`dist_tags` say all that is to be known."""
    resolution: ClassVar[timedelta] = timedelta(seconds=1)
    """How exactly the registry writes dates."""

    # Names ------------------------------------------------------------------------------

    @abstractmethod
    def name_of(self, options: Options, index: int) -> str:
        """The registry's own spelling of a package's name; ends in its index in most cases."""

    def name_in_graph(self, options: Options, index: int) -> str:
        """The name for look-ups in the graph: lower case."""
        return self.name_of(options, index).lower()

    def candidates(self, name: str) -> Sequence[int]:
        """Indexes that a package of that name could have; :meth:`name_of` tells whether it has."""
        match = re.search(r"(\d{1,9})$", name)
        return (int(match[1]),) if match else ()

    def normalize(self, name: str) -> str:
        """Equal for all spellings by which the registry finds a package."""
        return name

    def missing_name(self, target: int) -> str:
        """A name that no package has."""
        return f"never-published-{target}"

    @abstractmethod
    def purl(self, name: str) -> str:
        """The package URL that the graph must hold."""

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, str]:
        """The program's settings that make it read this registry."""

    # What packages are made of ----------------------------------------------------------

    @abstractmethod
    def version(self, number: Number, style: int) -> str:
        """Spell a version."""

    @abstractmethod
    def link(self, rng: Random, name: str, owner: str, repository: str) -> Link:
        """Choose the field and form of a package's repository, if any."""

    def no_link(self, name: str) -> Link:
        """The known vendor of a package without a repository."""
        del name
        return Link("", "", "n/a", "n/a")

    def requirement(self, rng: Random, *, plain: bool) -> tuple[Spelling, str]:
        """Choose the spelling of a range, and the form of the requirement."""
        if plain or rng.random() < 0.7:
            return rng.choice(self.ordinary), "plain"
        return rng.choice(self.rare), "plain"

    def settled(
        self, version: str, form: str, requirements: tuple[Requirement, ...]
    ) -> tuple[Requirement, ...]:
        """The real requirement of a release with this version and form."""
        del version, form
        return requirements

    def respell(self, rng: Random, name: str) -> str:
        """A required package's name as another package's author writes it."""
        del rng
        return name

    def noise(self, rng: Random) -> Sequence[tuple[Spelling, str]]:
        """Lines that a plain install ignores."""
        del rng
        return ()

    def release_form(self, rng: Random, number: Number, style: int, *, plain: bool) -> str:
        """Choose how a release is published."""
        del rng, number, style, plain
        return self.release_forms[0]

    def decoys(self, rng: Random, releases: Sequence[Release]) -> tuple[Release, ...]:
        """Entries of the document that are no releases."""
        del rng, releases
        return ()

    def is_unknown(self, release: Release) -> bool:
        """Whether there may be more requirements than anybody can know."""
        return release.form == self.form_without_metadata

    # Facts ------------------------------------------------------------------------------
    #
    # JSON texts of the graph are values here.

    def facts(self, package: Package, release: Release) -> dict[str, Any]:
        """The properties of a version that are neither its name, its date nor its requirements."""
        del package, release
        return {}

    def edge(self, release: Release, requirement: Requirement) -> dict[str, Any]:
        """The properties of a requirement of that release beside its constraints."""
        del release, requirement
        return {}

    def dist_tags(self, package: Package) -> dict[str, str] | None:
        """Versions by tag."""
        del package
        return None

    def import_names(self, package: Package) -> frozenset[str] | None:
        """What code can import from the package's latest release.

        Empty if that contains no code; ``None`` if the registry does not serve its file.
        """
        del package
        return None

    # Wire -------------------------------------------------------------------------------

    @abstractmethod
    def page(self, package: Package, base_url: str) -> Any:
        """What is worth keeping for a package: documents that hang together."""

    @abstractmethod
    def route(self, path: str, shelf: Shelf) -> Route | None:
        """The meaning of a path (percent-encoded, after the prefix, with leading slash)."""

    def answer(self, path: str, query: Mapping[str, str], shelf: Shelf) -> Route | None:
        """The meaning of a request; overridden if the query (decoded) matters."""
        del query
        return self.route(path, shelf)
