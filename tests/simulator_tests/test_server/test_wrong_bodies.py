"""Faults within a complete response: another document, another shape, another size."""

import json

import httpx
import pytest

from tests.simulator.client import Simulator
from tests.simulator_tests.test_server.documents import SIMPLE_JSON, every_endpoint

pytest_plugins = ("tests.simulator.fixtures",)


def test_pages_instead_of_documents(
    simulator: Simulator, http: httpx.Client, urls: dict[str, str]
) -> None:
    """An error page with status 200, an empty body, a wrong media type, a custom body."""
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
    """A complete response that ends in the middle of the document."""
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
    """Valid JSON of the wrong form: all fields, or the named ones."""

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
    """Documents other than JSON become bytes that are not text."""
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
    """A package's document has any number of megabytes, with realistic contents."""
    whole = http.get(urls["npm.packument"]).json()
    simulator.fault("heavy", megabytes=5, times=1)
    heavy = http.get(urls["npm.packument"])
    assert abs(len(heavy.content) / (5 * 1024 * 1024) - 1) < 0.01
    document = heavy.json()
    assert document.keys() == whole.keys()
    for version, manifest in whole["versions"].items():
        assert manifest.items() <= {**document["versions"][version], **manifest}.items()
        assert document["versions"][version].get("dependencies") == manifest.get("dependencies")
