"""The true packages, releases and requirements, as pure functions of the seed.

This module parses no version or range. Releases are generated in ascending order, and requirements
are chosen from tables of pairs (the registry's spelling, the graph's spelling), so the correct data
is known before a document is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.simulator.options import Amount, Options
from tests.simulator.versions import FIRST_RELEASES, Number, Stage, ascending, dates
from tests.simulator.words import OWNERS

if TYPE_CHECKING:
    from tests.simulator.ecosystem import Ecosystem

POPULARITY = 2.5
"""A requirement's target is ``limit * u ** POPULARITY``, u even in [0, 1): the low indexes are
required by very many packages, as in every registry."""

CORE = 4
"""The first ``CORE * requirements`` packages require each other; all others require packages of
lower index, so that closures stay small."""

UPWARD = 0.05
"""Share of packages that also require one of higher index: cycles."""


class Bounds(NamedTuple):
    """The numbers in a range."""

    major: int
    minor: int
    patch: int


class Spelling(NamedTuple):
    """A range in the registry's and in the graph's spelling (None: not in the graph).

    Both are format strings with ``M m p`` (major, minor, patch), ``M1 m1 p1`` (each plus one) and
    ``n`` (the required package's name).
    """

    wire: str
    graph: str | None
    text: str | None = None


def written(spelling: Spelling, bounds: Bounds, name: str) -> tuple[str, str | None, str | None]:
    """The registry's text, and the graph's text."""
    major, minor, patch = bounds
    numbers = {"M": major, "m": minor, "p": patch, "n": name}
    numbers |= {"M1": major + 1, "m1": minor + 1, "p1": patch + 1}
    wire, graph, text = (None if each is None else each.format_map(numbers) for each in spelling)
    assert wire is not None
    return wire, graph, text


class Requirement(NamedTuple):
    """A line of a release's metadata. ``target`` is -1 for a package that does not exist."""

    target: int
    purl: str
    name: str
    wire: str
    constraint: str | None
    form: str
    text: str | None = None
    """What ``declared`` has as its range."""


class Link(NamedTuple):
    """A field with a repository, and the address that results."""

    field: str
    wire: str
    repository_url: str
    vendor: str


@dataclass(frozen=True, slots=True)
class Release:
    """One version.

    ``stage`` is ``None`` for an unparsable version; ``form`` is the kind of publication; ``noise``
    are lines of its metadata that make no edge.
    """

    version: str
    released: datetime
    stage: Stage | None
    yanked: bool
    form: str
    requirements: tuple[Requirement, ...]
    noise: tuple[Requirement, ...] = ()

    @property
    def stable(self) -> bool:
        """Whether a plain install may select it."""
        return self.stage is not None and self.stage >= Stage.FINAL

    @property
    def prerelease(self) -> bool:
        """Whether it precedes a final release."""
        return self.stage is not None and self.stage < Stage.FINAL


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package; ``releases`` in serial order (unparsable versions first).

    ``decoys`` are entries of the document that are no releases: unpublished ones, or lines in a
    future format.
    """

    ecosystem: str
    index: int
    name: str
    """As the registry spells it."""
    name_in_graph: str
    purl: str
    releases: tuple[Release, ...]
    link: Link
    decoys: tuple[Release, ...] = ()
    forgets_dates: bool = False
    """Whether nobody can know when a yanked release came out."""
    edition: int = 0
    """Grows with every release made at run time."""
    sequence: int = 0
    """Number of its last event in the running registry; see :mod:`tests.simulator.history`."""

    @cached_property
    def latest(self) -> Release | None:
        """Highest stable and not yanked, else not yanked, else stable, else highest."""
        for acceptable in (
            [r for r in self.releases if r.stable and not r.yanked],
            [r for r in self.releases if not r.yanked],
            [r for r in self.releases if r.stable],
            self.releases,
        ):
            if acceptable:
                return acceptable[-1]
        return None

    @cached_property
    def targets(self) -> frozenset[int]:
        """Indexes of the packages that any release requires; -1 for missing ones."""
        return frozenset(r.target for release in self.releases for r in release.requirements)


class _Wish(NamedTuple):
    """A requirement of all versions of a package, with growing bounds."""

    target: int
    name: str
    purl: str
    spelling: Spelling
    bounds: Bounds
    form: str

    def at(self, era: int) -> Requirement:
        """As the versions of one era write it."""
        major, minor, patch = self.bounds
        bounds = Bounds(major, minor + era, patch)
        wire, constraint, text = written(self.spelling, bounds, self.name)
        return Requirement(self.target, self.purl, self.name, wire, constraint, self.form, text)


class _Demand(NamedTuple):
    """The requirements of a package's versions: ``each`` of the wishes, and the noise."""

    each: int
    wishes: Sequence[_Wish]
    noise: tuple[Requirement, ...]

    def at(self, position: int) -> tuple[Requirement, ...]:
        """What the version at a position requires: members and bounds change as time goes by."""
        start = min(len(self.wishes) - self.each, position // 10)
        return tuple(w.at(position // 6) for w in self.wishes[start : start + self.each])


class Universe:
    """All packages of one ecosystem, generated anew on every call."""

    def __init__(self, ecosystem: "Ecosystem", options: Options) -> None:
        self.ecosystem = ecosystem
        self.options = options
        self._versions = Amount.parse(options.versions)
        self._requirements = Amount.parse(options.requirements)
        self.name_of = lru_cache(maxsize=1 << 16)(self._name_of)

    def _name_of(self, index: int) -> str:
        return self.ecosystem.name_of(self.options, index)

    def index_of(self, name: str) -> int | None:
        """The package of a spelling, in a universe without end."""
        normalize = self.ecosystem.normalize
        for index in self.ecosystem.candidates(name):
            if normalize(self.name_of(index)) == normalize(name):
                return index
        return None

    def package(self, index: int) -> Package:
        """The package with that index, before any edit."""
        eco, plain = self.ecosystem, self.options.plain
        rng = Random(f"{self.options.seed}/{eco.name}/{index}")
        name = self.name_of(index)
        owner, repository = f"{rng.choice(OWNERS)}{rng.randrange(1000)}", f"repo{index}"
        link = eco.link(rng, name, owner, repository)
        count = self._versions.draw(rng)
        if rng.random() < self.options.empty and eco.has_empty_packages:
            count = 0
        if self.options.huge and index == self.options.packages - 1:
            count = self.options.huge
        demand = self._demand(rng, index, name)
        releases = tuple(self._releases(rng, count, demand))
        decoys: tuple[Release, ...] = ()
        if releases and not plain:
            decoys = eco.decoys(rng, releases)
        return Package(
            ecosystem=eco.name,
            index=index,
            name=name,
            name_in_graph=eco.name_in_graph(self.options, index),
            purl=eco.purl(name),
            releases=releases,
            link=link if releases else eco.no_link(name),
            decoys=decoys,
            forgets_dates=eco.forgets_dates,
        )

    def successor(self, package: Package, requirements: int | None = None) -> Release:
        """A possible next release of a package: a new major version, a day after its last one.

        ``requirements``: their number, by default that of the package's versions.
        """
        rng = Random(f"{self.options.seed}/{package.purl}/{package.edition}")
        demand = self._demand(rng, package.index, package.name, count=requirements)
        last = max((r.released for r in package.releases), default=FIRST_RELEASES)
        number = Number(0, 5000 + package.edition, 0, 0)
        if package.releases and "!" in package.releases[-1].version:
            number = number._replace(epoch=1)
        version, form = self.ecosystem.version(number, style=0), self.ecosystem.release_forms[0]
        return Release(
            version=version,
            released=last + timedelta(days=1),
            stage=Stage.FINAL,
            yanked=False,
            form=form,
            requirements=self.ecosystem.settled(version, form, demand.at(0)),
        )

    # Requirements -----------------------------------------------------------------------

    def _demand(self, rng: Random, index: int, name: str, *, count: int | None = None) -> _Demand:
        """Two more requirements than a version has, so that versions differ."""
        eco, plain = self.ecosystem, self.options.plain
        if count is None:
            count = self._requirements.draw(rng)
        targets = self._targets(rng, index, count)
        wishes = [self._wish(rng, target) for target in targets]
        noise = () if plain else tuple(self._noise(rng, index, targets))
        if wishes and not plain and eco.allows_self and rng.random() < 0.02:
            ordinary = eco.ordinary[0]
            wishes[0] = _Wish(index, name, eco.purl(name), ordinary, Bounds(1, 0, 0), "plain")
        return _Demand(min(count, len(wishes)), wishes, noise)

    def _wish(self, rng: Random, target: int) -> _Wish:
        eco = self.ecosystem
        name = self.name_of(target)
        if rng.random() < self.options.missing:
            target, name = -1, eco.missing_name(target)
        spelling, form = eco.requirement(rng, plain=self.options.plain)
        bounds = Bounds(rng.randint(1, 3), rng.randrange(6), rng.randrange(6))
        return _Wish(target, eco.respell(rng, name), eco.purl(name), spelling, bounds, form)

    def _noise(self, rng: Random, index: int, targets: Sequence[int]) -> Iterator[Requirement]:
        for spelling, form in self.ecosystem.noise(rng):
            # Sometimes the same package is required for real as well: only that line counts.
            target = rng.choice(targets) if targets and rng.random() < 0.3 else index
            if target == index:
                target = rng.randrange(self.options.packages)
            name = self.name_of(target)
            purl = self.ecosystem.purl(name)
            yield _Wish(target, name, purl, spelling, Bounds(9, 9, 9), form).at(0)

    def _targets(self, rng: Random, index: int, count: int) -> list[int]:
        size = self.options.packages
        if count == 0 or size < 2:
            return []
        limit = min(size, max(index, CORE * count + 3))
        wanted = min(count + 2, limit - (index < limit))
        chosen: dict[int, None] = {}
        if index + 1 < size and rng.random() < UPWARD:
            chosen[rng.randrange(index + 1, size)] = None
        while len(chosen) < wanted:
            target = int(limit * rng.random() ** POPULARITY)
            if target != index:
                chosen[target] = None
        return list(chosen)

    # Releases ---------------------------------------------------------------------------

    def _releases(self, rng: Random, count: int, demand: _Demand) -> Iterator[Release]:
        eco, plain = self.ecosystem, self.options.plain
        style = rng.randrange(eco.styles)
        unparsable: Sequence[str] = ()
        if not plain and count > 1 and rng.random() < eco.unparsable_share:
            unparsable = sorted(rng.sample(eco.unparsable, k=min(2, count - 1)))
        numbers = ascending(rng, eco, count - len(unparsable), plain=plain)
        released = dates(rng, count, eco.resolution)
        if len(numbers) > 3 and rng.random() < 0.15 and not any(n.build for n in numbers):
            # A fix of an old line after the new one: the order of dates is not that of versions.
            early, late = len(unparsable) + len(numbers) // 3, count - 1
            released[early], released[late] = released[late], released[early]
        yanking = 0.15 if eco.can_yank and rng.random() < 0.3 else 0.0
        requirements: tuple[Requirement, ...] = ()
        for position in range(count):
            if position < len(unparsable):
                version, form = unparsable[position], eco.form_of_unparsable
                stage = None
            else:
                number = numbers[position - len(unparsable)]
                version, stage = eco.version(number, style), number.stage
                form = eco.release_form(rng, number, style, plain=plain)
            if position % 2 == 0:
                # Versions share what they require, as objects too: it is most of the memory.
                requirements = demand.at(position)
            yield Release(
                version=version,
                released=released[position],
                stage=stage,
                yanked=rng.random() < yanking,
                form=form,
                requirements=(
                    ()
                    if form == eco.form_without_metadata
                    else eco.settled(version, form, requirements)
                ),
                noise=demand.noise,
            )
