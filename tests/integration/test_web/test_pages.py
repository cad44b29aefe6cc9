"""What the pages say, with servers that respond and with servers that do not."""

import asyncio
import re
import signal
import socket
from contextlib import suppress
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import now
from ssc_ingest.monitoring.heartbeats import Worker, beat
from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from ssc_ingest.vulnerabilities.mongo import DATABASE, SYNCS
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.integration.test_web.conftest import LONG_ENOUGH, NOWHERE, Start, known

HOSTILE = '"><script>alert(1)</script>\u202e\x1b[31m\ud800</td>{{ 7 * 7 }}'

PAGES = ["/", "/runs", "/dead-letters", "/registries", "/schedules"]


def section(page: str, name: str) -> str:
    """The text of one section of the overview, without tags."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, page
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def has_figures(page: str, name: str) -> bool:
    """Whether a section has a table or a list of figures."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, page
    return "<td" in found[0] or "<dd" in found[0]


async def dead_letter(state: State, name: str) -> str:
    """A task about this package that has failed permanently."""
    message = TaskMessage(
        task=EXTRACT,
        kwargs={"ecosystem": "pypi", "name": name},
        queue="pypi.urgent",
        task_id=f"task-{len(name)}",
    )
    error = MalformedMetadata(f"no version in {name}", url="https://example.org/x")
    with pytest.raises(MalformedMetadata):  # gives it a traceback
        raise error
    return await state.dead_letters.add(message, error, now=now())


async def test_the_overview_shows_the_fleet(state: State, start: Start) -> None:
    """Workers, queues with the age of the oldest message, dead letters by kind, registries."""
    await beat(
        state.redis,
        Worker(hostname="w1@here", pid=7, queues=("pypi.urgent",), concurrency=4, started_at=1e9),
        running=3,
    )
    await state.queues.publish([TaskMessage(task=EXTRACT, kwargs={}, queue="npm.bulk")])
    await dead_letter(state, "rich")
    await state.limiter.hold("maven", reason="their incident", seconds=None)
    with start().client() as visitor:
        page = known(visitor)
    assert "w1@here" in section(page, "workers")
    assert "3 of 4" in section(page, "workers")
    assert re.search(r"npm 0 0 1 oldest [\d.]+ s", section(page, "queues"))
    assert "1 dead letter." in section(page, "letters")
    assert "MalformedMetadata 1" in section(page, "letters")
    assert "maven ! paused" in section(page, "registries").replace("paused", "! paused")
    assert "their incident" in section(page, "registries")
    assert "beat is not running" in section(page, "problems")


async def test_job_times_are_read_once(state: State, start: Start) -> None:
    """Each refresh of the page asks Redis once for the jobs of the last day."""
    started = start()
    with started.client() as visitor:
        async with state.redis.monitor() as monitor:
            await asyncio.to_thread(known, visitor)
            await state.redis.echo("the page is complete")
            asked = []
            async with asyncio.timeout(LONG_ENOUGH):
                async for command in monitor.listen():
                    if "the page is complete" in command["command"]:
                        break
                    asked.append(command["command"])
    refreshes = asked.count("INFO server")
    assert refreshes
    assert len([each for each in asked if each.startswith("ZREVRANGE jobs ")]) == refreshes


async def test_servers_that_are_away_are_unknown_not_zero(state: State, start: Start) -> None:
    """Without the graph there are no numbers of packages, and no server hides another one."""
    with start().client() as visitor:
        page = known(visitor)
        coverage, advisories = section(page, "coverage"), section(page, "advisories")
        assert coverage.startswith("Coverage and freshness Unknown: how many packages there are")
        assert not has_figures(page, "coverage")
        assert has_figures(page, "queues")
        assert "Unknown: how old the advisories are" in advisories
        assert "npm 0 0 0" in section(page, "queues")
        stores = visitor.get("/healthz").json()["stores"]
    assert stores == {"graph": False, "redis": True, "vulnerabilities": False}


def test_without_redis_every_page_answers(start: Start) -> None:
    """Nothing about the fleet is known; the page says so, with the reason."""
    with start(REDIS_URL=f"redis://:secret@{NOWHERE}").client() as visitor:
        health = visitor.get("/healthz")
        assert health.json()["stores"] == dict.fromkeys(("graph", "redis", "vulnerabilities"))
        for path in PAGES:
            if path == "/dead-letters":
                answer = visitor.get(path)
                assert answer.status_code == 503
                page = answer.text
            else:
                page = known(visitor, path)
            assert "redis" in page.lower()
            assert "secret" not in page
        page = known(visitor)
    for name in ("runs", "queues", "letters", "registries", "workers"):
        assert "Unknown:" in section(page, name)
        assert not has_figures(page, name)
    assert "No problem is known" not in page


