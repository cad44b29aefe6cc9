"""The running simulator: over sockets, through its client, and how its process ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.simulator import maven, rubygems
from tests.simulator.client import ROOT, Simulator
from tests.simulator.nuget import documents as nuget
from tests.simulator.registries import open_registry
from tests.simulator.truth import truth_of

pytest_plugins = ("tests.simulator.fixtures",)

IMPATIENT = httpx.Timeout(10, read=0.3)

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client that follows nothing and waits for nothing long."""
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def urls(running_simulator: Simulator) -> dict[str, str]:
    """A document of each kind, by endpoint."""
    simulator = running_simulator
    settings = simulator.environment()
    project = simulator.packages("pypi", 1, start=100, traits=("form:wheel",))[0]
    package = simulator.packages("npm", 1, start=100, traits=("scoped",))[0]
    crate = simulator.packages("cargo", 1, start=110)[0]
    jar = simulator.packages("maven", 1, start=110, traits=("form:plain",))[0]
    gem = simulator.packages("rubygems", 1, start=110)[0]
    unlisted = simulator.packages("nuget", 1, start=110, traits=("yanked",))[0]
    normalized = project.purl.rpartition("/")[2]
    lower = crate.name.lower()
    page = httpx.get(
        f"{settings['PYPI_INDEX_URL']}/{normalized}/",
        headers={"Accept": SIMPLE_JSON},
        trust_env=False,
    ).json()
    file = next(f["url"] for f in page["files"] if f.get("core-metadata"))
    version = page["versions"][0]
    return {
        "pypi.simple": f"{settings['PYPI_INDEX_URL']}/{normalized}/",
        "pypi.metadata": f"{file}.metadata",
        "pypi.json": f"{settings['PYPI_JSON_URL']}/{normalized}/json",
        "pypi.version_json": f"{settings['PYPI_JSON_URL']}/{normalized}/{version}/json",
        "maven.metadata": document_url(simulator, "maven", jar.name),
        "maven.pom": pom_url(simulator, jar.name),
        "rubygems.info": document_url(simulator, "rubygems", gem.name),
        "rubygems.versions": f"{settings['RUBYGEMS_API_URL']}/versions/{gem.name}.json",
        "rubygems.gems": f"{settings['RUBYGEMS_API_URL']}/gems/{gem.name}.json",
        "nuget.registration": document_url(simulator, "nuget", unlisted.name),
        "nuget.page": page_url(simulator),
        "nuget.nuspec": nuspec_url(simulator, unlisted.name),
        "npm.packument": f"{settings['NPM_REGISTRY_URL']}/{package.name.replace('/', '%2f')}",
        "cargo.index": f"{settings['CARGO_INDEX_URL']}/{lower[:2]}/{lower[2:4]}/{lower}",
        "cargo.crate": (
            f"{settings['CARGO_CRATES_URL']}/{crate.name}/{crate.name}-"
            f"{simulator.truth('cargo', crate.name).versions[0].name.replace('+', '%2B')}.crate"
        ),
    }


def pom_url(simulator: Simulator, name: str) -> str:
    """The POM of a package's first version."""
    folder = document_url(simulator, "maven", name).rpartition("/")[0]
    artifact, version = folder.rpartition("/")[2], simulator.truth("maven", name).versions[0].name
    return f"{folder}/{version}/{artifact}-{version}.pom"


def nuspec_url(simulator: Simulator, name: str) -> str:
    """The manifest of a package's first version."""
    content, lower = simulator.environment()["NUGET_CONTENT_URL"], name.lower()
    version = simulator.truth("nuget", name).versions[0].name.lower()
    return f"{content}/{lower}/{version}/{lower}.nuspec"


def page_url(simulator: Simulator) -> str:
    """The first page of a registration that has several."""
    for found in simulator.packages("nuget", 100, start=110, traits=("many-versions",)):
        index = httpx.get(document_url(simulator, "nuget", found.name), trust_env=False).json()
        if "items" not in index["items"][0]:
            return str(index["items"][0]["@id"])
    raise AssertionError("no package has so many versions")


ENDPOINTS = (
    "pypi.simple",
    "pypi.metadata",
    "pypi.json",
    "pypi.version_json",
    "npm.packument",
    "maven.metadata",
    "maven.pom",
    "cargo.index",
    "cargo.crate",
    "rubygems.info",
    "rubygems.versions",
    "rubygems.gems",
    "nuget.registration",
    "nuget.page",
    "nuget.nuspec",
)
ECOSYSTEMS = ("pypi", "npm", "maven", "cargo", "rubygems", "nuget")
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS)


# Answers ----------------------------------------------------------------------------------


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
    """A document that the client has is answered with 304 and nothing, until it changes."""
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
    """After a release the validator no longer holds, and the truth has one version more."""
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


