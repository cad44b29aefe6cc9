"""Syncs from an OSV bucket: dump, modified list, single records, and the bucket's errors."""

import pytest

from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable, ResourceNotFound
from ssc_ingest.resources import State
from ssc_ingest.vulnerabilities import sources
from ssc_ingest.vulnerabilities.requests import SyncRequest
from ssc_ingest.vulnerabilities.service import AdvisorySync
from ssc_ingest.vulnerabilities.session import SyncProgress, TooManyLeave
from tests.integration.test_vulnerabilities.conftest import Syncing, advisory, dated
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


async def ids(syncing: Syncing, **wanted: object) -> set[str]:
    """The ids of documents."""
    return {row["id"] async for row in syncing.store._advisories.find(wanted, {"id": 1})}


async def test_the_first_sync_reads_the_dump_and_the_next_one_the_list(
    bucket: Syncing, simulator: Simulator
) -> None:
    """An unchanged list costs one request; a hundred changes cost about a hundred."""
    simulator.put_advisories(
        "PyPI", [dated(advisory(f"PYSEC-{n}", f"package-{n}"), 600 + n) for n in range(400)]
    )
    first = await bucket.sync()
    assert (first.by, first.new) == ("dump", 400)
    assert len(await bucket.queued()) == 400
    for by in ("list", "nothing"):  # the dump may have been older than the list
        simulator.reset_counts()
        unchanged = await bucket.sync()
        assert (unchanged.by, unchanged.packages) == (by, 0)
        assert simulator.counts().total == 1

    simulator.put_advisories(
        "PyPI", [dated(advisory(f"PYSEC-{n}", f"other-{n}"), 5) for n in range(100)]
    )
    simulator.reset_counts()
    changed = await bucket.sync()
    assert (changed.by, changed.updated, changed.new) == ("list", 100, 0)
    assert simulator.counts().total == 101
    expected = [f"{word}-{n}" for word in ("other", "package") for n in range(100)]
    assert await bucket.queued() == sorted(expected)
    assert (await bucket.sync()).by == "nothing"


async def test_many_changes_are_read_from_the_dump(bucket: Syncing, simulator: Simulator) -> None:
    """Above OSV_MAX_REQUESTS, the dump is cheaper."""
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "a"), 600)])
    await bucket.sync()
    bucket.settings = bucket.settings.model_copy(update={"osv_max_requests": 10})
    simulator.put_advisories("PyPI", [dated(advisory(f"PYSEC-{n}", "a"), 5) for n in range(2, 40)])
    simulator.reset_counts()
    report = await bucket.sync()
    assert (report.by, report.new) == ("dump", 38)
    assert simulator.counts().endpoints.get("osv.record", 0) == 0


async def test_what_the_list_does_not_say_is_found_by_a_full_sync(
    bucket: Syncing, simulator: Simulator
) -> None:
    """``modified`` may be unchanged or earlier after a change."""
    record = dated(advisory("PYSEC-1", "a"), 600)
    simulator.put_advisories("PyPI", [record, dated(advisory("PYSEC-2", "b"), 600)])
    await bucket.sync()
    await bucket.queued()
    simulator.put_advisories("PyPI", [{**record, "details": "Changed in silence."}])
    assert (await bucket.sync()).updated == 0
    report = await bucket.sync(full=True)
    assert (report.examined, report.updated) == (2, 1)
    assert await bucket.queued() == ["a"]
    assert await ids(bucket, details="Changed in silence.") == {"PYSEC-1"}


async def test_a_change_between_list_and_dump_is_not_lost(
    bucket: Syncing, simulator: Simulator
) -> None:
    """A dump older than the list does not move the cursor past its own records."""
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "a"), 6000)])
    simulator.freeze_dumps()
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-2", "b"), 5)])
    assert (await bucket.sync()).new == 1
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-3", "c"), 1)])
    assert (await bucket.sync()).new == 2
    assert await ids(bucket) == {"PYSEC-1", "PYSEC-2", "PYSEC-3"}


async def test_a_time_in_the_future_hides_nothing(bucket: Syncing, simulator: Simulator) -> None:
    """The cursor never exceeds the present time."""
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "a"), -60 * 24 * 30)])
    await bucket.sync()
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-2", "b"), 1)])
    report = await bucket.sync()
    assert (report.by, report.new) == ("list", 1)


