"""Advisories and real workers: calls by name, kills, stops, poison, and invalid arguments."""

import asyncio
from typing import Any

import pytest

from ssc_ingest.resources import State
from ssc_ingest.vulnerabilities.requests import LOCK, REQUESTED
from ssc_ingest.vulnerabilities.store import VulnerabilityStore
from tests.acceptance.fleet import LONG_ENOUGH, RECOVERY, Fleet, eventually, wait_until
from tests.acceptance.work import assert_nothing_is_left, settled
from tests.conftest import Cypher
from tests.simulator.client import Simulator

RECORDS = 2000

CONTROL = ("control", "celery")
"""Queues of a worker that syncs, and leaves the packages alone."""


@pytest.fixture
def many_records(simulator: Simulator) -> None:
    """A dump that takes seconds, of malware whose packages are not in the graph."""
    records: list[dict[str, Any]] = [
        {
            "id": f"MAL-2026-{n}",
            "modified": "2026-01-01T00:00:00Z",
            "affected": [
                {
                    "package": {"ecosystem": "npm", "name": f"malicious-{n}"},
                    "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
                }
            ],
        }
        for n in range(RECORDS)
    ]
    simulator.put_advisories("npm", records)


async def is_synced(store: VulnerabilityStore) -> bool:
    """Whether a sync of npm is complete."""
    return (await store.syncs.get("npm")).synced_at is not None


async def is_under_way(store: VulnerabilityStore) -> bool:
    """Whether a sync of npm is in progress."""
    under_way = (await store.syncs.get("npm")).under_way
    return under_way is not None and under_way.position >= RECORDS / 4


async def assert_all_is_there(store: VulnerabilityStore, state: State, cypher: Cypher) -> None:
    """Check: each record once, all packages queued, no node in the graph, no pending request."""
    assert await store._advisories.count_documents({}) == RECORDS
    assert (await store.syncs.get("npm")).counts.malware == RECORDS
    assert cypher("MATCH (n) RETURN count(n) AS nodes") == [{"nodes": 0}]

    async def all_is_handed_over() -> bool:  # which comes after the note that the sync is complete
        requests = await state.sync_requests().pending()
        return not requests and await state.changed_packages().count() == 0

    await eventually(all_is_handed_over)
    assert (await state.queues.lengths(["npm.fresh"]))["npm.fresh"] >= RECORDS / 200


async def test_a_killed_sync_is_continued(
    fleet: Fleet, many_records: None, store: VulnerabilityStore, state: State, cypher: Cypher
) -> None:
    """After ``kill -9`` in the middle of a dump, the sweep continues when the lease has expired."""
    worker = fleet.start(*CONTROL)
    fleet.send("vulnerabilities.sync", ecosystem="npm")
    await eventually(lambda: is_under_way(store))
    worker.kill()
    assert not await is_synced(store)
    await state.redis.delete(LOCK)  # as if a minute had passed
    fleet.start(*CONTROL, name="another@test")
    fleet.send("runs.sweep")
    await eventually(lambda: is_synced(store))
    await assert_all_is_there(store, state, cypher)


async def test_stopping_hands_a_sync_over(
    fleet: Fleet, many_records: None, store: VulnerabilityStore, state: State, cypher: Cypher
) -> None:
    """SIGTERM stops the sync early; the next worker continues at once."""
    worker = fleet.start(*CONTROL)
    fleet.send("vulnerabilities.sync", ecosystem="npm")
    await eventually(lambda: is_under_way(store))
    assert await asyncio.to_thread(worker.terminate) == 0
    assert not await state.sync_requests().is_taken()
    assert await state.queues.lengths(["control"]) == {"control": 1}
    fleet.start(*CONTROL, name="another@test")
    await eventually(lambda: is_synced(store))
    await assert_all_is_there(store, state, cypher)


async def test_a_call_whose_request_cannot_be_stored_returns(
    fleet: Fleet, many_records: None, store: VulnerabilityStore, state: State
) -> None:
    """The message of a call is acknowledged when its request is stored, and not before."""
    await state.redis.set(REQUESTED, "of another type")
    worker = fleet.start(*CONTROL)
    fleet.send("vulnerabilities.sync", ecosystem="npm")
    await asyncio.to_thread(worker.wait_for_log, "state_unavailable")
    await state.redis.delete(REQUESTED)
    await eventually(lambda: is_synced(store))


PACKAGES = 1000

