"""The command line as its users see it: a program, its output and its exit code."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from ssc_ingest.cli.program import program
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import IngestError, MalformedMetadata
from ssc_ingest.graph.changes import Order
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.jobs import Ending
from ssc_ingest.models import Package, PackageRef, Purl, Requirement, Version, VersionName, now
from ssc_ingest.queues import EXTRACT, TaskMessage
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.workforce import Worker, beat
from tests.acceptance.fleet import LONG_ENOUGH

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))
NOWHERE = "127.0.0.1:9"


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def environment(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of a program that uses the test servers."""
    folder = tmp_path_factory.mktemp("cli")
    return {
        **os.environ,
        "GRAPH_DB_URI": servers.graph_uri,
        "REDIS_URL": servers.redis_url,
        "VULN_DB_URI": servers.vulnerabilities_uri,
        "DATA_DIR": str(folder / "data"),
        "CONTACT": "ops@example.org",
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program: ``run("show", purl, REDIS_URL=...)``.

    In this process, since each start of another one costs seconds; what only a process of its
    own shows is tested with :func:`run_process`.
    """
    monkeypatch.chdir(tmp_path)  # no .env there

    def run(*arguments: str, stdin: str = "", **settings: str) -> Done:
        runner = CliRunner(env={**environment, **settings})
        with ThreadPoolExecutor(1) as thread:  # an event loop of its own
            result = thread.submit(runner.invoke, program, arguments, input=stdin).result()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


def run_process(
    environment: Mapping[str, str], *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed program as a process."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=LONG_ENOUGH,
        check=False,
    )


@pytest.fixture
async def state(clean_redis: None, settings: Settings, servers: Servers) -> AsyncIterator[State]:
    """Empty queues and jobs."""
    async with open_state(settings, servers) as state:
        yield state


@pytest.fixture
async def graph(clean_graph: None, settings: Settings, servers: Servers) -> None:
    """A package of 12 versions, whose newest requires a package that is a stub."""
    pypi = ecosystems()["pypi"]
    ref, required = pypi.ref("example"), pypi.ref("required")
    order: Order = pypi.order
    async with open_driver(servers, settings) as driver:
        await ensure_schema(driver, [cls.identity.label for cls in ecosystems().values()])
        writer = GraphWriter(driver)
        await writer.write(_package(ref, required), order=order)
        await writer.close()


def _package(ref: PackageRef, required: PackageRef) -> Package:
    versions = tuple(
        Version(
            name=VersionName(f"1.{number}"),
            purl=Purl(f"{ref.purl}@1.{number}"),
            release_date=now(),
            requirements=(Requirement(required, ">= 2"),) if number == 11 else (),
            yanked=number == 3,
        )
        for number in range(12)
    )
    return Package(
        ref=ref,
        vendor="Example Inc.",
        repository_url="https://example.org/example",
        versions=versions,
        latest=VersionName("1.11"),
        fetched_at=now(),
        import_names=("example",),
    )


async def _dead_letter(state: State, name: str, ecosystem: str = "pypi") -> str:
    message = TaskMessage(
        task=EXTRACT,
        kwargs={"ecosystem": ecosystem, "name": name},
        queue=f"{ecosystem}.urgent",
    )
    return await state.dead_letters.add(message, MalformedMetadata("no versions"), now=now())


def _tables_fit(text: str, columns: int) -> bool:
    return all(len(line) <= columns for line in text.splitlines())


# The program --------------------------------------------------------------------------------


def test_help_teaches_every_command(run: Run) -> None:
    """Every command says what it does, with examples, and the exit codes are listed."""
    overview = run("--help", COLUMNS="80")
    assert overview.returncode == 0
    assert "Exit codes" in overview.stdout
    assert _tables_fit(overview.stdout, 80)
    for command in ("up", "extract", "show", "query", "status", "check"):
        assert command in overview.stdout
        assert f"ssc-ingest {command}" in run(command, "--help").stdout
    for command in ("list", "show", "replay", "purge", "export"):
        assert f"ssc-ingest dead-letters {command}" in run("dead-letters", command, "--help").stdout
    assert re.fullmatch(r"ssc-ingest \d+\.\d+\.\d+\n", run("--version").stdout)


def test_help_loads_no_clients(environment: dict[str, str]) -> None:
    """``--help`` answers at once because nothing that talks to servers is imported for it."""
    code = (
        "import sys\n"
        "from ssc_ingest.cli.program import program\n"
        "heavy = {'neo4j', 'pymongo', 'httpx', 'redis', 'celery', 'univers'}\n"
        "sys.exit(str(heavy & set(sys.modules) or ''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, text=True,
                          capture_output=True)  # fmt: skip
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"GRAPH_DB_URI": f"bolt://{NOWHERE}"}, 69, "GRAPH_DB_URI"),
        ({"GRAPH_DB_URI": ""}, 78, "ssc-ingest up"),
        ({"GRAPH_DB_URI": "http://x"}, 78, "GRAPH_DB_URI"),
        ({"REDIS_PORT": "tcp://10.0.0.1:6379"}, 78, "REDIS_PORT"),
    ],
)
def test_a_missing_graph_is_one_sentence(
    run: Run, settings: Mapping[str, str], code: int, said: str
) -> None:
    """What is unreachable or not configured is named with its setting, without a traceback."""
    done = run("show", "pkg:pypi/example", **settings)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(IngestError):
        run("--debug", "show", "pkg:pypi/example", **settings)


def test_a_process_ends_with_the_code(environment: dict[str, str], tmp_path: Path) -> None:
    """The exit code is the process's; a traceback is shown only to those who ask for it."""
    settings = {**environment, "GRAPH_DB_URI": "http://x"}
    done = run_process(settings, "show", "pkg:pypi/example")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("GRAPH_DB_URI")
    assert "Traceback" not in done.stderr
    assert "Traceback" in run_process(settings, "--debug", "show", "pkg:pypi/example").stderr


def test_missing_redis_is_one_sentence(run: Run) -> None:
    """Commands that need Redis say so when it is away."""
    for command in (["jobs", "list"], ["extract", "pkg:pypi/x"], ["dead-letters", "list"]):
        done = run(*command, REDIS_URL=f"redis://user:secret@{NOWHERE}")
        assert done.returncode == 69
        assert "REDIS_URL" in done.stderr
        assert "secret" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


def test_wrong_usage_ends_with_2(run: Run) -> None:
    """Unknown commands, options, package URLs and ecosystems are the caller's mistakes."""
    assert run("no-such-command").returncode == 2
    assert run("show").returncode == 2
    assert run("extract", "pkg:pypi/x", "--dependencies", "some").returncode == 2
    assert run("up", "pkg:pypi/x").returncode == 2
    done = run("extract", "pypi/rich", "rich==1.0", "pkg:golang/x")
    assert done.returncode == 2
    assert "did you mean pkg:pypi/rich?" in done.stderr
    assert "did you mean pkg:pypi/rich@1.0?" in done.stderr
    assert "'golang'" in done.stderr
    assert run("dead-letters", "list", "--ecosystem", "golang").returncode == 2


# The graph ----------------------------------------------------------------------------------


def test_show_a_package(graph: None, run: Run) -> None:
    """The facts, the newest versions, what the latest requires; unknown is not zero."""
    shown = run("show", "pkg:PyPI/Example")
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    for fact in ("pkg:pypi/example", "Example Inc.", "1.11", ">= 2", "pkg:pypi/required", "stub"):
        assert fact in shown.stdout
    assert "not synced" in shown.stdout
    assert "0 vulnerabilities" not in shown.stdout
    assert "1.0 " not in shown.stdout
    assert "1.0 " in run("show", "pkg:pypi/example", "--all").stdout
    narrow = run("show", "pkg:pypi/example", COLUMNS="50")
    assert _tables_fit(narrow.stdout.replace("all of them: ssc-ingest show ", ""), 50)


def test_show_as_json(graph: None, run: Run) -> None:
    """The same as one JSON document, and who requires it."""
    shown = json.loads(run("show", "pkg:pypi/required", "--dependents", "--json").stdout)
    assert shown["is_stub"] is True
    assert shown["moment"] is None
    (dependent,) = shown["dependents"]["packages"]
    assert dependent == {
        "purl": "pkg:pypi/example",
        "newest": "1.11",
        "constraints": ">= 2",
        "versions": 1,
        "is_latest": True,
    }
    package = json.loads(run("show", "pkg:pypi/example@1.3", "--json").stdout)
    assert package["version_count"] == 12
    assert package["version"]["yanked"] is True
    assert package["vulnerabilities_synced_at"] is None


def test_show_what_is_not_there(graph: None, run: Run) -> None:
    """A package or version that the graph lacks ends with 1 and says what would change that."""
    absent = run("show", "pkg:npm/absent")
    assert absent.returncode == 1
    assert "ssc-ingest extract pkg:npm/absent" in absent.stderr
    version = run("show", "pkg:pypi/example@9.9")
    assert version.returncode == 1
    assert "1.11" in version.stderr
    stub = run("show", "pkg:pypi/required")
    assert stub.returncode == 0
    assert "a stub" in stub.stdout


def test_query_reads(graph: None, run: Run) -> None:
    """A statement's answer is a table, or JSON; only so many rows are shown."""
    statement = "MATCH (p:PyPIPackage)-[h:HAVE]->(v) RETURN p, h, v.name AS version ORDER BY v.name"
    table = run("query", statement, "--limit", "2")
    assert table.returncode == 0
    assert "(:PyPIPackage pkg:pypi/example)" in table.stdout
    assert "--limit" in table.stderr
    rows = json.loads(run("query", statement, "--limit", "2", "--json").stdout)
    assert [row["version"] for row in rows] == ["1.0", "1.1"]
    assert rows[0]["p"]["labels"] == ["PyPIPackage"]
    values = "RETURN null AS n, true AS t, [1, {a: 1.5}] AS l, date('2026-01-02') AS d"
    assert json.loads(run("query", values, "--json").stdout) == [
        {"n": None, "t": True, "l": [1, {"a": 1.5}], "d": "2026-01-02"}
    ]
    assert "[1, {a: 1.5}]" in run("query", values).stdout
    assert "no rows" in run("query", "MATCH (n:Nothing) RETURN n").stdout


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE (n:Intruder) RETURN n",
        "MATCH (n) DETACH DELETE n",
        "CREATE INDEX intruder FOR (n:Intruder) ON (n.name)",
        "CALL apoc.cypher.runWrite('CREATE (n:Intruder)', {}) YIELD value RETURN value",
        "this is no Cypher",
    ],
)
def test_query_never_writes(graph: None, run: Run, cypher: Any, statement: str) -> None:
    """The server refuses what writes, and the program says so."""
    done = run("query", statement)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert cypher("MATCH (n:Intruder) RETURN n") == []
    assert cypher("MATCH (v:Version) RETURN count(v) AS versions") == [{"versions": 12}]


