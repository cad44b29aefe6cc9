"""Staleness runs: their packages, order and budget."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import Purl
from ssc_ingest.runs import staleness
from ssc_ingest.runs.model import Run
from ssc_ingest.runs.staleness_budget import daily_budget, days_between_checks
from ssc_ingest.runs.store import run_message
from ssc_ingest.work.cooldowns import DAY
from ssc_ingest.work.rereading import RESTS
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench, Killed

BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - as the graph has it

MANY = 100_000


def purl(name: str) -> str:
    """The purl of a package."""
    return f"pkg:pypi/{name}"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and reads of three packages; each stub costs two requests."""
    monkeypatch.setattr(staleness, "PAGE", 3)
    monkeypatch.setattr(staleness, "SCAN_SIZE", 3)
    monkeypatch.setattr(PyPI, "requests_per_package", 2)


def read_ago(cypher: Cypher, bench: Bench, days: dict[str, float]) -> None:
    """Packages of the registry that were last read this number of days ago."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        {"purl": purl(name), "name": name, "moment": now - timedelta(days=ago)}
        for name, ago in days.items()
    ]
    cypher("UNWIND $rows AS row CREATE (p:PyPIPackage) SET p = row", rows=rows)
    bench.content.names += days


def stubs(cypher: Cypher, bench: Bench, names: Iterable[str]) -> None:
    """Stubs of packages that the registry has."""
    rows = [{"purl": purl(name), "name": name} for name in names]
    cypher("UNWIND $rows AS row CREATE (p:PyPIPackage) SET p = row", rows=rows)
    bench.content.names += [row["name"] for row in rows]


async def swept(bench: Bench, limit: int = MANY, **options: float) -> Run:
    """Execute a run and its packages' tasks."""
    bench.content.fetched.clear()
    run = await bench.start("staleness", limit)
    engine = asyncio.create_task(bench.engine(run, **options).carry_out())
    while not engine.done():
        for message in await bench.messages():
            await bench.handler.handle(message, redelivered=False)
        await asyncio.sleep(0.01)
    return engine.result()


async def test_the_oldest_come_first(bench: Bench, cypher: Cypher) -> None:
    """Packages are ordered by their last reading, then by purl; recently read ones are skipped."""
    read_ago(cypher, bench, {f"p{n}": 30 - n for n in range(10)} | {"new": 1, "newer": 6.9})
    cypher("MATCH (p:PyPIPackage) WHERE p.name IN ['p4', 'p5', 'p6'] SET p.moment = $m", m=BEGIN)
    run = await swept(bench)
    order = ["p4", "p5", "p6", "p0", "p1", "p2", "p3", "p7", "p8", "p9"]
    assert bench.content.fetched == order
    assert (run.state, run.complete) == ("finished", True)
    assert run.metrics() == {
        "packages_processed": 10,
        "total_versions": 10,
        "errors": 0,
        "success_rate": 100.0,
        "unchanged": 0,
        "gone": 0,
        "missing": 0,
        "new_versions": 10,
    }
    assert (await swept(bench)).metrics()["packages_processed"] == 0


async def test_refreshes_are_conditional_and_bulk(bench: Bench, cypher: Cypher) -> None:
    """Refreshes use the validator of the last reading, on the bulk queue."""
    read_ago(cypher, bench, {"a": 20, "b": 30})
    cypher("MATCH (p:PyPIPackage {name: 'a'}) SET p.etag = 'x'")
    bench.content.etags["a"] = "x"
    run = await bench.start("staleness", MANY)
    engine = asyncio.create_task(bench.engine(run).carry_out())
    while (await bench.get(run)).pending < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    messages = await bench.messages()
    assert [(m.queue, m.kwargs["refresh"]) for m in messages] == [("pypi.bulk", True)] * 2
    for message in messages:
        await bench.handler.handle(message, redelivered=False)
    assert (await engine).metrics()["unchanged"] == 1
    assert run_message(run).task == "staleness.sweep"


