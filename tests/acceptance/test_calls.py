"""Tasks that are called by their names and executed by one worker, which continues."""

import asyncio
from typing import Any

from ssc_ingest.control.registry_pauses import RegistryPauses
from ssc_ingest.control.replay import PORTION, REPLAY
from ssc_ingest.models import Outcome, Purl, now
from ssc_ingest.on_demand.jobs import new_job_id
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.resources import State
from ssc_ingest.vulnerabilities.requests import AUDIT, SYNC
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.work import (
    assert_nothing_is_left,
    carried_out,
    finished,
    in_graph,
    root_of_a_large_closure,
    settled,
    start_job,
    unacknowledged,
)
from tests.conftest import Cypher
from tests.graph_truth import assert_closure_is_filled, assert_graph_holds, snapshot
from tests.simulator.client import Simulator


async def test_programs_without_our_code_call_by_name(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A bare Celery object on the default queue, also with a priority, and ``celery call``.

    All packages are in the graph.
    """
    (first, _), (second, _), (third, _) = simulator.packages("pypi", 3, start=30)
    shared_fleet.send(ecosystem="pypi", name=first, dependencies="none")
    wanted = {"ecosystem": "pypi", "name": third, "dependencies": "none"}
    shared_fleet.stranger.send_task("extraction.extract_package", kwargs=wanted, priority=5)
    kwargs = f'{{"ecosystem": "pypi", "name": "{second}", "dependencies": "none"}}'
    call = await asyncio.to_thread(
        shared_fleet.run,
        *("-A", "workers", "call", "extraction.extract_package", "--kwargs", kwargs),
        program="celery",
    )
    assert call.returncode == 0, call.stderr
    assert call.stdout
    for name in (first, second, third):
        truth = simulator.truth("pypi", name)
        await in_graph(cypher, truth.purl)
        assert_graph_holds(cypher, truth)
    await settled(state)
    await assert_nothing_is_left(state)


async def test_what_follows_a_task_follows_its_work(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """``link=`` of a task that is forwarded, deferred and delayed: sent once, after the work."""
    packages = (delayed, deferred, forwarded) = simulator.packages("npm", 3, start=83)
    queues = {delayed.name: "npm.fresh", deferred.name: "npm.urgent", forwarded.name: "celery"}
    stranger, broker = shared_fleet.stranger, state.queues._redis
    claimed = Purl(deferred.purl)
    pauses = RegistryPauses(state.limiter, state.queues)
    await pauses.pause("npm", reason="a test", seconds=None)
    await state.claims.claim_free(claimed, "another task")
    for name, queue in queues.items():
        stranger.send_task(
            "extraction.extract_package",
            kwargs={"ecosystem": "npm", "name": name, "dependencies": "none"},
            link=stranger.signature("their.task", queue="theirs"),
            queue=queue,
        )

    async def all_wait() -> bool:
        deferrals = await state.redis.exists(f"wanted:{claimed}")
        return bool(deferrals) and await state.queues.delayed() == 2

    async with state.claims.renewed(claimed, "another task"):
        await eventually(all_wait)
    assert not await broker.exists("theirs")
    await pauses.resume("npm")
    await state.claims.hand_over(claimed, "another task")
    for package in packages:
        await in_graph(cypher, package.purl)
    await settled(state)
    assert await broker.llen("theirs") == 3
    await broker.delete("theirs", "_kombu.binding.theirs")


BAD_CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown ecosystem": ({"ecosystem": "cobol", "name": "x"}, "UnknownEcosystem"),
    "no text": ({"ecosystem": ["pypi"], "name": "x"}, "InvalidArguments"),
    "no name": ({"ecosystem": "pypi"}, "InvalidArguments"),
    "wrong type": ({"ecosystem": "pypi", "name": 7}, "InvalidArguments"),
    "wrong choice": (
        {"ecosystem": "pypi", "name": "x", "dependencies": "some"},
        "InvalidArguments",
    ),
    "path": ({"ecosystem": "pypi", "name": "../../etc/passwd"}, "InvalidName"),
    "encoded path": ({"ecosystem": "npm", "name": "%2e%2e%2fpasswd"}, "InvalidName"),
    "control characters": ({"ecosystem": "cargo", "name": "a\x00b"}, "InvalidName"),
    "5,000 characters": ({"ecosystem": "npm", "name": "a" * 5000}, "InvalidArguments"),
    "not in the registry": (
        {"ecosystem": "pypi", "name": "no-such-package-anywhere"},
        "PackageNotFound",
    ),
    "not in the registry, nothing to follow": (
        {"ecosystem": "cargo", "name": "no-such-crate", "dependencies": "none"},
        "PackageNotFound",
    ),
    "senseless origin": (
        {"ecosystem": "npm", "name": "x", "origin": {"stream": 7}},
        "InvalidArguments",
    ),
    "no such parent": (
        {"ecosystem": "pypi", "name": "PACKAGE", "parent_id": "4:nothing:1"},
        "ParentNotFound",
    ),
}


async def test_bad_calls_are_dead_letters(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """Each bad call is one dead letter of its type; the worker continues, and writes nothing."""
    package = simulator.packages("pypi", 1, start=40)[0].name
    sent = {}
    for kwargs, error_type in BAD_CALLS.values():
        named = {key: package if value == "PACKAGE" else value for key, value in kwargs.items()}
        sent[shared_fleet.send(**named)] = error_type
    sent[shared_fleet.send("extraction.no_such_task", ecosystem="pypi", name="x")] = (
        "InvalidArguments"
    )
    positional = shared_fleet.stranger.send_task(
        "extraction.extract_package", args=["pypi", package]
    )
    sent[positional.id] = "InvalidArguments"

    async def all_failed() -> bool:
        return await state.dead_letters.count() == len(sent)

    await eventually(all_failed)
    await settled(state)
    letters = {letter.task_id: letter async for letter in state.dead_letters.all()}
    assert {task_id: letter.error_type for task_id, letter in letters.items()} == sent
    assert all(letter.error and letter.version for letter in letters.values())
    assert shared_fleet.worker.is_alive()
    assert cypher("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]
    shared_fleet.send(ecosystem="pypi", name=package, dependencies="none")
    truth = simulator.truth("pypi", package)
    await in_graph(cypher, truth.purl)
    assert_graph_holds(cypher, truth)


async def test_unknown_keywords_are_tolerated(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A call of a newer program is executed."""
    package = simulator.packages("npm", 1, start=30)[0].name
    shared_fleet.send(ecosystem="npm", name=package, dependencies="none", colour="blue")
    truth = simulator.truth("npm", package)
    await in_graph(cypher, truth.purl)
    await settled(state)
    assert_graph_holds(cypher, truth)
    assert "unknown_arguments" in shared_fleet.worker.log.read_text()
    assert await state.dead_letters.count() == 0


async def test_twice_changes_nothing(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A second job and a refresh of the same packages change no node or edge."""
    name, closure = root_of_a_large_closure(simulator, "latest", at_least=60)
    await finished(state, await start_job(state, name, "latest"))
    before = snapshot(cypher)
    simulator.reset_counts()
    await finished(state, await start_job(state, name, "latest"))
    assert simulator.counts().total == 0, "what is in the graph is not read again"
    shared_fleet.send(ecosystem="pypi", name=name, refresh=True)

    async def is_refreshed() -> bool:
        return simulator.counts().total > 0 and await unacknowledged(state) == 0

    await eventually(is_refreshed)
    assert snapshot(cypher) == before
    assert_closure_is_filled(cypher, simulator, "pypi", closure)


async def test_a_paused_host_delays_no_other(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """After 429 with Retry-After, tasks wait outside the queue without attempts, then complete."""
    package = simulator.packages("npm", 1, start=50)[0].name
    truth = simulator.truth("npm", package)
    simulator.fault("status", package=truth.purl, status=429, retry_after="8", times=1)
    job_id = await start_job(state, package, "none", "npm")
    await eventually(state.queues.delayed)

    async def is_out_of_the_queue() -> bool:
        return await state.queues.unacknowledged() == 0 and bool(await state.queues.delayed())

    await eventually(is_out_of_the_queue)
    simulator.reset_counts()
    job = await finished(state, job_id)
    assert simulator.counts().total == 1, "no request while the host was paused"
    assert not job.failed
    assert_graph_holds(cypher, truth)


async def test_a_redelivery_ends_the_claim_of_its_first_delivery(
    shared_fleet: Fleet, simulator: Simulator, state: State
) -> None:
    """After a kill between the end of the work and the release, no claim remains."""
    package = simulator.packages("npm", 1, start=60)[0]
    purl = Purl(package.purl)
    request = ExtractPackage(ecosystem="npm", name=package.name, job_id=new_job_id())
    message = job_message(purl, request)
    assert request.job_id
    await state.jobs.enter(request.job_id, purl, request=request.keywords(), dependencies="latest")
    await state.jobs.finish(request.job_id, purl, Outcome.EXTRACTED)
    assert await state.claims.claim(purl, message.task_id, message.to_json())
    await state.queues.publish([message])

    async def is_ended() -> bool:
        return await state.claims.owner(purl) is None

    await eventually(is_ended)
    await settled(state)
    assert simulator.counts().total == 0
    await assert_nothing_is_left(state)


async def test_an_update_reads_the_changes(
    shared_fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """An update reads a new version and adds no package; a second update changes nothing."""
    await carried_out(shared_fleet, state, "ingestion", "pypi", limit=40)
    name = cypher("MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN p.name AS name LIMIT 1")
    changed = simulator.publish("pypi", name[0]["name"])
    unread = simulator.packages("pypi", 1, start=1400)[0]
    simulator.publish("pypi", unread.name)
    run = await carried_out(shared_fleet, state, "update", "pypi")
    assert run.metrics()["packages_processed"] == 1
    assert run.metrics()["unknown"] == 1
    assert_graph_holds(cypher, changed)
    run = await carried_out(shared_fleet, state, "update", "pypi")
    assert run.metrics()["changes"] == 0
    await settled(state)
    await assert_nothing_is_left(state)


BAD_RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown ecosystem": ("ingestion.ingest", {"ecosystem": "cobol"}, "UnknownEcosystem"),
    "no ecosystem": ("updates.update", {}, "InvalidArguments"),
    "senseless limit": (
        "ingestion.ingest",
        {"ecosystem": "pypi", "limit": 0},
        "InvalidArguments",
    ),
    "no such run": (
        "updates.update",
        {"ecosystem": "pypi", "run_id": "nothing"},
        "InvalidArguments",
    ),
    "an audit of nothing": (AUDIT, {"packages": 0}, "InvalidArguments"),
    "a replay of nothing": (REPLAY, {}, "InvalidArguments"),
    "a replay without a list": (REPLAY, {"ids": "1-0"}, "InvalidArguments"),
}


async def test_bad_calls_start_no_run(shared_fleet: Fleet, state: State) -> None:
    """Each bad call becomes a dead letter of its type, and no run starts."""
    sent = {shared_fleet.send(task, **kwargs): error for task, kwargs, error in BAD_RUNS.values()}
    for task in ("ingestion.ingest", REPLAY, "stream.process", SYNC, AUDIT):
        positional = shared_fleet.stranger.send_task(task, args=["pypi"])
        sent[str(positional.id)] = "InvalidArguments"

    async def all_failed() -> bool:
        return await state.dead_letters.count() == len(sent)

    await eventually(all_failed)
    letters = {letter.task_id: letter async for letter in state.dead_letters.all()}
    assert {task_id: letter.error_type for task_id, letter in letters.items()} == sent
    assert await state.runs.newest() == []


async def test_all_are_replayed_once_and_those_that_fail_again_stay(
    shared_fleet: Fleet, state: State
) -> None:
    """A replay of all dead letters takes several executions.

    None of them replays later failures.
    """
    message = TaskMessage(task="nobody.knows", kwargs={}, queue="control")
    for _ in range(PORTION + 1):
        await state.dead_letters.add(message, ValueError("a bug"), now=now())
    old = {letter.id async for letter in state.dead_letters.all()}
    shared_fleet.send(REPLAY, all=True)

    async def is_replayed() -> bool:
        letters = [letter async for letter in state.dead_letters.all()]
        return len(letters) == len(old) and old.isdisjoint(letter.id for letter in letters)

    await eventually(is_replayed)
    await settled(state)
    assert await is_replayed()
    assert await state.queues.delayed() == 0
