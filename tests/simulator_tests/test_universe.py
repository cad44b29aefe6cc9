"""Simulated packages depend only on the seed and have the requested shape.

Their versions are correctly ordered.
"""

import re
from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import semantic_version  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version
from univers.versions import MavenVersion, NugetVersion, RubygemsVersion

from tests.simulator import crates, npm_documents, rubygems
from tests.simulator.maven import poms as maven
from tests.simulator.nuget import documents as nuget
from tests.simulator.options import Amount, Options
from tests.simulator.pypi import documents as pypi
from tests.simulator.registries import ECOSYSTEMS, open_registry
from tests.simulator.registry import KEPT_PACKAGES
from tests.simulator.traits import TRAITS, traits
from tests.simulator.truth import closure, truth_of
from tests.simulator.universe import Package, Universe


def packages(ecosystem: str, count: int = 200, **options: Any) -> list[Package]:
    """The first packages of a universe."""
    universe: Universe = open_registry(ecosystem, **options).universe
    return [universe.package(index) for index in range(count)]


every_ecosystem = pytest.mark.parametrize("ecosystem", [cls.name for cls in ECOSYSTEMS])


@every_ecosystem
def test_the_same_seed_gives_the_same_packages(ecosystem: str) -> None:
    """A universe depends only on its options, not on earlier calls."""
    one, other = open_registry(ecosystem).universe, open_registry(ecosystem).universe
    other.package(500)
    assert [one.package(i) for i in range(50)] == [other.package(i) for i in range(50)]
    assert packages(ecosystem, 50, seed=8) != packages(ecosystem, 50)


@every_ecosystem
def test_the_same_seed_gives_the_same_bytes(ecosystem: str) -> None:
    """Two simulators with one seed serve equal documents."""

    def documents() -> list[bytes]:
        registry = open_registry(ecosystem)
        found = []
        for package in filter(None, map(registry.package, range(30))):
            match registry.page(package):
                case pypi.Page() as page:
                    found += [page.simple_json.body, page.simple_html("text/html").body]
                    found += [document.body for document in page.metadata.values()]
                case npm_documents.Page() as page:
                    found += [page.full.body, page.abbreviated.body]
                case crates.Page() as page:
                    found += [page.index.body, *map(page.crate, package.releases)]
                case maven.Page() as page:
                    found.append(page.metadata.body)
                    poms = (page.pom(page.artifact, r.version) for r in package.releases)
                    found += [document.body for document in poms if document]
                case nuget.Page() as page:
                    found += [page.index.body, *(page.body for page in page.pages.values())]
                    found += [page.nuspec(r.version.lower()).body for r in package.releases]
                case rubygems.Page() as page:
                    found += [page.info.body, page.versions.body, page.gem.body]
        return found

    first = documents()
    assert len(first) >= 30
    assert documents() == first


@every_ecosystem
@given(index=st.integers(0, 10_000_000), seed=st.integers(0, 3), plain=st.booleans())
def test_a_name_leads_back_to_its_package(
    ecosystem: str, index: int, seed: int, *, plain: bool
) -> None:
    """There is no table of names: the server finds a package by its name alone."""
    universe = open_registry(ecosystem, seed=seed, plain=plain).universe
    assert universe.index_of(universe.name_of(index)) == index


@every_ecosystem
def test_names_are_distinct(ecosystem: str) -> None:
    """No two packages share a name or a purl."""
    universe = open_registry(ecosystem, packages=5_000).universe
    names = [universe.name_of(index) for index in range(5_000)]
    assert len(set(map(universe.ecosystem.purl, names))) == len(names)


@pytest.mark.parametrize("name", ["", "x", "never-published-7", "amber-falcon-007", "../7", "@7"])
@every_ecosystem
def test_other_names_lead_nowhere(ecosystem: str, name: str) -> None:
    """Similar names are not found."""
    assert open_registry(ecosystem, packages=10_000).find(name) is None


@every_ecosystem
def test_exact_amounts(ecosystem: str) -> None:
    """``versions`` and ``requirements`` are exact where they are numbers: benchmarks count rows."""
    for package in packages(ecosystem, versions="15", requirements="5", plain=True):
        truth = truth_of(package)
        assert len(truth.versions) == 15
        assert {len(version.requirements) for version in truth.versions} == {5}
        assert not package.decoys


@every_ecosystem
def test_a_huge_package(ecosystem: str) -> None:
    """The last package has the requested number of versions; the others are unchanged."""
    *others, huge = packages(ecosystem, 20, packages=20, huge=5000)
    assert len(huge.releases) == len({r.version for r in huge.releases}) == 5000
    assert "huge" in traits(huge)
    assert others == packages(ecosystem, 20, packages=20)[:-1]


