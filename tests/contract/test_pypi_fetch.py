"""Reads PyPI projects over HTTP from the simulated registry and compares them with its data."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.pypi import PyPI, release_reader
from ssc_ingest.errors import (
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import Package
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read, version_as_truth
from tests.simulator.client import PackageName, Simulator
from tests.simulator.pypi import PyPI as SimulatedPyPI
from tests.simulator.truth import PackageTruth


@pytest.fixture(scope="module")
def universe() -> Iterator[Simulator]:
    """A registry of 400 projects, some without versions, some with unknown requirements."""
    with Simulator.start(packages=400, missing=0.02, empty=0.02, versions="1-40") as simulator:
        yield simulator


@pytest.fixture
def simulator(universe: Simulator) -> Iterator[Simulator]:
    """The registry in its first state, without faults."""
    universe.reset()
    yield universe
    universe.reset()


@pytest.fixture
async def pypi(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[PyPI]:
    """The ecosystem, reading the simulated registry."""
    async with opened(PyPI, simulator, settings, redis_url) as pypi:
        yield pypi


def check(package: Package, truth: PackageTruth) -> None:
    """Check that a completely read package is correct."""
    assert as_truth(package) == truth


def one(simulator: Simulator, *traits: str) -> PackageName:
    """The name of a project with these traits."""
    found = simulator.packages("pypi", 1, traits=traits)
    assert found, f"no simulated project has {traits}"
    return found[0]


# What is read -------------------------------------------------------------------------------


async def test_every_package_is_read_as_it_is(pypi: PyPI, simulator: Simulator) -> None:
    """Spellings, links, order, dates, yanks and requirements of 30 projects are correct.

    Each takes one request, and one per version whose requirements a document has.
    """
    packages = {
        purl: simulator.truth("pypi", name) for name, purl in simulator.packages("pypi", 30)
    }
    assert sum(bool(truth.versions) for truth in packages.values()) > 20
    for purl, truth in packages.items():
        if truth.versions:
            simulator.reset_counts()
            reading = await read(pypi, purl.removeprefix("pkg:pypi/"))
            check(reading.package, truth)
            inside = simulator.counts().endpoints.get("pypi.file", 0)
            assert reading.requests - inside == 1 + len(truth.versions)
            assert inside < len(truth.versions) / 2


@pytest.mark.parametrize("form", SimulatedPyPI.release_forms)
async def test_every_form_of_release_is_read(pypi: PyPI, simulator: Simulator, form: str) -> None:
    """Metadata comes from wheels, or from the JSON API where files offer none.

    Where that has none either, it comes from inside of a file, of which a part is read.
    """
    name, _ = one(simulator, f"form:{form}")
    check((await read(pypi, name)).package, simulator.truth("pypi", name))


async def test_known_versions_cost_nothing(pypi: PyPI, simulator: Simulator) -> None:
    """A project with one new release costs two documents, including its links."""
    name, _ = one(simulator, "repository", "requirements", "form:wheel")
    known = [version.name for version in (await read(pypi, name)).package.versions]
    truth = simulator.publish("pypi", name, requirements=3)
    simulator.reset_counts()

    reading = await read(pypi, name, known=known)

    assert reading.requests == simulator.counts().total == 2
    new = reading.package.versions[-1]
    assert version_as_truth(new) == truth.versions[-1]
    assert reading.package.latest == new.name
    assert all(version.requirements is None for version in reading.package.versions[:-1])
    assert reading.package.vendor == truth.vendor
    assert reading.package.ref.name == truth.name


async def test_nothing_new_costs_one_request(pypi: PyPI, simulator: Simulator) -> None:
    """If all versions are known, only a full request reads the links."""
    name, purl = one(simulator, "repository", "capitals", "form:wheel")
    known = [version.name for version in (await read(pypi, name)).package.versions]
    truth = simulator.truth("pypi", name)
    normalized = purl.removeprefix("pkg:pypi/")

    reading = await read(pypi, normalized, known=known)
    assert reading.requests == 1
    assert (reading.package.vendor, reading.package.repository_url) == (None, None)
    assert [version.name for version in reading.package.versions] == known

    reading = await read(pypi, normalized, known=known, full=True)
    assert reading.requests == 2
    assert reading.package.vendor == truth.vendor
    assert reading.package.ref.registry_name == truth.registry_name
    assert all(version.requirements is None for version in reading.package.versions)


async def test_an_unchanged_page_is_not_read(pypi: PyPI, simulator: Simulator) -> None:
    """The registry confirms the validator of the page."""
    name, _ = one(simulator, "requirements", "form:wheel")
    package = (await read(pypi, name)).package
    assert package.etag

    unchanged = await pypi.fetch(FetchRequest(pypi.ref(name), etag=package.etag))
    assert isinstance(unchanged, NotModified)
    assert unchanged.fetched_at >= package.fetched_at

    simulator.yank("pypi", name, package.versions[0].name, yanked=not package.versions[0].yanked)
    changed = await pypi.fetch(FetchRequest(pypi.ref(name), etag=package.etag))
    assert isinstance(changed, Package)
    assert changed.versions[0].yanked != package.versions[0].yanked


async def test_a_deleted_version_is_absent(pypi: PyPI, simulator: Simulator) -> None:
    """The package lacks versions that the page no longer lists."""
    name, _ = one(simulator, "prerelease", "form:wheel")
    gone = (await read(pypi, name)).package.versions[0].name
    truth = simulator.delete_version("pypi", name, gone)
    check((await read(pypi, name)).package, truth)


async def test_a_project_without_versions(pypi: PyPI, simulator: Simulator) -> None:
    """A project without versions is a package without versions and with unknown links."""
    name, _ = one(simulator, "empty")
    reading = await read(pypi, name)
    assert reading.requests == 1
    assert (reading.package.versions, reading.package.latest) == ((), None)
    assert reading.package.vendor is None


async def test_what_was_read_is_not_read_again(pypi: PyPI, simulator: Simulator) -> None:
    """An interrupted fetch continues with the missing versions."""
    name, purl = one(simulator, "yanked", "form:wheel")
    versions = len(simulator.truth("pypi", name).versions)
    simulator.fault("status", package=purl, path=r"\.metadata$", after=1, status=500)
    checkpoint = FetchCheckpoint()
    with request_scope(RequestScope(checkpoint=checkpoint)) as scope:
        with pytest.raises(RegistryUnavailable):
            await pypi.fetch(FetchRequest(pypi.ref(name)))
        simulator.clear_faults()
        kept = sum(not url.startswith("result ") for url in checkpoint.documents)
        asked = scope.requests
        assert kept >= 1
        simulator.reset_counts()
        package = await pypi.fetch(FetchRequest(pypi.ref(name)))
    assert isinstance(package, Package)
    check(package, simulator.truth("pypi", name))
    inside = simulator.counts().endpoints.get("pypi.file", 0)
    assert scope.requests - asked == 1 + versions - kept + inside


# What goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "not-json"}, MalformedMetadata),
        ({"kind": "wrong-types"}, MalformedMetadata),
        ({"kind": "missing-keys"}, MalformedMetadata),
        ({"kind": "html"}, MalformedMetadata),
        ({"kind": "empty"}, MalformedMetadata),
        ({"kind": "oversized", "megabytes": 65}, ResponseTooLarge),
        ({"kind": "oversized", "megabytes": 65, "chunked": True}, ResponseTooLarge),
        ({"kind": "bomb", "megabytes": 65}, ResponseTooLarge),
        ({"kind": "status", "status": 429, "retry_after": "7"}, RateLimited),
        ({"kind": "status", "status": 503}, RateLimited),
        ({"kind": "status", "status": 500}, RegistryUnavailable),
        ({"kind": "truncate"}, RegistryUnavailable),
        ({"kind": "reset"}, RegistryUnavailable),
        ({"kind": "redirect"}, RegistryUnavailable),
        ({"kind": "redirect", "location": "http://192.0.2.1/simple/x/"}, RegistryError),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
@pytest.mark.parametrize("endpoint", ["pypi.metadata", "pypi.version_json"])
async def test_faults_of_a_version(
    pypi: PyPI,
    simulator: Simulator,
    fault: dict[str, Any],
    error: type[IngestError],
    endpoint: str,
) -> None:
    """A failing registry is one typed error; a bad document affects only its version.

    Its requirements come from another document, or are unknown; they are never none.
    """
    form = "form:sdist" if endpoint == "pypi.version_json" else "form:wheel"
    name, purl = one(simulator, form, "requirements")
    simulator.fault(package=purl, endpoint=endpoint, **fault)
    if error in {MalformedMetadata, ResponseTooLarge}:
        package, truth = (await read(pypi, name)).package, simulator.truth("pypi", name)
        if endpoint == "pypi.metadata":
            check(package, truth)
        assert [v.name for v in package.versions] == [v.name for v in truth.versions]
        read_well = [v for v in package.versions if not v.requirements_unknown]
        assert all(version_as_truth(version) in truth.versions for version in read_well)
        assert len(read_well) < len(package.versions) or endpoint == "pypi.metadata"
    else:
        with pytest.raises(error):
            await read(pypi, name)
    simulator.clear_faults()


async def test_what_was_found_in_files_is_kept(pypi: PyPI, simulator: Simulator) -> None:
    """A fetch that was broken off looks into no file twice."""
    name, purl = one(simulator, "form:wheel-bare", "form:sdist-requires", "form:wheel")
    simulator.fault("status", package=purl, path=r"\.metadata$", status=500)
    with request_scope(RequestScope(checkpoint=FetchCheckpoint())):
        for _ in range(2):
            with pytest.raises(RegistryUnavailable):
                await pypi.fetch(FetchRequest(pypi.ref(name)))
        simulator.clear_faults()
        package = await pypi.fetch(FetchRequest(pypi.ref(name)))
    assert isinstance(package, Package)
    check(package, simulator.truth("pypi", name))
    asked = simulator.counts().endpoints["pypi.file"]
    simulator.reset_counts()
    await read(pypi, name)
    assert asked == simulator.counts().endpoints["pypi.file"]


async def test_files_cost_what_the_budget_has(
    pypi: PyPI, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requirements beyond the budget stay unknown; the newest versions come first."""
    monkeypatch.setattr(release_reader, "PACKAGE_BUDGET", (1, 10**6))
    name, _ = one(simulator, "form:wheel-bare", "form:sdist-static")
    package = (await read(pypi, name)).package
    assert simulator.counts().endpoints["pypi.file"] == 1
    truth = {version.name: version for version in simulator.truth("pypi", name).versions}
    wrong = [v for v in package.versions if version_as_truth(v) != truth[v.name]]
    assert wrong
    assert all(version.requirements_unknown for version in wrong)


