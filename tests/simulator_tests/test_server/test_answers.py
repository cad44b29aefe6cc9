"""The responses of the running simulator, over sockets and through its client."""

import httpx
import pytest

from tests.simulator import maven, rubygems
from tests.simulator.client import Simulator
from tests.simulator.nuget import documents as nuget
from tests.simulator.registries import open_registry
from tests.simulator.truth import truth_of
from tests.simulator_tests.test_server.documents import SIMPLE_JSON, document_url, every_endpoint

pytest_plugins = ("tests.simulator.fixtures",)

ECOSYSTEMS = ("pypi", "npm", "maven", "cargo", "rubygems", "nuget")


@every_endpoint
def test_documents_and_counts(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], endpoint: str
) -> None:
    """Every kind of document is served, and counted by its kind, its package and its status."""
    answer = http.get(urls[endpoint], headers={"User-Agent": "test/1"})
    assert answer.status_code == httpx.codes.OK
    assert answer.content
    counts = simulator.counts()
    assert (counts.total, counts.endpoints, counts.statuses) == (1, {endpoint: 1}, {"200": 1})
    assert list(counts.packages.values()) == [1]
    (asked,) = simulator.requests()
    assert (asked["endpoint"], asked["user_agent"]) == (endpoint, "test/1")
    assert asked["package"] in counts.packages


