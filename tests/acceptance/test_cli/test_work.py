"""Work that is submitted by ``extract``, shown as a job, and found as a dead letter."""

import json
import re
import subprocess
import time
from typing import Any

from ssc_ingest.models import Outcome, Purl
from ssc_ingest.resources import State
from tests.acceptance.fleet import LONG_ENOUGH
from tests.acceptance.test_cli.content import dead_letter
from tests.acceptance.test_cli.running import PROGRAM, Run


async def test_extract_puts_work_on_the_urgent_queue(state: State, run: Run) -> None:
    """A call creates one job, and one message per package.

    If nothing reads the queue, the output says so.
    """
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
    """Waiting ends with the job; a failed package is shown with its reason and exits with 1."""
    with subprocess.Popen(  # noqa: ASYNC220 - it is read only when it has ended
        [PROGRAM, "extract", "pkg:pypi/a", "pkg:pypi/b", "--wait"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        job_id = await _only_job(state, packages=2)
        counts = {"versions": 5, "requirements": 7, "requests": 2}
        await state.jobs.finish(job_id, Purl("pkg:pypi/a"), Outcome.EXTRACTED, counts=counts)
        await state.jobs.finish(job_id, Purl("pkg:pypi/b"), Outcome.FAILED, reason="no such luck")
        output, _ = process.communicate(timeout=LONG_ENOUGH)
    assert process.returncode == 1
    assert "no such luck" in output
    assert re.search(r"versions +5\b", output)
    assert re.search(r"requirements +7\b", output)


async def _only_job(state: State, packages: int) -> str:
    deadline = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < deadline:
        for job_id in await state.jobs.ids():
            job = await state.jobs.get(job_id)
            if job and job.seen == packages:
                return job_id
    raise AssertionError("no job was made")


async def test_jobs(state: State, run: Run) -> None:
    """Jobs are listed, newest first, and shown; an unknown one exits with 1."""
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
    """Dead letters are listed, shown, exported, replayed and purged.

    By id or filter, with a dry run.
    """
    assert "no dead letters" in run("dead-letters", "list").stdout
    first = await dead_letter(state, "first")
    second = await dead_letter(state, "second", "npm")
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
    assert dry.stdout.split()[:5] == ["id", "about", "error", "tries", "when"]
    assert f"\n{short}  pypi first  MalformedMetadata: no versions " in dry.stdout
    assert "second" not in dry.stdout
    assert dry.stderr == "1 dead letter would be replayed\n"
    dry = run("dead-letters", "replay", "--ecosystem", "pypi", "--dry-run", "--json")
    assert json.loads(dry.stdout) == {"ids": [first], "dry_run": True}
    assert await state.dead_letters.count() == 2
    dry = run("dead-letters", "purge", "--all", "--dry-run")
    assert "npm second " in dry.stdout
    assert "pypi first " in dry.stdout
    assert dry.stderr == "2 dead letters would be deleted\n"
    assert await state.dead_letters.count() == 2
    assert run("dead-letters", "replay", first).returncode == 0
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}

    assert run("dead-letters", "purge", "--all", stdin="n\n").returncode == 1
    assert await state.dead_letters.count() == 1
    assert run("dead-letters", "purge", "--all", "--yes").returncode == 0
    assert await state.dead_letters.count() == 0


async def test_dead_letters_of_other_programs(state: State, run: Run) -> None:
    """The two fields of other programs' dead letters are listed, shown and exported.

    A replay returns them to their stream.
    """
    fields: dict[Any, Any] = {"data": '{"package": "six"}', "error": "KeyError: 'node_type'"}
    entry: Any = await state.streams.xadd("package-extraction-dlq", fields)
    letter_id = f"package-extraction-dlq/{entry}"
    listed = run("dead-letters", "list")
    assert letter_id in listed.stdout
    assert "'node_type'" in listed.stdout
    shown = run("dead-letters", "show", letter_id)
    assert fields["data"] in shown.stdout
    assert fields["error"] in shown.stdout
    (exported,) = run("dead-letters", "export").stdout.splitlines()
    assert json.loads(exported)["data"] == fields["data"]
    assert run("dead-letters", "replay", "--all").returncode == 0
    assert await state.dead_letters.count() == 0
    returned: Any = await state.streams.xrange("package-extraction")
    assert [fields for _, fields in returned] == [{"data": fields["data"]}]


async def test_dead_letters_that_cannot_be_replayed(state: State, run: Run) -> None:
    """The reason is shown; if they were named, the exit code is 1."""
    entry: Any = await state.streams.xadd("package-extraction-dlq", {"error": "no data"})
    letter_id = f"package-extraction-dlq/{entry}"
    every = run("dead-letters", "replay", "--all")
    assert every.returncode == 0
    assert f"{letter_id} stays: it names no task" in every.stderr
    named = run("dead-letters", "replay", letter_id, "1-1", "--json")
    assert named.returncode == 1
    assert json.loads(named.stdout)["ids"] == []
    assert json.loads(named.stdout)["kept"].keys() == {letter_id, "1-1"}
    assert run("dead-letters", "replay", "1-1").returncode == 1
    dry = run("dead-letters", "replay", letter_id, "1-1", "--dry-run")
    assert (dry.returncode, dry.stdout.count(letter_id)) == (1, 1)
    assert "some of the ids name no dead letter" in dry.stderr
    assert run("dead-letters", "purge", "1-1", "--yes").returncode == 1
    assert run("dead-letters", "purge", letter_id, "--yes").returncode == 0


async def test_dead_letters_by_id(state: State, run: Run) -> None:
    """An id given twice counts once, so a wrong one beside it is noticed; none goes with --all."""
    first = await dead_letter(state, "first")
    short = first.removeprefix("dead-letters/")
    twice = run("dead-letters", "purge", first, short, "--dry-run", "--json")
    assert (twice.returncode, json.loads(twice.stdout)["ids"]) == (0, [first])
    wrong = run("dead-letters", "purge", first, short, "1-1", "--dry-run")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("1 dead letter would be deleted\nsome of the ids name no dead")
    both = run("dead-letters", "purge", first, "--all", "--yes")
    assert both.returncode == 2
    assert "ids cannot be combined" in both.stderr
    assert run("dead-letters", "purge", first, short, "--yes").stdout == "1 dead letter deleted\n"
    assert await state.dead_letters.count() == 0


async def test_dead_letters_by_job_and_age(state: State, run: Run) -> None:
    """Each filter works; an unreadable age is a usage error that shows the format."""
    first = await dead_letter(state, "first")

    def found(*options: str) -> list[str]:
        listed = json.loads(run("dead-letters", "list", "--json", *options).stdout)
        return [letter["id"] for letter in listed]

    assert found("--newer-than", "1h") == [first]
    assert found("--older-than", "1h") == found("--job", "nope") == found("--run", "nope") == []
    wrong = run("dead-letters", "list", "--older-than", "soon")
    assert wrong.returncode == 2
    assert "2h or 1d" in wrong.stderr


async def test_filters_of_jobs(state: State, run: Run) -> None:
    """By state and ecosystem; the limit counts those that match, and more are announced."""
    for purl in ("pkg:pypi/a", "pkg:npm/b", "pkg:npm/c"):
        run("extract", purl)
    (npm, *_) = jobs = json.loads(run("jobs", "list", "--json").stdout)
    await state.jobs.finish(npm["id"], Purl("pkg:npm/c"), Outcome.FAILED, reason="no such luck")

    def ids(*options: str) -> list[str]:
        return [job["id"] for job in json.loads(run("jobs", "list", "--json", *options).stdout)]

    everything = [job["id"] for job in jobs]
    assert ids("--ecosystem", "npm") == everything[:2]
    assert ids("--state", "failed") == everything[:1]
    assert ids("--state", "running", "--ecosystem", "npm") == everything[1:2]
    assert ids("--state", "done") == []
    limited = run("jobs", "list", "--state", "running", "--limit", "1")
    assert everything[1] in limited.stdout
    assert "more than 1 match" in limited.stderr
    assert "no job of the last day matches" in run("jobs", "list", "--state", "done").stdout
    assert run("jobs", "list", "--ecosystem", "none").returncode == 2
    assert run("jobs", "list", "--state", "none").returncode == 2


async def test_filters_of_runs_and_schedules(state: State, run: Run) -> None:
    """Runs by kind, ecosystem and state; schedules by ecosystem."""
    ingestion = json.loads(run("ingest", "npm", "--json").stdout)["run_id"]
    update = json.loads(run("update", "pypi", "--json").stdout)["run_id"]
    run("runs", "pause", update)

    def ids(*options: str) -> list[str]:
        return [each["run_id"] for each in json.loads(run("runs", "list", "--json", *options)[1])]

    assert ids() == [update, ingestion]
    assert ids("--kind", "ingestion") == ids("--ecosystem", "npm") == [ingestion]
    assert ids("--state", "paused") == [update]
    assert ids("--state", "paused", "--ecosystem", "npm") == []
    assert "more than 1 match" in run("runs", "list", "--limit", "1").stderr
    assert "no run matches" in run("runs", "list", "--kind", "staleness").stdout
    assert run("runs", "list", "--ecosystem", "none").returncode == 2
    listed = json.loads(run("schedules", "list", "--ecosystem", "npm", "--json").stdout)
    assert {each["arguments"]["ecosystem"] for each in listed["schedules"]} == {"npm"}
