"""What holds for every ecosystem, whatever its registry is like.

One suite over all that are installed and have a simulated registry. What is special about one of
them is in a row of :data:`REGISTRIES`, and in the tests of its own.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from univers import version_range as ranges
from univers import versions as kinds

from ssc_ingest.ecosystems import BUILT_IN, ecosystem, ecosystems
from ssc_ingest.ecosystems.base import Ecosystem, NotModified
from ssc_ingest.errors import (
    IngestError,
    InvalidName,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.models import VersionName, now
from ssc_ingest.purls import parse_purl
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read, version_as_truth
from tests.simulator import universe
from tests.simulator.client import Simulator
from tests.simulator.registries import ECOSYSTEMS, open_registry
from tests.simulator.registry import Registry
from tests.simulator.rubygems import Page as GemPage
from tests.simulator.truth import PackageTruth, truth_of

READ = 40
"""Packages that are read and compared with the truth."""

VERSIONS = 10
"""Versions of each package where requests are counted."""

PURL = re.compile(r"pkg:[a-z]+(/[^/]+)+")
VERSION_PURL = re.compile(r"pkg:[a-z]+(/[^/]+)+@[^@]+")


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What a registry's documents are, and how many of them a package takes."""

    main: str
    """The document that says which versions there are."""
    new: Mapping[str, int]
    """Requests by kind for a package of :data:`VERSIONS` versions that is new to the graph."""
    update: Mapping[str, int]
    """The same when one version has come to it."""
    readers: tuple[type, type]
    """How the graph's readers evaluate a range, and what they take for a version."""
    names: tuple[str, ...] = ("{}",)
    """Where a text can stand in a name."""
    typical: Callable[[universe.Package, Any], bool] = lambda package, page: True  # noqa: ARG005
    """Of which packages (with their documents) the numbers of requests are true."""


REGISTRIES: Mapping[str, Simulated] = {
    "pypi": Simulated(
        main="pypi.simple",
        new={"pypi.simple": 1, "pypi.metadata": VERSIONS},
        update={"pypi.simple": 1, "pypi.metadata": 1},
        readers=(ranges.PypiVersionRange, kinds.PypiVersion),
    ),
    "npm": Simulated(
        main="npm.packument",
        new={"npm.packument": 1},
        update={"npm.packument": 1},
        readers=(ranges.NpmVersionRange, kinds.SemverVersion),
        names=("{}", "@{}/name", "@scope/{}"),
    ),
    "maven": Simulated(
        main="maven.metadata",
        new={"maven.metadata": 1, "maven.pom": VERSIONS},
        update={"maven.metadata": 1, "maven.pom": 1},
        readers=(ranges.MavenVersionRange, kinds.MavenVersion),
        names=("{}", "{}:name", "group:{}", "group.{}:name"),
        # Without parents and with a complete list.
        typical=lambda package, page: package.index % 2 == 0 and page.hidden is None,
    ),
    "cargo": Simulated(
        main="cargo.index",
        new={"cargo.index": 1},
        update={"cargo.index": 1},
        readers=(ranges.NpmVersionRange, kinds.SemverVersion),
    ),
    "rubygems": Simulated(
        main="rubygems.info",
        new={"rubygems.info": 1, "rubygems.versions": 1},
        update={"rubygems.info": 1, "rubygems.versions": 1},
        readers=(ranges.GemVersionRange, kinds.RubygemsVersion),
        # Where the index does not tell dates, and the versions' metadata the repository.
        typical=lambda package, page: (
            isinstance(page, GemPage) and not page.dated and package.link.field == "source_code_uri"
        ),
    ),
    "nuget": Simulated(
        main="nuget.registration",
        new={"nuget.registration": 1, "nuget.nuspec": 1},
        update={"nuget.registration": 1, "nuget.nuspec": 1},
        readers=(ranges.NugetVersionRange, kinds.NugetVersion),
    ),
}

NAMES = [name for name in ecosystems() if name in REGISTRIES]

