"""Faults in transit: errors, broken connections, slowness, and the requests that they affect."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.simulator.client import Simulator
from tests.simulator_tests.test_server.documents import IMPATIENT, every_endpoint

pytest_plugins = ("tests.simulator.fixtures",)


@pytest.mark.parametrize(("status", "retry_after"), [(429, "7"), (503, None), (500, None)])
def test_statuses(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str], status: int, retry_after: str
) -> None:
    """Errors of the registry, with Retry-After if requested."""
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
    """The connection is reset, before the response or in the middle of it; the next one works."""
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
    """A slow body arrives completely; one that stalls exceeds the client's time-out."""
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


def test_redirects(simulator: Simulator, http: httpx.Client, urls: dict[str, str]) -> None:
    """A redirect leads to another host, or in a circle."""
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
    """A response with a latency of a minute is late; other ecosystems are unaffected."""
    simulator.latency(60_000, "npm")
    with pytest.raises(httpx.ReadTimeout):
        http.get(urls["npm.packument"], timeout=IMPATIENT)
    assert http.get(urls["cargo.index"]).status_code == httpx.codes.OK
    simulator.latency(0)
    assert http.get(urls["npm.packument"]).status_code == httpx.codes.OK


def test_requests_at_the_same_time(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """Requests wait in parallel, not in sequence; the counts say how many did."""
    simulator.latency(1500)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(http.get, [urls["cargo.index"]] * 8))
    assert {a.status_code for a in answers} == {200}
    assert simulator.counts().most_in_flight == 8
    assert simulator.counts().in_flight == 0