@every_endpoint
def test_conditional_requests(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], endpoint: str
) -> None:
    """For a known document the response is an empty 304, until it changes."""
    first = http.get(urls[endpoint])
    etag = first.headers["etag"]
    for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = http.get(urls[endpoint], headers={"If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert http.get(urls[endpoint], headers={"If-None-Match": '"other"'}).content == first.content
    assert simulator.counts().statuses == {"200": 2, "304": 4}


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_a_release_at_run_time(simulator: Simulator, http: httpx.Client, ecosystem: str) -> None:
    """After a release the validator is outdated, and the data has one more version."""
    package = simulator.packages(ecosystem, 1, start=100)[0]
    url = document_url(simulator, ecosystem, package.name)
    accept = {"Accept": SIMPLE_JSON} if ecosystem == "pypi" else {}
    etag = http.get(url, headers=accept).headers["etag"]
    before = simulator.truth(ecosystem, package.name)
    after = simulator.publish(ecosystem, package.name, requirements=2)
    assert after.versions[:-1] == before.versions
    assert after.latest == after.versions[-1].name
    assert len(after.versions[-1].requirements) == 2
    changed = http.get(url, headers={**accept, "If-None-Match": etag})
    assert changed.status_code == httpx.codes.OK
    assert after.versions[-1].name in changed.text
    if ecosystem in {"pypi", "cargo", "nuget"}:
        yanked = simulator.yank(ecosystem, package.name, after.versions[-1].name)
        assert yanked.versions[-1].yanked
    deleted = simulator.delete_version(ecosystem, package.name, after.versions[-1].name)
    assert [v.name for v in deleted.versions] == [v.name for v in before.versions]
    simulator.delete(ecosystem, package.name)
    assert http.get(url).status_code == httpx.codes.NOT_FOUND
    added = simulator.add(ecosystem)
    new_url = document_url(simulator, ecosystem, added.registry_name)
    assert http.get(new_url).status_code == httpx.codes.OK
    simulator.reset()
    assert simulator.truth(ecosystem, package.name) == before
    assert http.get(url, headers=accept).headers["etag"] == etag


def test_missing_packages(simulator: Simulator, http: httpx.Client) -> None:
    """Each registry reports a missing package in its own way."""
    settings = simulator.environment()
    for url, body in (
        (f"{settings['PYPI_INDEX_URL']}/never-published/", b'{"message": "Not Found"}'),
        (f"{settings['PYPI_JSON_URL']}/never-published/json", b'{"message": "Not Found"}'),
        (f"{settings['NPM_REGISTRY_URL']}/never-published", b'{"error":"Not found"}'),
        (f"{settings['CARGO_INDEX_URL']}/ne/ve/never-published", b""),
        (f"{settings['CARGO_CRATES_URL']}/never/never-1.0.0.crate", b""),
        (f"{settings['RUBYGEMS_INDEX_URL']}/info/never-published", rubygems.NOT_FOUND.body),
        (f"{settings['RUBYGEMS_API_URL']}/gems/never-published.json", rubygems.NOT_FOUND.body),
        (f"{settings['NUGET_REGISTRATION_URL']}/never-published/index.json", nuget.NOT_FOUND.body),
        (f"{settings['NUGET_CONTENT_URL']}/never/1.0.0/never.nuspec", nuget.NOT_FOUND.body),
        (
            f"{settings['MAVEN_REPOSITORY_URL']}/org/never/published/maven-metadata.xml",
            maven.NOT_FOUND.body,
        ),
        (f"{settings['MAVEN_REPOSITORY_URL']}/org/never/1.0/never-1.0.pom", maven.NOT_FOUND.body),
    ):
        answer = http.get(url)
        assert (answer.status_code, answer.content) == (404, body)
    assert simulator.counts().packages["pkg:npm/never-published"] == 1
    assert http.get(f"{simulator.url}/elsewhere").status_code == httpx.codes.NOT_FOUND


def test_spellings_of_a_project_are_redirected(simulator: Simulator, http: httpx.Client) -> None:
    """PyPI redirects other spellings of a name, and a missing slash, with 301."""
    settings = simulator.environment()
    found = simulator.packages("pypi", 1, traits=("capitals",))[0]
    normalized = found.purl.rpartition("/")[2]
    for base, path in (
        (settings["PYPI_INDEX_URL"], f"/{found.name}/"),
        (settings["PYPI_INDEX_URL"], f"/{normalized}"),
        (settings["PYPI_JSON_URL"], f"/{found.name}/json"),
    ):
        answer = http.get(base + path)
        assert answer.status_code == httpx.codes.MOVED_PERMANENTLY
        assert (
            str(http.get(base + path, follow_redirects=True).url)
            .rstrip("/")
            .endswith(normalized if base.endswith("simple") else f"{normalized}/json")
        )


def test_the_index_is_made_of_files(simulator: Simulator, http: httpx.Client) -> None:
    """Only the lower-case path finds a crate, only its own spelling the crate file."""
    settings = simulator.environment()
    found = simulator.packages("cargo", 1, start=200, traits=("capitals",))[0]
    name, lower = found.name, found.name.lower()
    version = simulator.truth("cargo", name).versions[0].name.replace("+", "%2B")
    base, crates = settings["CARGO_INDEX_URL"], settings["CARGO_CRATES_URL"]
    for url, status in (
        (f"{base}/{lower[:2]}/{lower[2:4]}/{lower}", 200),
        (f"{base}/{name[:2]}/{name[2:4]}/{name}", 404),
        (f"{base}/aa/aa/{lower}", 404),
        (f"{crates}/{name}/{name}-{version}.crate", 200),
        (f"{crates}/{lower}/{lower}-{version}.crate", 404),
    ):
        assert http.get(url).status_code == status


def test_truth_and_closures(simulator: Simulator) -> None:
    """The client's data is complete: the requirements of a package are in its closure."""
    for ecosystem in ECOSYSTEMS:
        found = simulator.packages(ecosystem, 1, start=300, traits=("requirements",))[0]
        truth = simulator.truth(ecosystem, found.name)
        assert truth.purl == found.purl
        assert truth.requirements | {truth.purl} <= simulator.closure(ecosystem, found.name, "all")
        latest = simulator.closure(ecosystem, found.name)
        assert latest <= simulator.closure(ecosystem, found.name, "all")


def test_all_truths() -> None:
    """The data of a whole registry in parts equals that of each package, without deleted ones."""
    with Simulator.start(packages=450, versions="2", requirements="1") as small:
        gone = small.packages("npm", 1, start=200)[0]
        small.delete("npm", gone.name)
        truths = {truth.purl: truth for truth in small.truths("npm")}
        assert len(truths) == 449
        assert gone.purl not in truths
        assert all(truth == small.truth("npm", truth.registry_name) for truth in truths.values())
    here = open_registry("npm", packages=450, versions="2", requirements="1")
    package = here.package(7)
    assert package
    assert truths[package.purl] == truth_of(package)


def test_mistakes_of_the_client(simulator: Simulator) -> None:
    """The control API explains every invalid request."""
    with pytest.raises(LookupError, match="no ecosystem 'conda'"):
        simulator.packages("conda")
    with pytest.raises(LookupError, match="no package"):
        simulator.truth("npm", "never-published")
    with pytest.raises(ValueError, match="'explode' is not one of"):
        simulator.fault("explode")
    with pytest.raises(ValueError, match="unknown or missing fields"):
        simulator.fault("reset", colour="red")
    with pytest.raises(ValueError, match="unterminated character set"):
        simulator.fault("reset", path="[")
    with pytest.raises(ValueError, match="mode must be"):
        simulator.closure("npm", simulator.packages("npm", 1)[0].name, "none")  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="no fault 999"):
        simulator.clear_faults(999)