# Work ---------------------------------------------------------------------------------------


async def test_extract_puts_work_on_the_urgent_queue(state: State, run: Run) -> None:
    """One job, one message for each package; nobody reads the queue, and that is said."""
    done = run("extract", "pkg:npm/@types/node@1.0", "pkg:cargo/Itoa", "pkg:cargo/itoa", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["packages"] == ["pkg:npm/%40types/node", "pkg:cargo/itoa"]
    assert "all versions of pkg:npm/%40types/node" in done.stderr
    assert "no worker reads cargo.urgent, npm.urgent" in done.stderr
    lengths = await state.queues.lengths(["npm.urgent", "cargo.urgent"])
    assert lengths == {"npm.urgent": 1, "cargo.urgent": 1}
    job = await state.jobs.get(document["job_id"])
    assert job is not None
    assert (job.seen, job.pending, job.dependencies) == (2, 2, "latest")


async def test_wait_reports_how_the_job_ended(state: State, environment: dict[str, str]) -> None:
    """Waiting ends with the job; a failed package is named with its reason and ends with 1."""
    with subprocess.Popen(  # noqa: ASYNC220 - it is read only when it has ended
        [PROGRAM, "extract", "pkg:pypi/a", "pkg:pypi/b", "--wait"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        job_id = await _only_job(state, packages=2)
        counts = {"versions": 5, "requirements": 7, "requests": 2}
        await state.jobs.finish(job_id, Purl("pkg:pypi/a"), Ending.EXTRACTED, counts=counts)
        await state.jobs.finish(job_id, Purl("pkg:pypi/b"), Ending.FAILED, reason="no such luck")
        output, _ = process.communicate(timeout=LONG_ENOUGH)
    assert process.returncode == 1
    assert "no such luck" in output
    assert re.search(r"versions +5\b", output)
    assert re.search(r"requirements +7\b", output)


async def _only_job(state: State, packages: int) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for job_id in await state.jobs.ids():
            job = await state.jobs.get(job_id)
            if job and job.seen == packages:
                return job_id
    raise AssertionError("no job was made")


async def test_jobs(state: State, run: Run) -> None:
    """Jobs are listed, the newest first, and shown; one that is not there ends with 1."""
    assert "no jobs" in run("jobs", "list").stdout
    first = json.loads(run("extract", "pkg:pypi/a", "--json").stdout)["job_id"]
    second = json.loads(run("extract", "pkg:pypi/b", "--refresh", "--json").stdout)["job_id"]
    listed = json.loads(run("jobs", "list", "--json").stdout)
    assert [job["id"] for job in listed] == [second, first]
    assert second in run("jobs", "list").stdout
    shown = run("jobs", "show", first)
    assert shown.returncode == 0
    assert "running" in shown.stdout
    assert json.loads(run("jobs", "show", first, "--json").stdout)["finished"] is False
    assert run("jobs", "show", "nope").returncode == 1


async def test_dead_letters(state: State, run: Run) -> None:
    """They are listed, shown, exported, replayed and purged, by id or filter, with a dry run."""
    assert "no dead letters" in run("dead-letters", "list").stdout
    first = await _dead_letter(state, "first")
    second = await _dead_letter(state, "second", "npm")
    listed = json.loads(run("dead-letters", "list", "--json").stdout)
    assert [letter["id"] for letter in listed] == [second, first]
    short = first.removeprefix("dead-letters/")
    of_pypi = run("dead-letters", "list", "--ecosystem", "pypi").stdout
    assert short in of_pypi
    assert "second" not in of_pypi
    assert "MalformedMetadata" in run("dead-letters", "show", first).stdout
    assert "MalformedMetadata" in run("dead-letters", "show", short).stdout
    assert run("dead-letters", "show", "dead-letters/1-1").returncode == 1
    exported = run("dead-letters", "export", "--error-type", "MalformedMetadata").stdout
    assert [json.loads(line)["id"] for line in exported.splitlines()] == [second, first]

    assert run("dead-letters", "replay").returncode == 2
    dry = run("dead-letters", "replay", "--ecosystem", "pypi", "--dry-run")
    assert (dry.stdout, await state.dead_letters.count()) == (f"{first}\n", 2)
    assert run("dead-letters", "replay", first).returncode == 0
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}

    assert run("dead-letters", "purge", "--all", stdin="n\n").returncode == 1
    assert await state.dead_letters.count() == 1
    assert run("dead-letters", "purge", "--all", "--yes").returncode == 0
    assert await state.dead_letters.count() == 0


# The fleet ----------------------------------------------------------------------------------


async def test_status(graph: None, state: State, run: Run, servers: Servers) -> None:
    """Servers, workers, queues and counts, for people and for programs."""
    await _dead_letter(state, "first")
    worker = Worker(
        hostname="worker@here",
        pid=1,
        queues=("pypi.urgent", "pypi.bulk", "control"),
        concurrency=8,
        started_at=time.time(),
    )
    await beat(state.state, worker, running=3)
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
    assert text.returncode == 0
    assert "worker@here" in text.stdout
    assert "pypi.urgent 1" in text.stdout
    assert "7 days" in text.stdout
    assert "every" not in run("status", STALENESS_BUDGET="0").stdout


def test_status_without_a_server(clean_redis: None, run: Run) -> None:
    """One that is away is named, with what the others know; no credentials are shown."""
    done = run("status", "--json", REDIS_URL=f"redis://user:secret@{NOWHERE}")
    assert done.returncode == 69
    found = json.loads(done.stdout)
    assert found["servers"]["redis"]["reachable"] is False
    assert found["servers"]["graph"]["reachable"] is True
    assert "secret" not in done.stdout + done.stderr


def test_check_finds_nothing_wrong(graph: None, clean_redis: None, run: Run) -> None:
    """Everything that is looked at has a line, and all of them are ok."""
    done = run("check", "--offline", "--json")
    outcomes = {(check["subject"], check["outcome"]) for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    for subject in ("graph", "APOC", "schema", "data", "redis", "redis memory", "vulnerabilities"):
        assert (subject, "ok") in outcomes
    assert "ok" in run("check", "--offline").stdout


def test_check_says_what_to_do(graph: None, clean_redis: None, run: Run, cypher: Any) -> None:
    """Wrong data fail the check; a missing contact is a warning; a missing server ends with 69."""
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


def test_check_asks_the_registries(graph: None, run: Run, simulator: Any) -> None:
    """Each configured registry address is asked once; one that does not answer ends with 69."""
    registries = simulator.environment()
    done = run("check", **registries)
    assert done.returncode == 0, done.stdout
    assert "PyPI index" in done.stdout
    away = run("check", **{**registries, "NPM_REGISTRY_URL": f"http://{NOWHERE}"})
    assert away.returncode == 69
    assert f"failed  npm registry: http://{NOWHERE}" in away.stdout


# What starts by itself ----------------------------------------------------------------------


async def test_schedules(state: State, run: Run) -> None:
    """They are listed with what they start and when, switched, and started by hand."""
    listed = json.loads(run("schedules", "list", "--json").stdout)
    assert listed["timezone"] == "UTC"
    found = {schedule["name"]: schedule for schedule in listed["schedules"]}
    weekly = found["maven_weekly_ingestion"]
    assert (weekly["on"], weekly["by_default"], weekly["next"]) == (False, True, None)
    assert weekly["when"] == "Sundays at 04:00"
    assert found["pypi_daily_update"]["on"]
    assert found["pypi_daily_update"]["next"].endswith("10:00:00+00:00")
    text = run("schedules", "list", TIMEZONE="Europe/Madrid", COLUMNS="100")
    assert "Europe/Madrid" in text.stdout
    assert "no beat is running" in text.stderr
    assert _tables_fit(text.stdout, 100)
    assert run("schedules", "enable", "maven_weekly_ingestion").returncode == 0
    assert run("schedules", "disable", "pypi_daily_update").returncode == 0
    found = {
        s["name"]: s for s in json.loads(run("schedules", "list", "--json").stdout)["schedules"]
    }
    assert found["maven_weekly_ingestion"]["on"]
    assert not found["pypi_daily_update"]["on"]
    assert not found["pypi_daily_update"]["by_default"]
    assert run("schedules", "run-now", "pypi_daily_update").returncode == 0
    assert (await state.queues.lengths(["control"]))["control"] == 1
    unknown = run("schedules", "enable", "pypi")
    assert unknown.returncode == 2
    assert "pypi_daily_update" in unknown.stderr


# Registries ---------------------------------------------------------------------------------


async def test_registries(state: State, run: Run) -> None:
    """They are listed with rates, use and pauses; paused for a time or for good, and resumed."""
    await state.limiter.take("registry.npmjs.org", rate=5, urgent=True, registry="npm")
    await state.limiter.pause("pypi.org", 100)
    assert run("registries", "pause", "npm", "--for", "2h", "--reason", "incident").returncode == 0
    assert run("registries", "pause", "maven").returncode == 0
    listed = {r["name"]: r for r in json.loads(run("registries", "list", "--json").stdout)}
    assert set(listed) == set(ecosystems())
    assert listed["npm"]["hold"]["reason"] == "incident"
    assert listed["npm"]["hold"]["until"]
    assert listed["maven"]["hold"]["until"] is None
    assert listed["npm"]["hosts"][0]["use"]["last_hour"] == 1
    text = run("registries", "list", COLUMNS="120").stdout
    assert "incident" in text
    assert "paused until resumed: by hand" in text
    assert "told us to wait" in text
    assert _tables_fit(text, 120)
    assert run("registries", "resume", "npm").returncode == 0
    assert "not paused" in run("registries", "resume", "npm").stderr
    assert run("registries", "pause", "golang").returncode == 2
    assert run("registries", "pause", "npm", "--for", "soon").returncode == 2


async def test_cache(state: State, run: Run) -> None:
    """How much there is of each kind, which entries match, and clearing them."""
    await state.cache.set("import_names:pypi:a:1", b"[]", ex=3600)
    await state.cache.set("import_names:npm:a:1", b"[]", ex=3600)
    sums = json.loads(run("cache", "list", "--json").stdout)
    assert sums["import_names"]["entries"] == 2
    assert sums["document"] == {
        "entries": 0,
        "bytes": 0,
        "oldest_seconds": 0,
        "kept_for_seconds": 24 * 3600,
    }
    assert "import_names" in run("cache", "list", COLUMNS="80").stdout
    (entry,) = json.loads(run("cache", "list", "import_names:npm:*", "--json").stdout)
    assert entry["key"] == "import_names:npm:a:1"
    assert "import_names:npm:a:1" in run("cache", "list", "*").stdout
    assert "--limit" in run("cache", "list", "*", "--limit", "1").stdout
    assert run("cache", "clear", "import_names:pypi:a:1").stdout == "1 entry removed\n"
    assert run("cache", "clear", "import_names:pypi:a:1").returncode == 1
    assert run("cache", "clear").returncode == 2
    assert json.loads(run("cache", "clear", "*", "--json").stdout) == {"removed": 1}