async def test_withdrawn_records_keep_their_document(bucket: Syncing, simulator: Simulator) -> None:
    """A withdrawn record's packages are attributed again; other records stay in force."""
    record = dated(advisory("PYSEC-1", "a"), 600)
    simulator.put_advisories("PyPI", [record])
    await bucket.sync()
    await bucket.queued()
    withdrawn = dated({**record, "withdrawn": "2026-02-02T00:00:00Z"}, 5)
    simulator.put_advisories("PyPI", [withdrawn])
    report = await bucket.sync()
    assert report.withdrawn == 1
    assert await bucket.queued() == ["a"]
    assert await ids(bucket, withdrawn={"$exists": True}) == {"PYSEC-1"}
    assert await bucket.store.bookkeeping.naming(["PyPI:a"]) == []
    simulator.put_advisories("PyPI", [dated(record, 1)])
    assert (await bucket.sync()).updated == 1
    assert await bucket.queued() == ["a"]
    assert [row.id for row, _ in await bucket.store.bookkeeping.naming(["PyPI:a"])] == ["PYSEC-1"]
    assert await ids(bucket, withdrawn={"$exists": True}) == set()


async def test_vanished_records_leave_with_the_next_full_sync(
    bucket: Syncing, simulator: Simulator
) -> None:
    """Vanished records lose their force at once. A document stays until no version refers to it."""
    simulator.put_advisories(
        "PyPI", [dated(advisory(f"PYSEC-{n}", f"p{n}"), 600) for n in range(5)]
    )
    await bucket.sync()
    await bucket.queued()
    simulator.remove_advisories("PyPI", "PYSEC-3")
    assert (await bucket.sync()).vanished == 0
    report = await bucket.sync(full=True)
    assert report.vanished == 1
    assert await bucket.queued() == ["p3"]
    assert await bucket.store.bookkeeping.naming(["PyPI:p3"]) == []
    assert "PYSEC-3" in await ids(bucket)
    assert (await bucket.sync(full=True)).vanished == 0


async def test_a_record_without_ecosystem_is_withdrawn_not_vanished(
    bucket: Syncing, simulator: Simulator
) -> None:
    """Sources move withdrawn records to the folder without ecosystem."""
    simulator.put_advisories(
        "PyPI", [dated(advisory("PYSEC-1", "a"), 600), advisory("PYSEC-2", "b")]
    )
    await bucket.sync()
    await bucket.queued()
    simulator.remove_advisories("PyPI", "PYSEC-1")
    moved = advisory("PYSEC-1", withdrawn="2026-02-02T00:00:00Z")
    simulator.put_advisories("[EMPTY]", [moved])
    report = await bucket.sync(full=True)
    assert (report.withdrawn, report.vanished) == (1, 0)
    assert await bucket.queued() == ["a"]
    assert await ids(bucket, withdrawn={"$exists": True}) == {"PYSEC-1"}


@pytest.mark.parametrize("by", ["list", "dump"])
@pytest.mark.parametrize("leaving", [10, 11])
async def test_the_brake_holds_what_would_leave(
    bucket: Syncing, simulator: Simulator, by: str, leaving: int
) -> None:
    """A tenth of the records may be removed at once.

    Above that none is, and all other changes are stored.
    """
    records = [dated(advisory(f"PYSEC-{n}", f"p{n}"), 600) for n in range(100)]
    simulator.put_advisories("PyPI", records)
    await bucket.sync()
    await bucket.queued()
    gone = [dated({**r, "withdrawn": "2026-02-02T00:00:00Z"}, 5) for r in records[:leaving]]
    simulator.put_advisories("PyPI", [*gone, dated(advisory("PYSEC-200", "new"), 5)])
    if leaving == 10:
        assert (await bucket.sync(full=by == "dump")).withdrawn == 10
        return
    with pytest.raises(TooManyLeave, match="11 of 100"):
        await bucket.sync(full=by == "dump")
    assert await bucket.queued() == ["new"]
    state = await bucket.store.syncs.get("pypi")
    assert state.brake
    assert (state.brake.withdrawn, state.brake.vanished) == (11, 0)
    assert len(await bucket.store.bookkeeping.naming([f"PyPI:p{n}" for n in range(11)])) == 11
    report = await bucket.sync(full=True, accept_removals=True)
    assert report.withdrawn == 11
    assert len(await bucket.queued()) == 11
    assert (await bucket.store.syncs.get("pypi")).brake is None


