"""Listings and feeds of the running simulator, in the forms of the real registries."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

SIMPLE_JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client that follows no redirects."""
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def projects(simulator: Simulator) -> str:
    """PyPI's list of all projects."""
    return f"{simulator.environment()['PYPI_INDEX_URL']}/"


@pytest.fixture
def changes(simulator: Simulator) -> str:
    """The feed of changes of npm."""
    return simulator.environment()["NPM_CHANGES_URL"]


# PyPI -----------------------------------------------------------------------------------------


def test_all_projects(simulator: Simulator, http: httpx.Client, projects: str) -> None:
    """Serials in the document, in the header and on the projects' pages agree."""
    answer = http.get(projects, headers=SIMPLE_JSON)
    assert answer.headers["content-type"] == SIMPLE_JSON["Accept"]
    document = answer.json()
    assert document["meta"]["api-version"] == "1.4"
    assert answer.headers["x-pypi-last-serial"] == str(document["meta"]["_last-serial"])
    assert [project["name"] for project in document["projects"]] == [*simulator.names("pypi")]
    for project in document["projects"][:20]:
        name = re.sub(r"[-_.]+", "-", project["name"]).lower()
        page = http.get(f"{projects}{name}/", headers=SIMPLE_JSON)
        assert page.headers["x-pypi-last-serial"] == str(project["_last-serial"])
    assert simulator.counts().endpoints == {"pypi.projects": 1, "pypi.simple": 20}


def test_projects_as_html(simulator: Simulator, http: httpx.Client, projects: str) -> None:
    """Without an Accept header the list is HTML, a different document from the JSON."""
    html, data = http.get(projects), http.get(projects, headers=SIMPLE_JSON)
    assert html.headers["content-type"].startswith("text/html")
    assert html.headers["etag"] != data.headers["etag"]
    assert re.findall(r">([^<>\n]+)</a>", html.text) == [*simulator.names("pypi")]


def test_the_list_changes(simulator: Simulator, http: httpx.Client, projects: str) -> None:
    """Each edit is a new document with a greater serial; a client that has it gets 304."""

    def get(etag: str | None = None) -> httpx.Response:
        headers = SIMPLE_JSON | ({"If-None-Match": etag} if etag else {})
        return http.get(projects, headers=headers)

    first = get()
    assert (get(first.headers["etag"]).status_code, get().text) == (304, first.text)
    name = simulator.packages("pypi", 1, start=9)[0].name
    simulator.publish("pypi", name)
    second = get(first.headers["etag"])
    serial = first.json()["meta"]["_last-serial"] + 1
    assert {"name": name, "_last-serial": serial} in second.json()["projects"]
    assert second.json()["meta"]["_last-serial"] == serial
    simulator.stale("pypi")
    assert get(first.headers["etag"]).status_code == 304
    simulator.stale("pypi", on=False)
    simulator.drop_feed_entries("pypi")
    dropped = get(second.headers["etag"]).json()
    assert dropped["meta"]["_last-serial"] == serial
    assert dropped["projects"] == first.json()["projects"]
    simulator.reset_sequence("pypi")
    assert get().json()["meta"]["_last-serial"] < first.json()["meta"]["_last-serial"]


def test_parts_of_files(simulator: Simulator, http: httpx.Client, projects: str) -> None:
    """Ranges of files can be requested; if the condition fails, the whole file is sent."""
    project = simulator.packages("pypi", 1, start=100, traits=("form:wheel",))[0]
    name = project.purl.rpartition("/")[2]
    files = http.get(f"{projects}{name}/", headers=SIMPLE_JSON).json()["files"]
    url = next(file["url"] for file in files if file.get("core-metadata")) + ".metadata"
    whole = http.get(url)
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(whole.content)

    def part(wanted: str, condition: str = whole.headers["etag"]) -> tuple[int, bytes, str | None]:
        answer = http.get(url, headers={"Range": f"bytes={wanted}", "If-Range": condition})
        return answer.status_code, answer.content, answer.headers.get("content-range")

    assert part("5-9") == (206, whole.content[5:10], f"bytes 5-9/{size}")
    assert part("7-") == (206, whole.content[7:], f"bytes 7-{size - 1}/{size}")
    assert part("-3") == (206, whole.content[-3:], f"bytes {size - 3}-{size - 1}/{size}")
    assert part(f"{size}-") == (416, b"", f"bytes */{size}")
    assert part("5-9", '"another"') == (200, whole.content, None)


# npm ------------------------------------------------------------------------------------------


def test_the_feed_of_changes(simulator: Simulator, http: httpx.Client, changes: str) -> None:
    """Every document once, in order, in consecutive pages, up to the announced end."""
    rows: list[dict[str, Any]] = []
    since = 0
    while True:
        page = http.get(changes, params={"since": since, "limit": 300}).json()
        rows += page["results"]
        since = page["last_seq"]
        if len(page["results"]) < 300:
            break
    end = http.get(simulator.environment()["NPM_REPLICATE_URL"]).json()
    assert (end["db_name"], end["update_seq"]) == ("registry", since)
    assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
    assert rows == http.get(changes, params={"limit": 10_000}).json()["results"]
    there = [row["id"] for row in rows if not row.get("deleted") and row["id"][0] != "_"]
    assert there == [*simulator.names("npm")]
    assert end["doc_count"] == len(there) + 1
    assert end["doc_del_count"] == sum(row.get("deleted", False) for row in rows)
    assert all(row["changes"][0]["rev"] for row in rows)
    again = http.get(changes, params={"since": since + 5}).json()
    assert (again["results"], again["last_seq"]) == ([], since)


def test_the_feed_changes(simulator: Simulator, http: httpx.Client, changes: str) -> None:
    """A changed document moves to the end; a deleted one is marked."""
    since = http.get(changes, params={"limit": 10_000}).json()["last_seq"]
    one, other = (found.name for found in simulator.packages("npm", 2, start=12))
    simulator.publish("npm", one)
    simulator.publish("npm", other)
    simulator.publish("npm", one)
    simulator.delete("npm", other)

    def news() -> list[tuple[str, bool]]:
        page = http.get(changes, params={"since": since}).json()
        return [(row["id"], row.get("deleted", False)) for row in page["results"]]

    assert news() == [(one, False), (other, True)]
    simulator.drop_feed_entries("npm", 1)
    assert news() == [(other, False), (one, False)]
    simulator.stale("npm", events=1)
    assert news() == [(one, False)]
    simulator.stale("npm")
    assert news() == []


# The control API ------------------------------------------------------------------------------


def test_the_history(simulator: Simulator) -> None:
    """The edits are listed in order, until a reset."""
    name = simulator.packages("npm", 1, start=3)[0].name
    version = simulator.publish("npm", name).latest
    simulator.delete("npm", name)
    assert [(e.package, e.kind, e.version) for e in simulator.history("npm")] == [
        (3, "publish", version),
        (3, "delete", None),
    ]
    assert name not in set(simulator.names("npm"))
    simulator.reset()
    assert simulator.history("npm") == []


def test_invalid_commands(simulator: Simulator) -> None:
    """An unknown registry, and an unknown command, are errors."""
    with pytest.raises(LookupError, match="no ecosystem"):
        simulator.reset_sequence("cpan")
    with pytest.raises(LookupError, match="nothing at"):
        simulator._send("POST", "explode", ecosystem="npm")
    with pytest.raises(ValueError, match="unexpected"):
        simulator._send("POST", "stale", ecosystem="npm", since=3)