async def test_a_lost_change_heals(bench: Bench, cypher: Cypher) -> None:
    """Versions that no feed reported are found when the package is due."""
    read_ago(cypher, bench, {"a": 20})
    bench.content.versions["a"] = ["1", "2"]
    await swept(bench)
    found = cypher("MATCH (:PyPIPackage {name: 'a'})-[:HAVE]->(v) RETURN v.name AS name")
    assert {row["name"] for row in found} == {"1", "2"}


async def test_the_budget_is_kept(bench: Bench, cypher: Cypher) -> None:
    """Over the days all packages are read, and none twice before all others."""
    names = [f"p{n:02}" for n in range(20)]
    read_ago(cypher, bench, {name: 60 - n for n, name in enumerate(names)})
    found = []
    for _ in range(3):
        run = await swept(bench, 8)
        assert run.published <= 8
        found += bench.content.fetched
    assert found == names


async def test_stubs_get_half_of_the_budget(bench: Bench, cypher: Cypher) -> None:
    """Stubs come first, but leave budget for the others."""
    stubs(cypher, bench, [f"s{n:02}" for n in range(12)])
    read_ago(cypher, bench, {f"r{n:02}": 50 - n for n in range(12)})
    await swept(bench, 8)  # two stubs, of two requests each; four others
    assert bench.content.fetched == ["s00", "s01", "r00", "r01", "r02", "r03"]
    await swept(bench, 8)
    assert bench.content.fetched == ["s02", "s03", "r04", "r05", "r06", "r07"]


async def test_the_walk_over_stubs_goes_round(bench: Bench, cypher: Cypher) -> None:
    """The walk continues from the day before, and wraps around to stubs added earlier."""
    stubs(cypher, bench, ["m1", "m2", "m3", "m4"])
    await swept(bench, 8)
    assert bench.content.fetched == ["m1", "m2"]
    stubs(cypher, bench, ["a1"])
    await swept(bench, 8)
    assert bench.content.fetched == ["m3", "m4"]
    await swept(bench, 8)
    assert bench.content.fetched == ["a1"]
    await swept(bench, 8)
    assert bench.content.fetched == []


async def test_missing_stubs_rest_for_a_week(bench: Bench, cypher: Cypher) -> None:
    """The registry lacks them; after a week they are requested again."""
    stubs(cypher, bench, ["a", "b"])
    bench.content.deleted = {"a"}
    run = await swept(bench)
    assert run.metrics()["missing"] == 1
    await swept(bench)
    assert bench.content.fetched == []
    await bench.state.not_found.forget(Purl(purl("a")))
    bench.content.deleted = set()
    await swept(bench)
    assert bench.content.fetched == ["a"]
    assert cypher("MATCH (p:PyPIPackage) WHERE p.moment IS NULL RETURN p.name AS n") == []


async def test_gone_packages_are_looked_at_too(bench: Bench, cypher: Cypher) -> None:
    """Gone packages may come back, so they are read again when they are stale."""
    read_ago(cypher, bench, {"a": 20})
    bench.content.deleted = {"a"}
    run = await swept(bench)
    assert (run.metrics()["gone"], run.metrics()["errors"]) == (1, 0)
    await swept(bench)
    assert bench.content.fetched == []
    cypher("MATCH (p:PyPIPackage) SET p.moment = $m", m=BEGIN)
    bench.content.deleted = set()
    assert (await swept(bench)).metrics()["new_versions"] == 1


