"""Killed syncs, and the state after them."""

import asyncio
from typing import Any

import pytest

from ssc_ingest.resources import State
from ssc_ingest.vulnerabilities import applying, by_dump
from ssc_ingest.vulnerabilities.changed import CHANGED, ChangedPackages
from ssc_ingest.vulnerabilities.requests import LOCK, SyncRequest, SyncRequests, TurnLost
from ssc_ingest.vulnerabilities.service import AdvisorySync, SyncFailure
from ssc_ingest.work.locks import LockHeld
from tests.integration.test_vulnerabilities.conftest import LocalRecords, Syncing, advisory


class Killed(BaseException):
    """Ends a sync without any clean-up."""


@pytest.mark.parametrize("step", ["documents", "outbox", "row", "state"])
async def test_a_sync_that_is_killed_is_finished_by_the_next(
    syncing: Syncing, local: LocalRecords, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After each step, all records are stored once, and every package is queued."""
    monkeypatch.setattr(by_dump, "BATCH_SIZE", 10)
    monkeypatch.setattr(by_dump, "EXAMINED_AT_A_TIME", 10)
    local.write([advisory(f"PYSEC-{n}", f"p{n}") for n in range(45)])
    steps = {
        "documents": (syncing.store.documents, "write"),
        "outbox": (ChangedPackages, "add"),
        "row": (syncing.store.bookkeeping, "add"),
        "state": (syncing.store.syncs, "set"),
    }
    target, name = steps[step]
    original, calls = getattr(target, name), 0

    async def kill_after(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        done = await original(*args, **kwargs)
        if calls == 3:
            raise Killed
        return done

    monkeypatch.setattr(target, name, kill_after)
    with pytest.raises(Killed):
        await syncing.sync()
    state = await syncing.store.syncs.get("pypi")
    assert state.synced_at is None
    assert state.under_way
    assert state.under_way.position in {20, 30}
    monkeypatch.setattr(target, name, original)

    report = await syncing.sync()

    assert report.examined == 45 - state.under_way.position
    assert await syncing.store._advisories.count_documents({}) == 45
    rows = await syncing.store.bookkeeping.rows(f"PYSEC-{n}" for n in range(45))
    assert len(rows) == 45
    assert set(await syncing.queued()) == {f"p{n}" for n in range(45)}
    after = await syncing.store.syncs.get("pypi")
    assert (after.under_way, after.counts.records) == (None, 45)


async def test_another_dump_is_read_from_its_beginning(
    syncing: Syncing, local: LocalRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A position in one dump is meaningless in another."""
    monkeypatch.setattr(by_dump, "EXAMINED_AT_A_TIME", 10)
    local.write([advisory(f"PYSEC-{n}", "a") for n in range(30)])
    monkeypatch.setattr(applying.Applier, "apply", _killed_at(applying.Applier.apply, 2))
    with pytest.raises(Killed):
        await syncing.sync()
    monkeypatch.undo()
    local.write([advisory(f"PYSEC-{n}", "a", summary="new") for n in range(31)])
    report = await syncing.sync()
    assert (report.examined, report.new, report.updated) == (31, 21, 10)


def _killed_at(function: Any, number: int) -> Any:
    calls = 0

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Killed
        return await function(*args, **kwargs)

    return wrapped


async def test_a_group_that_changes_takes_its_packages_along(
    syncing: Syncing, local: LocalRecords
) -> None:
    """An alias with a new score changes the means of all packages of the flaw."""
    pysec = advisory("PYSEC-1", "a", aliases=["CVE-1"])
    local.write([pysec, advisory("PYSEC-2", "b")])
    await syncing.sync()
    await syncing.queued()
    v3 = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    local.write(
        [
            pysec,
            advisory("PYSEC-2", "b"),
            advisory("GHSA-1", "c", aliases=["CVE-1"], severity=v3),
        ]
    )
    await syncing.sync()
    assert await syncing.queued() == ["a", "c"]
    rows = await syncing.store.bookkeeping.rows(["PYSEC-1", "GHSA-1", "PYSEC-2"])
    assert {i: (row.group, row.group_score) for i, row in rows.items()} == {
        "PYSEC-1": ("CVE-1", 9.8),
        "GHSA-1": ("CVE-1", 9.8),
        "PYSEC-2": ("PYSEC-2", None),
    }
    local.write([pysec, advisory("PYSEC-2", "b"), advisory("GHSA-1", "c", severity=v3)])
    await syncing.sync()
    assert await syncing.queued() == ["a", "c"]
    rows = await syncing.store.bookkeeping.rows(["PYSEC-1"])
    assert rows["PYSEC-1"].group_score is None


# Requests and the lease ----------------------------------------------------------------------


def service(syncing: Syncing, state: State) -> AdvisorySync:
    """The service that executes requests."""
    return AdvisorySync(
        syncing.store,
        state.changed_packages(),
        state.sync_requests(),
        syncing.source,
        syncing.settings,
    )


async def test_requests_are_carried_out_and_forgotten(
    syncing: Syncing, local: LocalRecords, state: State
) -> None:
    """A full request includes the incremental one; a missing ecosystem is no failure."""
    local.write([advisory("PYSEC-1", "a")])
    requests = state.sync_requests()
    await requests.add([SyncRequest("pypi"), SyncRequest("pypi", full=True), SyncRequest("npm")])
    assert set(await requests.pending()) == {SyncRequest("pypi", full=True), SyncRequest("npm")}
    ended = {each.ecosystem: each for each in await service(syncing, state).carry_out_requests()}
    npm = ended["npm"]
    assert isinstance(npm, SyncFailure)
    assert npm.absent
    assert not isinstance(ended["pypi"], SyncFailure)
    assert await requests.pending() == []
    assert not await requests.is_taken()


async def test_one_process_syncs_at_a_time(
    syncing: Syncing, local: LocalRecords, state: State
) -> None:
    """A second process leaves its request to the first one."""
    local.write([advisory("PYSEC-1", "a")])
    requests = state.sync_requests()
    async with requests.turn():
        await requests.add([SyncRequest("pypi")])
        with pytest.raises(LockHeld):
            await service(syncing, state).carry_out_requests()
        assert await requests.abandoned() == []
        assert await requests.pending() == [SyncRequest("pypi")]
    assert [message.kwargs for message in await requests.abandoned()] == [
        {"ecosystem": "pypi", "full": False}
    ]
    assert len(await service(syncing, state).carry_out_requests()) == 1


async def test_a_process_that_lost_its_turn_stops(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose lease has expired stops, because another process may be syncing."""
    monkeypatch.setattr("ssc_ingest.vulnerabilities.requests.RENEW_EVERY", 0.05)
    requests = SyncRequests(state.redis)

    async def be_silent() -> None:
        async with requests.turn():
            await state.redis.set(LOCK, "another")
            await asyncio.sleep(30)

    with pytest.raises(TurnLost):
        await be_silent()
    assert await state.redis.get(LOCK) == "another"


async def test_the_sweep_continues_what_a_killed_process_left(
    state: State, syncing: Syncing
) -> None:
    """The sweep finds the request, and the packages that were not queued yet."""
    await state.sync_requests().add([SyncRequest("npm", full=True)])
    await state.changed_packages().add(["PyPI:a", "npm:@x/y"])
    swept = await state.recovery(syncing.settings).sweep()
    assert swept.syncs == 1
    assert await syncing.queued("pypi") == ["a"]
    assert await syncing.queued("npm") == ["@x/y"]
    assert await state.redis.exists(CHANGED) == 0
    assert (await state.queues.lengths(["control"]))["control"] == 1
