"""Syncs of advisories by real workers: calls by name, kills, stops, and invalid arguments."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.requests import LOCK
from ssc_ingest.vulnerabilities.store import VulnerabilityStore, open_store
from tests.acceptance.fleet import Fleet, eventually
from tests.conftest import Cypher
from tests.simulator.client import Simulator

RECORDS = 4000

CONTROL = ("control", "celery")
"""Queues of a worker that syncs, and leaves the packages alone."""


@pytest.fixture
async def store(vulnerabilities_uri: str, settings: Settings) -> AsyncIterator[VulnerabilityStore]:
    """An empty MongoDB."""
    async with open_store(vulnerabilities_uri, settings) as store:
        for name in await store.database.list_collection_names():
            await store.database[name].delete_many({})
        yield store


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
    return under_way is not None and under_way.position >= 1000


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


async def test_a_call_that_makes_no_sense_is_a_dead_letter(fleet: Fleet, state: State) -> None:
    """An unknown ecosystem, and a wrong type."""
    fleet.start(*CONTROL)
    fleet.send("vulnerabilities.sync", ecosystem="cobol")
    fleet.send("vulnerabilities.sync", full="perhaps")

    async def both() -> bool:
        return await state.dead_letters.count() == 2

    await eventually(both)
    assert await state.sync_requests().pending() == []