def document_url(simulator: Simulator, ecosystem: str, name: str) -> str:
    """The main document of a package."""
    settings = simulator.environment()
    match ecosystem:
        case "pypi":
            normalized = name.lower().replace("_", "-").replace(".", "-")
            return f"{settings['PYPI_INDEX_URL']}/{normalized}/"
        case "npm":
            return f"{settings['NPM_REGISTRY_URL']}/{name}"
        case "maven":
            group, _, artifact = name.partition(":")
            folder = f"{settings['MAVEN_REPOSITORY_URL']}/{group.replace('.', '/')}/{artifact}"
            return f"{folder}/maven-metadata.xml"
        case "rubygems":
            return f"{settings['RUBYGEMS_INDEX_URL']}/info/{name}"
        case "nuget":
            return f"{settings['NUGET_REGISTRATION_URL']}/{name.lower()}/index.json"
    lower = name.lower()
    return f"{settings['CARGO_INDEX_URL']}/{lower[:2]}/{lower[2:4]}/{lower}"


def test_missing_packages(simulator: Simulator, http: httpx.Client) -> None:
    """Each registry says in its own way that it does not have a package."""
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
    """PyPI answers other spellings of a name, and a missing slash, with 301."""
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
    """The client's truth is whole: what a package requires is in its closure."""
    for ecosystem in ECOSYSTEMS:
        found = simulator.packages(ecosystem, 1, start=300, traits=("requirements",))[0]
        truth = simulator.truth(ecosystem, found.name)
        assert truth.purl == found.purl
        assert truth.requirements | {truth.purl} <= simulator.closure(ecosystem, found.name, "all")
        latest = simulator.closure(ecosystem, found.name)
        assert latest <= simulator.closure(ecosystem, found.name, "all")


def test_all_truths() -> None:
    """The truth of a whole registry, piece by piece, is that of each package; deleted ones lack."""
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
    """What the control API does not understand is an error with a reason."""
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


# Faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "retry_after"), [(429, "7"), (503, None), (500, None)])
def test_statuses(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], status: int, retry_after: str
) -> None:
    """Errors of the registry, with Retry-After where it is asked for."""
    simulator.fault("status", status=status, retry_after=retry_after, times=2)
    answers = [http.get(urls["npm.packument"]) for _ in range(3)]
    assert [a.status_code for a in answers] == [status, status, 200]
    assert answers[0].headers.get("retry-after") == retry_after
    assert simulator.counts().statuses == {str(status): 2, "200": 1}
    assert simulator.counts().faults == {"status": 2}


@pytest.mark.parametrize("at", ["head", "body"])
@every_endpoint
def test_resets(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], endpoint: str, at: str
) -> None:
    """The connection is reset, before the answer or in the middle of it; the next one works."""
    simulator.fault("reset", at=at, endpoint=endpoint, times=1)
    with pytest.raises(httpx.ReadError):
        http.get(urls[endpoint])
    assert simulator.counts().statuses == {"0" if at == "head" else "200": 1}
    assert http.get(urls[endpoint]).status_code == httpx.codes.OK