async def test_the_brake_counts_vanished_records(bucket: Syncing, simulator: Simulator) -> None:
    """A dump without half of its records does not remove half of the advisories."""
    simulator.put_advisories("PyPI", [dated(advisory(f"PYSEC-{n}", f"p{n}"), 9) for n in range(40)])
    await bucket.sync()
    simulator.remove_advisories("PyPI", *(f"PYSEC-{n}" for n in range(20)))
    with pytest.raises(TooManyLeave, match="20 of 40"):
        await bucket.sync(full=True)
    assert len(await ids(bucket)) == 40
    simulator.remove_advisories("PyPI", *(f"PYSEC-{n}" for n in range(20, 40)))
    with pytest.raises(MalformedMetadata, match="empty dump"):
        await bucket.sync(full=True)


async def test_a_record_in_two_ecosystems_is_one_document(
    bucket: Syncing, simulator: Simulator
) -> None:
    """The document of a record in two ecosystems stays while one of them has the record."""
    both = dated(advisory("GHSA-1", "a"), 600)
    both["affected"] += advisory("GHSA-1", "A:a", ecosystem="Maven")["affected"]
    for folder in ("PyPI", "Maven"):
        simulator.put_advisories(folder, [both, dated(advisory(f"X-{folder}", "x"), 600)])
        await bucket.sync({"PyPI": "pypi", "Maven": "maven"}[folder])
    assert await ids(bucket) == {"GHSA-1", "X-PyPI", "X-Maven"}
    assert await bucket.queued("maven") == ["A:a"]
    simulator.remove_advisories("PyPI", "GHSA-1")
    assert (await bucket.sync(full=True)).vanished == 0
    assert await bucket.store.bookkeeping.naming(["Maven:A:a"])
    simulator.remove_advisories("Maven", "GHSA-1")
    assert (await bucket.sync("maven", full=True)).vanished == 1


async def test_a_bad_record_costs_itself(bucket: Syncing, simulator: Simulator) -> None:
    """A bad record is counted and shown; its last readable content stays in force."""
    simulator.put_advisories(
        "PyPI", [dated(advisory(f"PYSEC-{n}", f"p{n}"), 600) for n in range(3)]
    )
    await bucket.sync()
    await bucket.queued()
    later = dated(advisory("PYSEC-1", "p1"), 5)["modified"]
    simulator.put_raw_advisory("PyPI", "PYSEC-1", '{"id": "PYSEC-1", "affected": 7}', later)
    simulator.put_raw_advisory("PyPI", "PYSEC-9", "not JSON", later)
    simulator.reset_counts()
    assert (await bucket.sync()).unreadable == 2
    assert await bucket.queued() == []
    assert [row.id for row, _ in await bucket.store.bookkeeping.naming(["PyPI:p1"])] == ["PYSEC-1"]
    state = await bucket.store.syncs.get("pypi")
    assert (state.counts.unreadable, state.counts.records) == (2, 4)
    named = {row.id: row.unreadable for row in await bucket.store.bookkeeping.with_problems(5)}
    assert named.keys() == {"PYSEC-1", "PYSEC-9"}
    assert "not JSON" in named["PYSEC-9"]
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "p1"), 1)])
    assert (await bucket.sync()).updated == 1
    assert (await bucket.store.syncs.get("pypi")).counts.unreadable == 1
    assert (await bucket.sync(full=True)).unreadable == 1


async def test_a_record_that_is_listed_and_missing_is_tried_again(
    bucket: Syncing, simulator: Simulator
) -> None:
    """A missing file removes nothing."""
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "a"), 600)])
    await bucket.sync()
    simulator.put_advisories(
        "PyPI", [dated(advisory("PYSEC-1", "z"), 5), dated(advisory("PYSEC-2", "b"), 5)]
    )
    simulator.hide_advisories("PYSEC-1")
    assert (await bucket.sync()).new == 1
    state = await bucket.store.syncs.get("pypi")
    assert state.missing == ("PYSEC-1",)
    assert await bucket.store.bookkeeping.naming(["PyPI:a"])
    simulator.hide_advisories()
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-3", "c"), 1)])
    assert (await bucket.sync()).updated == 1
    assert (await bucket.store.syncs.get("pypi")).missing == ()