CREATE = """
UNWIND $names AS name
CREATE (:%s {purl: $prefix + name, name: name, registry_name: name, moment: localdatetime()})
       -[:HAVE]->(:Version {
         name: '1', purl: $prefix + name + '@1', serial_number: 0, release_date: 'n/a',
         vulnerabilities: $ids, mean: 0.0, weighted_mean: 0.0})
"""


def attributed(cypher: Cypher) -> int:
    """The number of versions with exactly their advisory."""
    (row,) = cypher(
        "MATCH (p:PyPIPackage)-[:HAVE]->(v) WHERE v.vulnerabilities = ['PYSEC-' + p.name] "
        "RETURN count(*) AS found"
    )
    return int(row["found"])


async def test_a_killed_attribution_is_continued(
    fleet: Fleet, simulator: Simulator, store: VulnerabilityStore, state: State, cypher: Cypher
) -> None:
    """After ``kill -9`` in the middle of the batches, every version has its advisory."""
    names = [f"p{number}" for number in range(PACKAGES)]
    cypher(CREATE % "PyPIPackage", names=names, prefix="pkg:pypi/", ids=[])
    simulator.put_advisories(
        "PyPI",
        [
            {
                "id": f"PYSEC-{name}",
                "modified": "2026-01-01T00:00:00Z",
                "affected": [{"package": {"ecosystem": "PyPI", "name": name}, "versions": ["1"]}],
            }
            for name in names
        ],
    )
    fleet.environment["WORKER_CONCURRENCY"] = "1"  # batches of 200, one after the other
    queues = (*CONTROL, "pypi.fresh")
    worker = fleet.start(*queues)
    fleet.send("vulnerabilities.sync", ecosystem="pypi")

    async def has_begun() -> bool:
        return attributed(cypher) > 0

    await eventually(has_begun)
    worker.kill()
    assert 0 < attributed(cypher) < PACKAGES
    await state.redis.delete(LOCK)  # if the sync was still queueing: as if a minute had passed
    fleet.start(*queues, name="another@test")
    fleet.send("runs.sweep")

    async def has_ended() -> bool:
        return attributed(cypher) == PACKAGES

    # Each look reads all packages.
    await eventually(has_ended, RECOVERY + 2 * LONG_ENOUGH, every=1)
    assert await state.dead_letters.count() == 0


async def test_one_poisonous_package_among_attributed_ones(
    fleet: Fleet, state: State, cypher: Cypher, deadly_plugin: None
) -> None:
    """A poisonous package is one dead letter.

    The other packages of its batch, and other batches, are attributed.
    """
    good = ["good-a", "good-b", "good-c", "other-a", "other-b"]
    cypher(CREATE % "ToyPackage", names=[*good, "deadly"], prefix="pkg:toy/", ids=["STALE-1"])
    queues = ("control", "toy.fresh")
    worker = fleet.start(*queues)
    for names in (["good-a", "good-b", "deadly", "good-c"], ["other-a", "other-b"]):
        fleet.stranger.send_task(
            "vulnerabilities.attribute",
            kwargs={"ecosystem": "toy", "names": names},
            queue="toy.fresh",
        )
    wait_until(lambda: not worker.is_alive(), LONG_ENOUGH, worker.log.read_text)
    worker = fleet.start(*queues)

    async def everything_is_decided() -> bool:
        stale = cypher("MATCH (v:Version {vulnerabilities: ['STALE-1']}) RETURN v.purl AS purl")
        return stale == [{"purl": "pkg:toy/deadly@1"}] and await state.dead_letters.count() == 1

    await eventually(everything_is_decided, RECOVERY + 2 * LONG_ENOUGH)
    assert worker.is_alive()
    (letter,) = [letter async for letter in state.dead_letters.all()]
    assert letter.kwargs == {"ecosystem": "toy", "names": ["deadly"]}
    assert letter.error_type == "WorkerCrashed"
    await state.dead_letters.delete([letter.id])
    await settled(state)
    await assert_nothing_is_left(state)


async def test_a_call_that_makes_no_sense_is_a_dead_letter(fleet: Fleet, state: State) -> None:
    """A call with an unknown ecosystem, or with a value of a wrong type, becomes a dead letter."""
    fleet.start(*CONTROL)
    fleet.send("vulnerabilities.sync", ecosystem="cobol")
    fleet.send("vulnerabilities.sync", full="perhaps")

    async def both() -> bool:
        return await state.dead_letters.count() == 2

    await eventually(both)
    assert await state.sync_requests().pending() == []