@every_endpoint
def test_truncated_bodies(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], endpoint: str
) -> None:
    """Fewer bytes arrive than Content-Length announced."""
    simulator.fault("truncate", keep=0.3, times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        http.get(urls[endpoint])
    assert http.get(urls[endpoint]).status_code == httpx.codes.OK


def test_slow_bodies(simulator: Simulator, http: httpx.Client, urls: dict[str, str]) -> None:
    """A slow body is whole in the end; one that stalls outlasts the client's patience."""
    whole = http.get(urls["pypi.simple"]).content
    slow = simulator.fault("slow", seconds=0.2)
    assert http.get(urls["pypi.simple"]).content == whole
    simulator.clear_faults(slow)
    simulator.fault("slow", seconds=600, times=1)
    with pytest.raises(httpx.ReadTimeout):
        http.get(urls["pypi.simple"], timeout=IMPATIENT)
    simulator.fault("stall", seconds=600, times=1)
    with pytest.raises(httpx.ReadTimeout):
        http.get(urls["pypi.simple"], timeout=IMPATIENT)
    assert http.get(urls["pypi.simple"]).content == whole


def test_pages_instead_of_documents(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """An error page with status 200, an empty body, a wrong media type, a body of one's own."""
    whole = http.get(urls["npm.packument"]).content
    simulator.fault("html", times=1)
    answer = http.get(urls["npm.packument"])
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"].startswith("text/html")
    simulator.fault("empty", times=1)
    assert http.get(urls["npm.packument"]).content == b""
    simulator.fault("media-type", media_type="image/png", times=1)
    answer = http.get(urls["npm.packument"])
    assert (answer.headers["content-type"], answer.content) == ("image/png", whole)
    simulator.fault("body", body=b"\x00\xff", status=418, headers={"X-Why": "tea"}, times=1)
    answer = http.get(urls["npm.packument"])
    assert (answer.status_code, answer.content) == (418, b"\x00\xff")
    assert answer.headers["x-why"] == "tea"


@every_endpoint
def test_not_json(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], endpoint: str
) -> None:
    """A complete answer that breaks off in the middle of the document."""
    simulator.fault("not-json", times=1)
    answer = http.get(urls[endpoint], headers={"Accept": SIMPLE_JSON})
    assert answer.content.endswith(b"upstream closed\x00")
    with pytest.raises(ValueError):  # noqa: PT011 (whatever the decoder says)
        json.loads(answer.content)


@pytest.mark.parametrize(
    "endpoint",
    [
        "pypi.simple", "pypi.json", "npm.packument", "cargo.index",
        "rubygems.versions", "rubygems.gems", "nuget.registration", "nuget.page",
    ],
)  # fmt: skip
def test_fields_of_another_type_or_missing(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], endpoint: str
) -> None:
    """Valid JSON of the wrong shape: all fields, or those that are named."""

    def objects() -> list[dict[str, object]]:
        answer = http.get(urls[endpoint], headers={"Accept": SIMPLE_JSON})
        lines = answer.content.splitlines() if endpoint == "cargo.index" else [answer.content]
        found = [json.loads(line) for line in lines]
        return found[0] if endpoint == "rubygems.versions" else found

    whole = objects()
    simulator.fault("wrong-types", times=1)
    for true, false in zip(whole, objects(), strict=True):
        assert true.keys() == false.keys()
        assert all(type(true[key]) is not type(false[key]) for key in true)
    simulator.fault("missing-keys", times=1)
    assert objects() == [{}] * len(whole)
    key = next(iter(whole[0]))
    simulator.fault("missing-keys", keys=[key], times=1)
    assert objects() == [{k: v for k, v in each.items() if k != key} for each in whole]


def test_nested_fields(simulator: Simulator, http: httpx.Client, urls: dict[str, str]) -> None:
    """A field inside an object is named with a dot."""
    simulator.fault("wrong-types", keys=["info.requires_dist", "urls"], times=1)
    document = http.get(urls["pypi.json"]).json()
    assert document["urls"] == "unexpected"
    assert document["info"]["requires_dist"] in ("unexpected", {"unexpected": True})
    assert document["info"]["name"]


def test_metadata_that_is_no_text(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """What is no JSON to begin with becomes bytes that are no text."""
    simulator.fault("wrong-types", times=1)
    with pytest.raises(UnicodeDecodeError):
        http.get(urls["pypi.metadata"]).content.decode()


@pytest.mark.parametrize(
    ("kind", "chunked"), [("oversized", False), ("oversized", True), ("bomb", False)]
)
def test_oversized_bodies(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], kind: str, *, chunked: bool
) -> None:
    """Many megabytes before the document: announced, not announced, or compressed to little."""
    whole = http.get(urls["npm.packument"]).content
    simulator.fault(kind, megabytes=20, chunked=chunked, times=1)
    received, last = 0, b""
    with http.stream("GET", urls["npm.packument"]) as answer:
        for chunk in answer.iter_bytes(1 << 20):
            received += len(chunk)
            last = (last + chunk)[-len(whole) :]
        announced = answer.headers.get("content-length")
        on_the_wire = answer.num_bytes_downloaded
    assert received == 20 * 1024 * 1024 + len(whole)
    assert last == whole
    assert announced == (str(received) if kind == "oversized" and not chunked else None)
    assert (on_the_wire < 1024 * 1024) == (kind == "bomb")


def test_heavy_documents(simulator: Simulator, http: httpx.Client, urls: dict[str, str]) -> None:
    """The same package in as many megabytes as asked for, with what fills real documents."""
    whole = http.get(urls["npm.packument"]).json()
    simulator.fault("heavy", megabytes=5, times=1)
    heavy = http.get(urls["npm.packument"])
    assert abs(len(heavy.content) / (5 * 1024 * 1024) - 1) < 0.01
    document = heavy.json()
    assert document.keys() == whole.keys()
    for version, manifest in whole["versions"].items():
        assert manifest.items() <= {**document["versions"][version], **manifest}.items()
        assert document["versions"][version].get("dependencies") == manifest.get("dependencies")


def test_redirects(simulator: Simulator, http: httpx.Client, urls: dict[str, str]) -> None:
    """To another host, or in a circle."""
    simulator.fault("redirect", location="https://registry.example/x", times=1)
    answer = http.get(urls["cargo.index"])
    assert (answer.status_code, answer.headers["location"]) == (302, "https://registry.example/x")
    simulator.fault("redirect", status=308)
    with pytest.raises(httpx.TooManyRedirects):
        http.get(urls["cargo.index"], follow_redirects=True)