@every_ecosystem
def test_small_universes(ecosystem: str) -> None:
    """A universe of one package requires nothing; one of three requires existing ones."""
    (only,) = packages(ecosystem, 1, packages=1, requirements="5")
    assert only.targets <= {0}
    for package in packages(ecosystem, 3, packages=3, requirements="5"):
        assert package.targets <= {0, 1, 2}
        assert len(package.targets) >= 2


@every_ecosystem
def test_every_kind_of_package_occurs(ecosystem: str) -> None:
    """Tests that look for a hard case find one among a thousand packages."""
    found = Counter(
        trait
        for package in packages(ecosystem, 1000, missing=0.01, empty=0.01)
        for trait in traits(package)
    )
    cannot = {
        "pypi": {"decoy", "scoped"},
        "npm": {"yanked"},
        "cargo": {"empty", "scoped", "unparsable", "requires-itself"},
        "maven": {"empty", "scoped", "unparsable", "requires-itself", "yanked"},
        "nuget": {"decoy", "empty", "scoped", "unparsable", "requires-itself"},
        "rubygems": {"decoy", "scoped", "unparsable", "requires-itself", "yanked"},
    }[ecosystem]
    assert set(TRAITS) - set(found) == cannot | {"huge"}
    forms = {f"form:{form}" for form in open_registry(ecosystem).ecosystem.release_forms}
    assert forms <= set(found)


@every_ecosystem
def test_few_packages_are_required_by_many(ecosystem: str) -> None:
    """Popularity follows a power law: the first percent has over a fifth of all edges."""
    required = Counter(
        target for package in packages(ecosystem, 1000, versions="2") for target in package.targets
    )
    hot = sum(count for target, count in required.items() if target < 10)
    assert hot > required.total() / 5


@pytest.mark.parametrize("seed", [7, 8])
def test_the_order_of_pypi_is_that_of_pep_440(seed: int) -> None:
    """Serial order is that of ``packaging``; unparsable versions come first, by date."""
    for package in packages("pypi", 150, seed=seed):
        odd = [r for r in package.releases if r.stage is None]
        regular = package.releases[len(odd) :]
        assert all(r.stage is not None for r in regular)
        for release in odd:
            with pytest.raises(InvalidVersion):
                Version(release.version)
        assert odd == sorted(odd, key=lambda r: (r.released, r.version))
        versions = [Version(r.version) for r in regular]
        assert all(lower < higher for lower, higher in pairwise(versions))
        assert [v.is_prerelease for v in versions] == [r.prerelease for r in regular]


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.parametrize("ecosystem", ["npm", "cargo"])
def test_the_order_of_semver_is_that_of_semver(ecosystem: str, seed: int) -> None:
    """Serial order is SemVer's precedence; versions of equal precedence are ordered by date."""
    for package in packages(ecosystem, 150, seed=seed):
        odd = [r for r in package.releases if r.stage is None]
        for release in odd:
            with pytest.raises(ValueError, match="Invalid version"):
                semantic_version.Version(release.version)
        assert odd == sorted(odd, key=lambda r: (r.released, r.version))
        regular = package.releases[len(odd) :]
        keys = [
            (semantic_version.Version(r.version).precedence_key, r.released, r.version)
            for r in regular
        ]
        assert keys == sorted(keys)
        assert [bool(semantic_version.Version(r.version).prerelease) for r in regular] == [
            r.prerelease for r in regular
        ]


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [("maven", MavenVersion), ("rubygems", RubygemsVersion), ("nuget", NugetVersion)],
)
def test_the_order_is_that_of_the_graph_readers(ecosystem: str, version: type, seed: int) -> None:
    """Serial order is that of ``univers``; words in versions mostly make prereleases."""
    words = re.compile("(?!Final|RELEASE|sp|SP|SR)[A-Za-z]+")
    for package in packages(ecosystem, 150, seed=seed):
        versions = [version(r.version) for r in package.releases]
        assert all(lower < higher for lower, higher in pairwise(versions))
        worded = [
            any(map(words.match, re.split("[^A-Za-z]+", r.version))) for r in package.releases
        ]
        assert worded == [r.prerelease for r in package.releases]


