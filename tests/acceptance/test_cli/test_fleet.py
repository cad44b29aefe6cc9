"""The state of the fleet in ``status`` and ``check``."""

import json
import time
from typing import Any

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.models import Outcome
from ssc_ingest.monitoring.heartbeats import GONE_AFTER, Beat, Worker, beat
from ssc_ingest.on_demand.stream.readers import StreamReader
from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT, queue_names
from tests.acceptance.test_cli.content import dead_letter
from tests.acceptance.test_cli.running import NOWHERE, Run


async def whole_fleet(state: State) -> None:
    """Heartbeats of a worker that reads all queues and the streams, and of a beat."""
    for stream in state.standings.names:
        await state.standings.readers.note(
            StreamReader(stream=stream, consumer="consumer-here-1", state="reading")
        )
    worker = Worker(
        hostname="worker@here",
        pid=1,
        queues=tuple(queue_names(list(ecosystems()))),
        concurrency=8,
        started_at=time.time(),
    )
    await beat(state.redis, worker)
    await set_beat(state, leads=True)


def worker_here() -> Worker:
    """A worker of three queues."""
    return Worker(
        hostname="worker@here",
        pid=1,
        queues=("pypi.urgent", "pypi.bulk", "control"),
        concurrency=8,
        started_at=time.time(),
    )


async def set_beat(state: State, *, leads: bool) -> None:
    """The heartbeat of a beat."""
    there = Beat(hostname="here", pid=2, leads=leads, schedules=(), seen_at=time.time())
    await state.redis.set(there.key, there.encode(), ex=GONE_AFTER)


async def test_status(graph: None, state: State, run: Run, servers: Servers) -> None:
    """Servers, workers, queues and counts, for people and for programs."""
    await dead_letter(state, "first")
    await beat(state.redis, worker_here(), running=3)
    run("extract", "pkg:pypi/a")
    found = json.loads(run("status", "--json").stdout)
    assert found["servers"]["graph"]["uri"] == servers.graph_uri
    assert found["servers"]["redis"]["uri"] == servers.redis_url
    assert found["servers"]["vulnerabilities"]["reachable"] is True
    assert found["queues"]["pypi.urgent"] == 1
    assert (found["dead_letters"], found["jobs_running"]) == (1, 1)
    assert found["workers"][0]["running"] == 3
    assert found["graph"]["pypi"]["packages"] == 1
    assert found["graph"]["pypi"]["stubs"] == 1
    assert found["graph"]["pypi"]["versions"] == 12
    assert found["graph"]["pypi"]["looked_at_every_days"] == 7
    text = run("status")
    assert text.returncode == 69  # no worker reads the other queues
    assert "worker@here" in text.stdout
    assert "pypi.urgent 1" in text.stdout
    assert "every 7 days" in text.stdout
    assert "every" not in run("status", STALENESS_BUDGET="0").stdout


def test_status_without_a_server(clean_redis: None, run: Run) -> None:
    """An unavailable server is named, and the others are shown; no credentials appear."""
    done = run("status", "--json", REDIS_URL=f"redis://user:secret@{NOWHERE}")
    assert done.returncode == 69
    found = json.loads(done.stdout)
    assert found["servers"]["redis"]["reachable"] is False
    assert found["servers"]["graph"]["reachable"] is True
    assert "secret" not in done.stdout + done.stderr