def test_which_requests_fail(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """Faults are for an ecosystem, a kind, a package or a path; after some requests; a share."""

    def statuses(endpoint: str, count: int = 1) -> list[int]:
        return [http.get(urls[endpoint]).status_code for _ in range(count)]

    number = simulator.fault("status", ecosystem="cargo")
    assert statuses("cargo.index") == statuses("cargo.crate") == [503]
    assert statuses("npm.packument") == [200]
    simulator.clear_faults(number)
    simulator.fault("status", endpoint="pypi.metadata", after=1, times=2)
    assert statuses("pypi.metadata", 4) == [200, 503, 503, 200]
    assert statuses("pypi.simple") == [200]
    simulator.clear_faults()
    purl = simulator.packages("npm", 1, start=100, traits=("scoped",))[0].purl
    simulator.fault("status", package=purl)
    assert statuses("npm.packument") == [503]
    simulator.clear_faults()
    simulator.fault("status", path=r"/json$")
    assert statuses("pypi.json") == [503]
    assert statuses("pypi.simple") == [200]
    simulator.clear_faults()
    simulator.fault("status", share=0.5)
    failed = statuses("cargo.index", 100).count(503)
    assert 25 < failed < 75


def test_latency(simulator: Simulator, http: httpx.Client, urls: dict[str, str]) -> None:
    """An answer that is to take a minute does not come at once; other ecosystems' do."""
    simulator.latency(60_000, "npm")
    with pytest.raises(httpx.ReadTimeout):
        http.get(urls["npm.packument"], timeout=IMPATIENT)
    assert http.get(urls["cargo.index"]).status_code == httpx.codes.OK
    simulator.latency(0)
    assert http.get(urls["npm.packument"]).status_code == httpx.codes.OK


def test_requests_at_the_same_time(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """Requests wait beside each other, not behind each other; the counts tell how many did."""
    simulator.latency(1500)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(http.get, [urls["cargo.index"]] * 8))
    assert {a.status_code for a in answers} == {200}
    assert simulator.counts().most_in_flight == 8
    assert simulator.counts().in_flight == 0


# The process ------------------------------------------------------------------------------


def test_two_processes_serve_the_same_bytes(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """Documents depend on the options alone (and on the address, which stands in some)."""
    with Simulator.start(packages=1000, seed=7) as other:
        for url in urls.values():
            one = http.get(url).content.replace(simulator.url.encode(), b"")
            two = http.get(url.replace(simulator.url, other.url)).content
            assert one == two.replace(other.url.encode(), b"")


def test_memory_at_a_hundred_thousand_packages(http: httpx.Client) -> None:
    """The process does not grow with the number of packages that were asked for."""
    with Simulator.start(packages=100_000, versions="5", requirements="3") as simulator:
        assert simulator.process
        process = psutil.Process(simulator.process.pid)

        def ask(first: int) -> int:
            for index in range(first, first + 700):
                name = names[index]
                assert http.get(f"{base}/{name}").status_code == httpx.codes.OK
            return process.memory_info().rss

        base = simulator.environment()["NPM_REGISTRY_URL"]
        names = [found.name for found in simulator.packages("npm", 2100, start=50_000)]
        warm = ask(0)
        ask(700)
        assert ask(1400) - warm < 16 * 1024 * 1024


def test_it_stops_cleanly() -> None:
    """SIGTERM ends the process with code 0, also while an answer is being held back."""
    with Simulator.start(packages=10) as simulator:
        simulator.fault("stall", seconds=600)
        name = simulator.packages("npm", 1)[0].name
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                f"{simulator.environment()['NPM_REGISTRY_URL']}/{name}",
                timeout=IMPATIENT,
                trust_env=False,
            )
    assert simulator.process
    assert simulator.process.returncode == 0


def test_it_dies_with_its_parent() -> None:
    """Killing the process that started it, in whatever way, ends the simulator."""
    program = (
        "from tests.simulator.client import Simulator\n"
        "simulator = Simulator.start(packages=10)\n"
        "print(simulator.process.pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        simulator = psutil.Process(int(parent.stdout.readline()))
        assert simulator.is_running()
        os.kill(parent.pid, signal.SIGKILL)
        assert has_ended(simulator)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process that is not our child ends soon; nobody may be there to bury it."""
    for _ in range(100):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_options_that_make_no_sense() -> None:
    """A simulator that cannot start says why and leaves no process behind."""
    with pytest.raises(ValueError, match="is not a number, a range"):
        Simulator.start(versions="many")
    with Simulator.start(packages=1) as simulator:
        port = int(simulator.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="did not start"):
            Simulator.start(packages=1, port=port)


def test_the_rate_can_be_measured() -> None:
    """The load generator gets an answer to each of its requests."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulator.load", "--packages", "200"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 10