every_ecosystem = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def odd_universe() -> Iterator[Simulator]:
    """Registries with everything that is rare; some requirements are unknown to them."""
    with Simulator.start(packages=200, missing=0.02, empty=0.02, versions="1-30") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def plain_universe() -> Iterator[Simulator]:
    """Registries whose arithmetic is simple."""
    with Simulator.start(**PLAIN) as simulator:
        yield simulator


PLAIN: dict[str, Any] = {
    "packages": 60, "plain": True, "versions": str(VERSIONS), "requirements": "3",
}  # fmt: skip


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The ecosystem's name."""
    return str(request.param)


@pytest.fixture
def simulator(odd_universe: Simulator) -> Simulator:
    """The registries as they were at the beginning, without faults."""
    odd_universe.reset()
    return odd_universe


@pytest.fixture
async def reader(
    name: str, simulator: Simulator, settings: Settings, stack: EmbeddedAddresses, clean_redis: None
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading its simulated registry."""
    async with opened(ecosystem(name), simulator, settings, stack) as reader:
        yield reader


@pytest.fixture
async def counted(
    name: str,
    plain_universe: Simulator,
    settings: Settings,
    stack: EmbeddedAddresses,
    clean_redis: None,
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading the registry whose arithmetic is simple."""
    plain_universe.reset()
    async with opened(ecosystem(name), plain_universe, settings, stack) as reader:
        yield reader


def test_all_ecosystems_are_simulated() -> None:
    """An ecosystem of the program without a simulated registry would escape this suite."""
    built_in = {cls.identity.name for cls in BUILT_IN}
    assert built_in == REGISTRIES.keys() == {cls.name for cls in ECOSYSTEMS}


# What is read -------------------------------------------------------------------------------


async def test_packages_are_read_as_they_are(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Names, links, versions in order, dates and requirements are the truth."""
    begin, compared = now(), 0
    for found in simulator.packages(name, READ):
        truth = simulator.truth(name, found.name)
        if truth.versions:
            package = (await read(reader, found.name, thorough=True)).package
            assert as_truth(package) == truth
            assert package.etag
            assert begin <= package.fetched_at <= now()
            compared += 1
    assert compared >= READ * 0.9


async def test_releases_at_run_time_are_read(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A new version is seen although the validator of the old document was sent."""
    (found,) = simulator.packages(name, 1, start=50, traits=("requirements",))
    first = (await read(reader, found.name)).package
    truth = simulator.publish(name, found.name, requirements=2)
    known = [version.name for version in first.versions]
    second = (await read(reader, found.name, etag=first.etag, known=known)).package
    assert [version.name for version in second.versions] == [v.name for v in truth.versions]
    assert second.latest == truth.latest
    assert second.etag != first.etag
    assert version_as_truth(second.versions[-1]) == truth.versions[-1]


# How much is asked for ------------------------------------------------------------------------


def typical(name: str) -> str:
    """The name of a package for which the numbers of requests are true."""
    plain = open_registry(name, **PLAIN)
    packages = map(plain.universe.package, range(PLAIN["packages"]))
    is_typical = REGISTRIES[name].typical
    return next(p.name for p in packages if is_typical(p, plain.page(p)))


async def test_requests_of_a_package(
    counted: Ecosystem, name: str, plain_universe: Simulator
) -> None:
    """One that is new, with a new version, with nothing new, and unchanged."""
    package_name, expected = typical(name), REGISTRIES[name]
    reading = await read(counted, package_name)
    assert plain_universe.counts().endpoints == expected.new
    assert reading.requests == sum(expected.new.values())

    known = [version.name for version in reading.package.versions]
    plain_universe.publish(name, package_name)
    plain_universe.reset_counts()
    updated = await read(counted, package_name, known=known, etag=reading.package.etag)
    assert plain_universe.counts().endpoints == expected.update
    assert updated.requests == sum(expected.update.values())

    known = [version.name for version in updated.package.versions]
    plain_universe.reset_counts()
    again = await read(counted, package_name, known=known)
    assert plain_universe.counts().endpoints == {expected.main: 1}
    assert [version.name for version in again.package.versions] == known

    plain_universe.reset_counts()
    answer = await counted.fetch(counted.ref(package_name), etag=again.package.etag)
    assert isinstance(answer, NotModified)
    assert answer.fetched_at >= again.package.fetched_at
    counts = plain_universe.counts()
    assert (counts.endpoints, counts.statuses) == ({expected.main: 1}, {"304": 1})


async def test_known_versions_are_not_read_again(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """What the graph has is true or left alone, and only what is new is asked for."""
    (found,) = simulator.packages(name, 1, start=20, traits=("many-versions",)) or (
        simulator.packages(name, 1, start=20, traits=("requirements",))
    )
    whole = (await read(reader, found.name)).package
    truth = {version.name: version for version in simulator.truth(name, found.name).versions}
    known = {version.name for version in whole.versions[::2]}
    part = await read(reader, found.name, known=known)
    for version in part.package.versions:
        if version.name not in known or version.requirements is not None:
            assert version_as_truth(version).requirements == truth[version.name].requirements
    everything = await read(reader, found.name, known=[v.name for v in whole.versions])
    assert everything.requests <= part.requests
    assert [v.name for v in everything.package.versions] == list(truth)


# What is not there, and what goes wrong -------------------------------------------------------


async def test_unknown_packages_are_not_found(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A name that the registry does not have, and one that it had; the error names the package."""
    never = reader.ref(open_registry(name).ecosystem.missing_name(7))
    with pytest.raises(PackageNotFound, match=re.escape(never.purl)):
        await reader.fetch(never)
    (found,) = simulator.packages(name, 1, start=30)
    simulator.delete(name, found.name)
    with pytest.raises(PackageNotFound):
        await reader.fetch(reader.ref(found.name))


Errors = type[IngestError] | tuple[type[IngestError], ...]

FAULTS: list[tuple[dict[str, Any], Errors]] = [
    ({"kind": "status", "status": 404}, PackageNotFound),
    ({"kind": "status", "status": 410}, PackageNotFound),
    ({"kind": "status", "status": 451}, PackageNotFound),
    ({"kind": "html"}, MalformedMetadata),
    ({"kind": "empty"}, MalformedMetadata),
    ({"kind": "body", "body": "{}"}, MalformedMetadata),
    ({"kind": "body", "body": "[]"}, MalformedMetadata),
    ({"kind": "body", "body": "null"}, MalformedMetadata),
    ({"kind": "body", "body": "<a>" * 100_000}, MalformedMetadata),
    ({"kind": "body", "body": "[" * 100_000}, MalformedMetadata),
    ({"kind": "body", "body": b"\xff\xfe\x00\x01"}, MalformedMetadata),
    ({"kind": "body", "body": "no", "headers": {"Content-Encoding": "gzip"}}, RegistryUnavailable),
    # The index of RubyGems announces its digest: what does not have it was damaged on the way.
    ({"kind": "missing-keys"}, (MalformedMetadata, RegistryUnavailable)),
    ({"kind": "wrong-types"}, (MalformedMetadata, RegistryUnavailable)),
    ({"kind": "bomb", "megabytes": 120}, ResponseTooLarge),
    ({"kind": "oversized", "megabytes": 120}, ResponseTooLarge),
    ({"kind": "oversized", "megabytes": 120, "chunked": True}, ResponseTooLarge),
    ({"kind": "truncate"}, RegistryUnavailable),
    ({"kind": "reset", "at": "head"}, RegistryUnavailable),
    ({"kind": "reset", "at": "body"}, RegistryUnavailable),
    ({"kind": "redirect"}, RegistryUnavailable),
    ({"kind": "redirect", "location": "http://registry.example/x"}, RegistryError),
    ({"kind": "redirect", "location": "file:///etc/passwd"}, RegistryError),
    ({"kind": "status", "status": 429, "retry_after": "7"}, RateLimited),
    ({"kind": "status", "status": 503}, RateLimited),
    ({"kind": "status", "status": 500}, RegistryUnavailable),
]  # fmt: skip


def described(value: Any) -> str:
    """A fault in a few words."""
    if not isinstance(value, dict):
        return ""
    return "-".join(ascii(part).strip("'")[:20] for part in value.values())


@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=described)
async def test_failures_are_typed(
    reader: Ecosystem,
    name: str,
    simulator: Simulator,
    fault: dict[str, Any],
    error: Errors,
) -> None:
    """Each failure of the main document is the error that says what to do."""
    (found,) = simulator.packages(name, 1, traits=("requirements",))
    simulator.fault(**fault, endpoint=REGISTRIES[name].main)
    with pytest.raises(error):
        await reader.fetch(reader.ref(found.name))


async def test_half_a_document_is_not_taken_for_a_whole_one(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Complete as an HTTP answer, but broken off in the middle: versions would be missing."""
    (found,) = simulator.packages(name, 1, traits=("requirements",))
    simulator.fault("not-json", endpoint=REGISTRIES[name].main)
    with pytest.raises((MalformedMetadata, RegistryUnavailable)):
        await reader.fetch(reader.ref(found.name))


# Names ----------------------------------------------------------------------------------------

TRICKS = (
    "..", ".", "../../etc/passwd", "a/../b", "..%2f..%2fx", "%2e%2e", "a\\..\\b", "/etc/passwd",
    "a//b", "a/b/c", "a?x=1", "a#b", "a%00", "a\x00b", "a\nb", "a\rb", "a\tb", " ", "a b", "",
    "a@evil.example", "http://evil.example/x", "//evil.example", "${jndi:x}", "a\u202eb",
    "\uff41\uff0f\uff42", "a;b", "a|b", "<a>", "a" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: ascii(trick)[:24])
def test_tricks_are_no_names(name: str, trick: str) -> None:
    """What would lead elsewhere in a URL or a path is refused, wherever it stands in a name."""
    for form in REGISTRIES[name].names:
        if form == "@{}/name" and trick == "":
            continue
        with pytest.raises(InvalidName):
            ecosystem(name).ref(form.format(trick))


@every_ecosystem
@given(text=st.text(max_size=40) | st.text("azAZ09.-_~!@:/*", max_size=12), data=st.data())
def test_whatever_is_a_name_is_harmless(name: str, text: str, data: st.DataObject) -> None:
    """A text is refused, or it has a package URL that leads back to the same package."""
    form = data.draw(st.sampled_from(REGISTRIES[name].names))
    try:
        ref = ecosystem(name).ref(form.format(text))
    except InvalidName:
        return
    assert PURL.fullmatch(ref.purl)
    assert parse_purl(ref.purl).ref.purl == ref.purl
    assert not {".", "..", ""} & set(ref.registry_name.split("/"))
    assert ref.registry_name.isprintable()
    assert not set("?#\\ ") & set(ref.registry_name)


@cache
def registry(name: str) -> Registry:
    """A registry of the simulator, in this process."""
    return open_registry(name, packages=300, missing=0.02)


@cache
def truths(name: str) -> tuple[PackageTruth, ...]:
    """What is true of its packages."""
    return tuple(truth_of(p) for p in map(registry(name).package, range(300)) if p)


@every_ecosystem
def test_package_urls_lead_back(name: str) -> None:
    """From a name to the package URL and back, for packages and for versions."""
    cls = ecosystem(name)
    for truth in truths(name):
        ref = cls.ref(truth.registry_name)
        assert ref.purl == truth.purl
        assert PURL.fullmatch(ref.purl)
        assert ref.label == cls.identity.label
        assert cls.ref(ref.registry_name) == ref
        named = parse_purl(ref.purl)
        assert (named.ecosystem, named.ref.purl, named.version) == (cls, ref.purl, None)
        for version in truth.versions[-3:]:
            purl = cls.version_purl(ref, version.name)
            assert purl == version.purl
            assert VERSION_PURL.fullmatch(purl)
            again = parse_purl(purl)
            assert (again.ref.purl, again.version, again.purl) == (ref.purl, version.name, purl)


# Versions -------------------------------------------------------------------------------------


@cache
def versions(name: str) -> tuple[str, ...]:
    """Versions of many packages, those that nobody can parse among them."""
    return tuple(dict.fromkeys(v.name for truth in truths(name) for v in truth.versions))


@every_ecosystem
@given(data=st.data())
def test_the_order_is_total(name: str, data: st.DataObject) -> None:
    """Of two keys one is less or they are equal; less goes on over a third."""
    one, two, three = (data.draw(st.sampled_from(versions(name))) for _ in range(3))
    cls = ecosystem(name)
    keys = [key for key in map(cls.sort_key, (one, two, three)) if key is not None]
    for a, b in combinations(keys, 2):
        assert [a < b, a == b, b < a].count(True) == 1
    if len(keys) == 3:
        low, middle, high = sorted(keys)
        assert not middle < low
        assert not high < middle
        assert not high < low


@every_ecosystem
@given(data=st.data())
def test_the_order_does_not_depend_on_where_it_begins(name: str, data: st.DataObject) -> None:
    """A package's versions come out in serial order from whatever order they are in."""
    truth = data.draw(st.sampled_from(truths(name)))
    shuffled = list(truth.versions)
    Random(data.draw(st.integers())).shuffle(shuffled)
    dated = [
        (VersionName(v.name), v.release_date.isoformat() if v.release_date else None)
        for v in shuffled
    ]
    assert ecosystem(name).order(dated) == [version.name for version in truth.versions]


@every_ecosystem
def test_prereleases_are_told(name: str) -> None:
    """What a plain install passes over is what comes before a release."""
    cls = ecosystem(name)
    for package in filter(None, map(registry(name).package, range(300))):
        for release in package.releases:
            assert cls.is_prerelease(release.version) is release.prerelease
            assert (cls.sort_key(release.version) is None) is (release.stage is None)


# Constraints ----------------------------------------------------------------------------------


@every_ecosystem
def test_constraints_are_understood_by_the_readers(name: str) -> None:
    """Every constraint is ``any``, or a range that ``univers`` reads and finds versions in."""
    native, kind = REGISTRIES[name].readers
    candidates = [kind(v) for v in versions(name) if ecosystem(name).sort_key(v) is not None][:20]
    constraints = {
        constraint
        for truth in truths(name)
        for version in truth.versions
        for constraint in version.requirements.values()
    }
    assert len(constraints) > 100
    for constraint in constraints - {"any"}:
        found = native.from_native(constraint)  # type: ignore[attr-defined]
        assert {candidate in found for candidate in candidates} <= {True, False}
        assert found.constraints


# Identity -------------------------------------------------------------------------------------


def test_identities_are_those_of_the_readers() -> None:
    """Labels and types of package URLs that the graph's readers know, each once."""
    identities = {cls.identity.name: cls.identity for cls in BUILT_IN}
    assert {name: (i.label, i.purl_type, i.osv_name) for name, i in identities.items()} == {
        "pypi": ("PyPIPackage", "pypi", "PyPI"),
        "npm": ("NPMPackage", "npm", "npm"),
        "maven": ("MavenPackage", "maven", "Maven"),
        "cargo": ("CargoPackage", "cargo", "crates.io"),
        "rubygems": ("RubyGemsPackage", "gem", "RubyGems"),
        "nuget": ("NuGetPackage", "nuget", "NuGet"),
    }


@every_ecosystem
def test_something_can_be_imported(name: str) -> None:
    """Where nothing is known of a package's code, its name has to do."""
    cls = ecosystem(name)
    for truth in truths(name)[:20]:
        guess = cls.fallback_import_name(cls.ref(truth.registry_name))
        assert guess
        assert guess.isprintable()