async def test_check_finds_nothing_wrong(graph: None, state: State, run: Run) -> None:
    """Every check has a line, and all are ok."""
    await whole_fleet(state)
    done = run("check", "--offline", "--json")
    outcomes = {(check["subject"], check["outcome"]) for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    subjects = ("graph", "APOC", "schema", "data", "redis", "redis memory", "redis durability")
    for subject in (*subjects, "fleet", "vulnerabilities"):
        assert (subject, "ok") in outcomes
    assert "ok" in run("check", "--offline").stdout


async def test_check_suggests_fixes(graph: None, state: State, run: Run, cypher: Any) -> None:
    """Wrong data fail the check; a missing contact is a warning; a missing server exits with 69."""
    await whole_fleet(state)
    cypher(
        "MATCH (:PyPIPackage {purl: 'pkg:pypi/example'})-[:HAVE]->(v:Version {name: '1.5'}) "
        "SET v.serial_number = 99"
    )
    done = run("check", "--offline", CONTACT="")
    assert done.returncode == 1
    assert "serial numbers have gaps (PyPIPackage), such as pkg:pypi/example" in done.stdout
    assert "set CONTACT" in done.stdout
    away = run("check", "--offline", VULN_DB_URI=f"mongodb://user:secret@{NOWHERE}")
    assert away.returncode == 69
    assert "VULN_DB_URI" in away.stdout
    assert "secret" not in away.stdout
    assert run("check", "--offline", GRAPH_DB_URI="").returncode == 78


async def test_check_names_a_disk_that_lags(graph: None, state: State, run: Run) -> None:
    """A Redis that acknowledges before its disk has a write is a warning with a remedy."""
    await whole_fleet(state)
    await state.redis.config_set("appendfsync", "everysec")
    try:
        done = run("check", "--offline")
    finally:
        await state.redis.config_set("appendfsync", "always")
    assert done.returncode == 0, done.stdout
    assert "appendfsync everysec: a crash of Redis can lose work" in done.stdout


async def test_replies_that_nobody_fetched(graph: None, state: State, run: Run) -> None:
    """A warning names those that never expire, and no others."""
    await whole_fleet(state)
    broker = state.queues._redis
    await broker.lpush("first.reply.celery.pidbox", "{}")
    await broker.lpush("second.reply.celery.pidbox", "{}")
    await broker.expire("second.reply.celery.pidbox", 100)
    done = run("check", "--offline")
    assert done.returncode == 0
    assert "warning redis replies: 1 list of replies to remote commands never ex" in done.stdout
    assert "first.reply.celery.pidbox" in done.stdout
    await broker.expire("first.reply.celery.pidbox", 100)
    assert "redis replies" not in run("check", "--offline").stdout


async def test_check_requests_the_registries(
    graph: None, state: State, run: Run, simulator: Any
) -> None:
    """Each configured address gets one request; one that does not respond exits with 69."""
    await whole_fleet(state)
    registries = simulator.environment()
    done = run("check", **registries)
    assert done.returncode == 0, done.stdout
    assert "PyPI index" in done.stdout
    away = run("check", **{**registries, "NPM_REGISTRY_URL": f"http://{NOWHERE}"})
    assert away.returncode == 69
    assert f"failed  npm registry: http://{NOWHERE}" in away.stdout


ABSENT = {
    "workers": "no worker is running",
    "beat": "beat is not running",
    "queues": "no worker reads npm.bulk (0 messages wait there)",
}


@pytest.mark.parametrize("absent", ABSENT)
async def test_what_is_absent_is_named(graph: None, state: State, run: Run, absent: str) -> None:
    """``check`` and ``status`` name what is absent: as text, as JSON and in the exit code."""
    await whole_fleet(state)
    match absent:
        case "workers":
            await state.redis.delete("worker:worker@here")
        case "beat":
            await state.redis.delete("beat:here:2")
        case "queues":
            document = json.loads(str(await state.redis.get("worker:worker@here")))
            document["queues"].remove("npm.bulk")
            await state.redis.set("worker:worker@here", json.dumps(document), ex=GONE_AFTER)
    checked, status = run("check", "--offline"), run("status")
    assert (checked.returncode, status.returncode) == (69, 69)
    assert ABSENT[absent] in " ".join(checked.stdout.split())
    assert ABSENT[absent] in " ".join(status.stdout.split())
    (problem,) = json.loads(run("status", "--json").stdout)["problems"]
    assert (problem["subject"], problem["absent"]) == (absent, True)
    assert ABSENT[absent] in problem["finding"]
    assert problem["remedy"]


async def test_what_does_not_go_on_is_named(graph: None, state: State, run: Run) -> None:
    """Paused registries and hosts, a beat without the lock, and runs with errors.

    They are warnings, which fail only a strict check.
    """
    await whole_fleet(state)
    await set_beat(state, leads=False)
    await state.limiter.hold("npm", reason="their incident", seconds=None)
    await state.queues.delay(TaskMessage(task=EXTRACT, kwargs={}, queue="npm.bulk"), 600)
    await state.limiter.unreachable("pypi.org", "the name pypi.org is not known")
    control = state.run_control()
    run_, _ = await control.begin("ingestion", "cargo")
    await state.redis.hset(
        f"run:{run_.id}", mapping={"state": "finished", Outcome.FAILED.value: "3"}
    )
    done = run("check", "--offline", "--json")
    assert done.returncode == 0
    warnings = {
        check["subject"]: check["finding"]
        for check in json.loads(done.stdout)
        if check["outcome"] == "warning"
    }
    assert warnings["beat"].startswith("no beat holds the lock")
    assert warnings["npm"] == "npm is paused by an operator: their incident"
    assert warnings["pypi"].startswith("the name pypi.org is not known")
    assert warnings["runs"] == (
        "the last ingestion of cargo finished with errors: 3 packages failed"
    )
    assert run("check", "--offline", "--strict").returncode == 1
    status = run("status")
    assert status.returncode == 0
    assert status.stdout.count("their incident") == 1, "once is enough"
    assert "`ssc-ingest registries resume npm` ends the pause" in status.stdout
    assert "finished with errors" in run("runs", "list").stdout
    assert json.loads(run("runs", "list", "--json").stdout)[0]["state"] == "finished with errors"