async def test_a_failing_package_does_not_block_the_others(
    bench: Bench, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing package stays the oldest, but is skipped for a day, then for two."""
    read_ago(cypher, bench, {"bad": 90, "b": 30, "c": 20})
    fetch = type(bench.resources.ecosystems["pypi"]).fetch

    async def failing(self: Any, request: Any) -> Any:
        if request.ref.name == "bad":
            raise MalformedMetadata("what is this?")
        return await fetch(self, request)

    monkeypatch.setattr(type(bench.resources.ecosystems["pypi"]), "fetch", failing)
    run = await swept(bench, 2)
    assert (run.metrics()["packages_processed"], run.metrics()["errors"]) == (1, 1)
    run = await swept(bench, 2)
    assert (run.metrics()["packages_processed"], run.metrics()["errors"]) == (1, 0)
    assert bench.content.fetched == ["c"]
    failing_purl = Purl(purl("bad"))
    assert await bench.state.cooldowns.active([failing_purl, Purl(purl("b"))]) == {failing_purl}
    await bench.state.redis.hset(f"failing:{failing_purl}", "until", "1")
    assert (await swept(bench, 2)).metrics()["errors"] == 1
    until = await bench.state.redis.hget(f"failing:{failing_purl}", "until")
    rest = float(until or 0) - datetime.now(UTC).timestamp()
    assert DAY < rest <= 2 * DAY


async def test_no_budget_is_no_work(bench: Bench, cypher: Cypher) -> None:
    """The operator has disabled staleness runs."""
    read_ago(cypher, bench, {"a": 20})
    stubs(cypher, bench, ["s"])
    run = await swept(bench, 0)
    assert (run.state, bench.content.fetched) == ("finished", [])


async def test_a_killed_run_goes_on(bench: Bench, cypher: Cypher, dying: None) -> None:
    """After a kill at any point, each package is read and counted once."""
    names = [f"p{n:02}" for n in range(10)]
    read_ago(cypher, bench, {name: 60 - n for n, name in enumerate(names)})
    stubs(cypher, bench, ["s1", "s2"])
    run = await bench.start("staleness", MANY)
    for kill_at in (1, 2):
        engine = bench.engine(run)
        commits = 0
        commit = engine._lease.commit

        async def counted(*args: Any, **kwargs: Any) -> None:
            nonlocal commits
            if commits == kill_at:  # noqa: B023
                raise Killed
            commits += 1
            await commit(*args, **kwargs)  # noqa: B023

        engine._lease.commit = counted  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await engine.carry_out()
        await bench.lapse(run)
    engine_again = asyncio.create_task(bench.engine(run).carry_out())
    while not engine_again.done():
        await bench.work()
        await asyncio.sleep(0.01)
    done = engine_again.result()
    assert (done.state, done.metrics()["packages_processed"]) == ("finished", 12)
    assert set(bench.content.fetched) == {*names, "s1", "s2"}


async def test_the_portion_follows_from_the_rate(bench: Bench) -> None:
    """A share of a day's requests to the host of packages' documents."""
    endpoints = bench.resources.ecosystems["pypi"].endpoints
    settings = bench.resources.settings
    assert endpoints.main_rate == 10
    assert daily_budget(endpoints, settings) == 43_200
    assert days_between_checks(432_000, 43_200, settings) == 10
    assert days_between_checks(1_000, 43_200, settings) == settings.freshness_goal_days
    off = settings.model_copy(update={"staleness_budget": 0.0})
    assert daily_budget(endpoints, off) == 0
    assert days_between_checks(1_000, 0, off) is None


async def test_unknown_requirements_are_read_again(bench: Bench, cypher: Cypher) -> None:
    """After 1, 7 and 30 days, even for recently read packages; then no more."""
    bench.content.etags["a"] = "x"
    bench.content.unknown.add("a")
    read_ago(cypher, bench, {"a": 20})
    await swept(bench)
    redis = bench.state.redis
    for rest in RESTS:
        assert (await redis.zscore("unknown:pypi", purl("a"))) == pytest.approx(
            time.time() + rest, abs=60
        )
        await swept(bench)
        assert bench.content.fetched == [], "it rests"
        await redis.zadd("unknown:pypi", {purl("a"): 0})
        await swept(bench)
        assert bench.content.fetched == ["a"]
    assert await redis.zscore("unknown:pypi", purl("a")) is None
    await swept(bench)
    assert bench.content.fetched == []


async def test_requirements_that_have_become_known_are_not(bench: Bench, cypher: Cypher) -> None:
    """When requirements have become known, only their edges remain, and no mark."""
    bench.content.unknown.add("a")
    bench.content.etags["a"] = "x"
    read_ago(cypher, bench, {"a": 20})
    await swept(bench)
    query = "MATCH (v:Version) RETURN v.requirements_unknown AS unknown"
    assert cypher(query) == [{"unknown": True}]
    bench.content.unknown.clear()
    await bench.state.redis.zadd("unknown:pypi", {purl("a"): 0})
    await swept(bench)
    assert cypher(query) == [{"unknown": None}]
    assert await bench.state.redis.keys("unknown:*") == []