async def test_metadata_that_is_not_there(pypi: PyPI, simulator: Simulator) -> None:
    """If an announced metadata file is missing, the JSON API is used."""
    name, purl = one(simulator, "form:wheel", "requirements")
    simulator.fault("status", package=purl, endpoint="pypi.metadata", status=404)
    check((await read(pypi, name)).package, simulator.truth("pypi", name))
    assert simulator.counts().endpoints["pypi.version_json"] > 0


async def test_a_release_about_which_nothing_is_there(
    pypi: PyPI, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The requirements of a release without documents are unknown.

    Its other facts come from the project's document.
    """
    name, purl = one(simulator, "form:wheel", "requirements", "repository")
    truth = simulator.truth("pypi", name)
    for endpoint in ("pypi.metadata", "pypi.version_json"):
        simulator.fault("status", package=purl, endpoint=endpoint, status=404)
    package = (await read(pypi, name)).package
    assert {v.name for v in package.versions if v.requirements} <= {truth.latest}
    latest = next(v for v in package.versions if v.name == truth.latest)
    assert version_as_truth(latest) in truth.versions
    assert (package.vendor, package.ref.name) == (truth.vendor, truth.name)
    assert "release_metadata_missing" in capsys.readouterr().out


async def test_lines_that_cannot_be_read(
    pypi: PyPI, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package keeps its other requirements, with one warning per line."""
    name, purl = one(simulator, "form:sdist")
    lines = ["idna>=2", "pytz (>dev)", "!!", "six; extra == 'x'"]
    info = {"name": name, "requires_dist": lines}
    for version in simulator.truth("pypi", name).versions:
        simulator.fault(
            "body",
            package=purl,
            endpoint="pypi.version_json",
            path=f"/{version.name}/json$",
            body=json.dumps({"info": info | {"version": version.name}}),
            media_type="application/json",
        )
    package = (await read(pypi, name)).package
    found = [
        {r.package.name: r.constraints for r in v.requirements or ()} for v in package.versions
    ]
    assert {"idna": ">= 2", "pytz": "any"} in found
    output = capsys.readouterr().out
    assert output.count("requirement_unreadable") == 2
    assert "pytz (>dev)" in output


async def test_quarantine(pypi: PyPI, simulator: Simulator) -> None:
    """A project in quarantine is missing; an archived one is read."""
    name, purl = one(simulator, "requirements")
    page = {
        "meta": {"api-version": "1.4"},
        "name": purl.removeprefix("pkg:pypi/"),
        "versions": [],
        "files": [],
        "project-status": {"status": "quarantined"},
    }
    number = simulator.fault("body", package=purl, body=json.dumps(page))
    with pytest.raises(PackageNotFound):
        await read(pypi, name)
    simulator.clear_faults(number)
    page["project-status"] = {"status": "archived"}
    simulator.fault("body", package=purl, body=json.dumps(page))
    assert (await read(pypi, name)).package.versions == ()


async def test_files_elsewhere_are_not_fetched(pypi: PyPI, simulator: Simulator) -> None:
    """A page cannot direct requests to another host."""
    name, purl = one(simulator, "requirements")
    normalized = purl.removeprefix("pkg:pypi/")
    entry = {
        "filename": f"{normalized.replace('-', '_')}-1.0-py3-none-any.whl",
        "url": "http://169.254.169.254/latest/meta-data",
        "hashes": {},
        "core-metadata": True,
    }
    page = {"name": normalized, "versions": ["1.0"], "files": [entry]}
    simulator.fault("body", package=purl, body=json.dumps(page))
    with pytest.raises(RegistryError, match=r"169\.254\.169\.254 is not a host of this ecosystem"):
        await read(pypi, name)


async def test_requests_for_one_package_are_bounded(pypi: PyPI, simulator: Simulator) -> None:
    """A project with many versions has few concurrent requests."""
    name = max(
        (found.name for found in simulator.packages("pypi", 60)),
        key=lambda name: len(simulator.truth("pypi", name).versions),
    )
    simulator.reset_counts()
    simulator.latency(5)
    assert (await read(pypi, name)).requests > 20
    assert 1 < simulator.counts().most_in_flight <= 8