@pytest.mark.parametrize("fault", ["truncate", "html", "not-json"])
async def test_a_broken_dump_changes_nothing(
    bucket: Syncing, simulator: Simulator, fault: str
) -> None:
    """A truncated download, an error page, damage.

    The state has the reason, and the next sync succeeds.
    """
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "a"), 600)])
    number = simulator.fault(fault, endpoint="osv.dump")
    with pytest.raises((RegistryUnavailable, MalformedMetadata)):
        await bucket.sync()
    state = await bucket.store.syncs.get("pypi")
    assert state.error
    assert state.synced_at is None
    assert await ids(bucket) == set()
    simulator.clear_faults(number)
    assert (await bucket.sync()).new == 1
    state = await bucket.store.syncs.get("pypi")
    assert state.error == ""
    assert state.synced_at


async def test_the_source_may_ask_to_wait(bucket: Syncing, simulator: Simulator) -> None:
    """Status 429 and single errors delay the sync, but lose no record; the reason is reported."""
    reported: list[SyncProgress] = []
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-1", "a"), 600)])
    simulator.fault("status", endpoint="osv.list", status=429, retry_after="1", times=1)
    simulator.fault("status", endpoint="osv.dump", status=500, times=1)
    await bucket.sync(on_progress=reported.append)
    assert any("HTTP 429" in progress.waits for progress in reported), reported
    simulator.put_advisories("PyPI", [dated(advisory(f"PYSEC-{n}", "a"), 5) for n in range(2, 9)])
    simulator.fault("status", endpoint="osv.record", status=429, retry_after="1", times=2)
    simulator.fault("reset", endpoint="osv.record", times=2)
    assert (await bucket.sync()).new == 7


async def test_an_ecosystem_may_be_missing(bucket: Syncing, simulator: Simulator) -> None:
    """A missing ecosystem stays *not synced*."""
    with pytest.raises(ResourceNotFound):
        await bucket.sync("npm")
    assert (await bucket.store.syncs.get("npm")).synced_at is None


async def test_a_long_list_is_read_in_parts(
    bucket: Syncing, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list has several parts, with changes in the second one."""
    monkeypatch.setattr(sources, "FIRST_PART", 4 * 1024)
    old = [dated(advisory(f"PYSEC-{n}", "p"), 900) for n in range(200)]
    simulator.put_advisories("PyPI", old)
    await bucket.sync()
    simulator.put_advisories("PyPI", [dated(advisory("PYSEC-9999", "late"), 1000)])
    assert (await bucket.sync()).new == 1


async def test_a_record_that_loses_its_ecosystem_is_noticed_at_once(
    bucket: Syncing, simulator: Simulator, state: State
) -> None:
    """The record is no longer in its ecosystem's list, but in the list of all folders."""
    simulator.put_advisories("PyPI", [dated(advisory(f"PYSEC-{n}", f"p{n}"), 600) for n in (1, 2)])
    requests = state.sync_requests()

    async def carry_out() -> int:
        await requests.add([SyncRequest("pypi")])
        service = AdvisorySync(
            bucket.store, state.changed_packages(), requests, bucket.source, bucket.settings
        )
        simulator.reset_counts()
        await service.carry_out_requests()
        return simulator.counts().total

    await carry_out()
    await bucket.queued()
    simulator.remove_advisories("PyPI", "PYSEC-1")
    withdrawn = dated(advisory("PYSEC-1", withdrawn="2026-02-02T00:00:00Z"), 5)
    unknown = dated(advisory("PYSEC-7", withdrawn="2026-02-02T00:00:00Z"), 5)
    simulator.put_advisories("[EMPTY]", [withdrawn, unknown])
    assert await carry_out() == 3  # two lists and the record
    assert await bucket.queued() == ["p1"]
    assert await ids(bucket, withdrawn={"$exists": True}) == {"PYSEC-1"}
    assert await carry_out() == 2
    assert await bucket.queued() == []