@every_ecosystem
def test_latest(ecosystem: str) -> None:
    """The highest stable version that is not yanked; a prerelease only if nothing else exists."""
    for package in packages(ecosystem, 150):
        taken = [r.version for r in package.releases if r.stable and not r.yanked]
        latest = truth_of(package).latest
        if taken:
            assert latest == taken[-1]
        else:
            remaining = [r.version for r in package.releases if not r.yanked]
            assert latest == (remaining or [r.version for r in package.releases])[-1]


@pytest.mark.parametrize("mode", ["all", "latest"])
@every_ecosystem
def test_a_closure_is_closed(ecosystem: str, mode: str) -> None:
    """A closure has the requirements of its packages, except missing ones."""
    universe = open_registry(ecosystem, packages=200, missing=0.05)
    universe.delete(universe.universe.name_of(3))
    by_purl = {p.purl: p for i in range(200) if (p := universe.package(i))}
    root = universe.universe.name_of(150)
    found = closure(universe, root, mode)  # type: ignore[arg-type]
    assert universe.ecosystem.purl(root) in found
    assert found <= by_purl.keys()
    for purl in found:
        truth = truth_of(by_purl[purl])
        followed = [v for v in truth.versions if mode == "all" or v.name == truth.latest]
        required = {purl for version in followed for purl in version.requirements}
        assert required & by_purl.keys() <= found


@every_ecosystem
def test_missing_packages_are_required_and_do_not_exist(ecosystem: str) -> None:
    """Some requirements name packages that were never published."""
    universe = open_registry(ecosystem, missing=0.2)
    required = {
        purl for i in range(50) for purl in truth_of(universe.universe.package(i)).requirements
    }
    missing = {purl for purl in required if "never-published" in purl}
    assert missing
    names = map(universe.universe.name_of, range(1000))
    assert not missing & set(map(universe.ecosystem.purl, names))


@every_ecosystem
def test_memory_does_not_grow_with_the_universe(ecosystem: str) -> None:
    """Of 100,000 packages a fixed number is cached."""
    universe = open_registry(ecosystem, packages=100_000, kept=40, versions="2", requirements="2")
    for index in range(0, 100_000, 900):
        package = universe.package(index)
        assert package
        universe.page(package)
    assert universe._package.cache_info().currsize == KEPT_PACKAGES * 40
    assert universe._page.cache_info().currsize == 40


@every_ecosystem
def test_edits(ecosystem: str) -> None:
    """Releases, yanks and deletions change the data, and can be undone."""
    universe = open_registry(ecosystem, packages=20, versions="4")
    name = universe.universe.name_of(5)
    before = universe.find(name)
    assert before
    published = universe.publish(name, requirements=3)
    assert published.latest == published.releases[-1]
    assert len(published.releases) == 5
    assert len(published.releases[-1].requirements) == 3
    again = universe.publish(name)
    assert again.releases[:5] == published.releases
    yanked = universe.yank(name, again.releases[-1].version)
    assert yanked.latest == published.releases[-1]
    assert universe.yank(name, again.releases[-1].version, yanked=False).latest == again.latest
    shorter = universe.delete_version(name, again.releases[-1].version)
    assert shorter.releases == published.releases
    universe.delete(name)
    assert universe.find(name) is None
    added = universe.add()
    assert (added.index, universe.find(added.name)) == (20, added)
    universe.restore()
    assert universe.find(name) == before
    assert universe.find(added.name) is None
    with pytest.raises(LookupError, match="no version"):
        universe.yank(name, "0.0.0-nothing")
    with pytest.raises(LookupError, match="no package"):
        universe.publish("never-published-1")


@pytest.mark.parametrize("text", ["", "x", "-1", "5-", "9-3", "1.5", "long"])
def test_amounts_that_make_no_sense(text: str) -> None:
    """An invalid option is an error."""
    with pytest.raises(ValueError, match="is not a number, a range"):
        Amount.parse(text)


@given(low=st.integers(0, 1000), more=st.integers(0, 1000), seed=st.integers())
def test_amounts_stay_in_their_range(low: int, more: int, seed: int) -> None:
    """Drawn numbers are between the bounds, which are equal for an exact number."""
    rng = Random(seed)
    assert low <= Amount.parse(f"{low}-{low + more}").draw(rng) <= low + more
    assert Amount.parse(str(low)).draw(rng) == low
    assert 1 <= Amount.parse("long-tail").draw(rng) <= 300


def test_options_survive_the_command_line() -> None:
    """The child process receives the client's options."""
    options = Options(seed=9, packages=5, versions="2-3", plain=True, missing=0.5)
    assert Options.from_arguments(options.as_arguments()) == (options, False)