async def test_coverage_and_sizes(
    state: State, servers: Servers, clean_graph: None, cypher: Any, start: Start
) -> None:
    """Packages, stubs, versions, what was read in the last day; memory of the stores."""
    cypher(
        "CREATE (:PyPIPackage {purl: 'pkg:pypi/a', moment: localdatetime() - duration('PT1H')})"
        "-[:HAVE]->(:Version {purl: 'pkg:pypi/a@1'}), (:PyPIPackage {purl: 'pkg:pypi/b'})"
    )
    with MongoClient[dict[str, Any]](servers.vulnerabilities_uri) as client:
        client[DATABASE][SYNCS].delete_many({})  # other tests synced
    started = start(GRAPH_DB_URI=servers.graph_uri, VULN_DB_URI=servers.vulnerabilities_uri)
    with started.client() as visitor:
        page = known(visitor)
    assert re.search(r"pypi 1 1 1 0 1 \S.*? ago", section(page, "coverage"))
    stores = section(page, "servers")
    assert re.search(r"graph bolt://\S+ responds Neo4j 5\S* community [\d.]+ [KMG]iB", stores)
    assert re.search(r"redis redis://\S+ responds Valkey \S+ [\d.]+ [KMG]iB", stores)
    assert "pypi not synced unknown unknown unknown" in section(page, "advisories")


async def test_hostile_texts_are_only_text(state: State, start: Start) -> None:
    """Markup, characters that reverse a line, and templates in the name of a package."""
    hostile = HOSTILE.encode("utf-8", "replace").decode()
    letter_id = await dead_letter(state, hostile)
    await state.limiter.hold("npm", reason=hostile, seconds=None)
    await beat(
        state.redis,
        Worker(hostname=hostile, pid=7, queues=(hostile,), concurrency=1, started_at=1e9),
    )
    with start().client() as visitor:
        for path in [
            *PAGES,
            f"/dead-letters/show/{letter_id}",
            "/dead-letters?kind=" + "%22%3E%3Cmark",
        ]:
            page = known(visitor, path)
            assert "<script>alert" not in page
            assert "<mark" not in page
            assert not {"\u202e", "\x1b"} & set(page)
        detail = visitor.get(f"/dead-letters/show/{letter_id}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e\\x1b[31m" in detail
    assert "{{ 7 * 7 }}" in detail
    assert "Traceback (most recent call last)" in detail


async def test_dead_letters_are_listed_by_kind(state: State, start: Start) -> None:
    """The list, its filter, one letter, and one that is not there."""
    letter_id = await dead_letter(state, "rich")
    with start().client() as visitor:
        assert "pypi rich" in visitor.get("/dead-letters?kind=MalformedMetadata").text
        nothing = visitor.get("/dead-letters?kind=PackageNotFound&ecosystem=npm").text
        assert "There are no dead letters that match." in nothing
        assert "no version in rich" in visitor.get(f"/dead-letters/show/{letter_id}").text
        assert visitor.get("/dead-letters/show/dead-letters/1-0").status_code == 404
        assert visitor.get("/dead-letters/show/..%2f..%2fetc").status_code == 404
        assert visitor.get("/dead-letters?until=x").status_code == 400


async def test_headers(state: State, start: Start) -> None:
    """Nothing from elsewhere, nothing inline; errors have the headers, too."""
    with start().client() as visitor:
        for path in ("/", "/none", "/static/page.js", "/healthz"):
            headers = visitor.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers
        page = visitor.get("/").text
    assert not re.search(
        r"<script(?! src=\"/static/)|<style| style=| on\w+=|https?://(?!127)", page
    )


async def test_only_own_hosts_are_answered(state: State, start: Start) -> None:
    """A foreign name that resolves to 127.0.0.1 reaches nothing (DNS rebinding)."""
    started = start()
    port = started.url.rpartition(":")[2]
    with started.client() as visitor:
        for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "", "[::1"):
            assert visitor.get("/", headers={"Host": host}).status_code == 421
        for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
            assert visitor.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_order(start: Start, number: signal.Signals) -> None:
    """Ctrl-C ends it with 0 and without a traceback, also while it waits for a server."""
    started = start(REDIS_URL="redis://192.0.2.1:6379")
    with started.client() as visitor:
        assert visitor.get("/healthz").status_code == 200
        with suppress(httpx.ReadTimeout):
            visitor.get("/", timeout=0.5)
        assert started.stop(number) == 0
    assert "Traceback" not in started.log
    assert started.log.rstrip().endswith("stopped")


def test_a_port_in_use_is_named(start: Start) -> None:
    """The exit code is 78, and the message names the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = start("--port", str(port))
        assert started.process.wait(LONG_ENOUGH) == 78
    assert f"another program listens on port {port} of 127.0.0.1" in started.log
    assert "--port or WEB_PORT" in started.log
    assert "Traceback" not in started.log


def test_other_machines_need_a_password(start: Start) -> None:
    """As for Flower."""
    started = start(WEB_ADDRESS="0.0.0.0")  # noqa: S104
    assert started.process.wait(LONG_ENOUGH) == 78
    assert "set FLOWER_PASSWORD" in started.log
    assert "Traceback" not in started.log
