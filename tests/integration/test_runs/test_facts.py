"""Versions without facts from earlier releases: finding, reading and counting them."""

import asyncio
from typing import Any

import pytest

from ssc_ingest.graph.digests import CLOSED, FORMAT
from ssc_ingest.graph.views import GraphViews
from ssc_ingest.monitoring.status import read_work
from ssc_ingest.runs import facts, staleness
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.messages import TaskMessage
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench
from tests.integration.test_runs.registry import Scripted

MANY = 100_000
VERSIONS = [str(n) for n in range(1, 26)]
LEFT = "MATCH (p:PyPIPackage) RETURN p.name AS name, p.versions_without_facts AS n ORDER BY name"
OLDER = "MATCH (v:Version) SET v.requirements_digest = right(v.requirements_digest, 16)"
DIGESTS = """
MATCH (:PyPIPackage {name: $name})-[:HAVE]->(v) RETURN v.name AS name, v.requirements_digest AS d
"""


async def read(bench: Bench, name: str, queue: str = "pypi.bulk", **arguments: Any) -> None:
    """One extraction without waiting requests."""
    asked = ExtractPackage(
        ecosystem="pypi", name=name, dependencies="none", refresh=True, **arguments
    )
    message = TaskMessage(
        task="extraction.extract_package", task_id=f"t-{name}", kwargs=asked.keywords(), queue=queue
    )
    await bench.handler.handle(message, redelivered=False)


async def filled_by_an_earlier_release(bench: Bench, cypher: Cypher, *names: str) -> None:
    """The packages with 25 versions each, as written by an earlier release."""
    for name in names:
        bench.content.names.append(name)
        bench.content.versions[name] = VERSIONS
        bench.content.etags[name] = "x"
        await read(bench, name)
    cypher(OLDER)
    bench.content.fetched.clear()
    bench.content.asked.clear()


async def swept(bench: Bench, limit: int = MANY) -> None:
    """Execute a staleness run."""
    run = await bench.start("staleness", limit)
    engine = asyncio.create_task(bench.engine(run).carry_out())
    while not engine.done():
        await bench.work()
        await asyncio.sleep(0.01)
    engine.result()


def left(cypher: Cypher) -> dict[str, int | None]:
    """Versions without facts by package."""
    return {row["name"]: row["n"] for row in cypher(LEFT)}


def formats(cypher: Cypher, name: str) -> dict[str, str]:
    """Formats of digests by version."""
    return {row["name"]: row["d"][:-16] for row in cypher(DIGESTS, name=name)}


async def test_the_survey_marks_what_is_to_be_filled(
    bench: Bench, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part by part, from any position, and once; stubs and gone packages are skipped."""
    monkeypatch.setattr(facts, "STRIDE", 2)
    monkeypatch.setattr(facts, "MARKED", 1)
    await filled_by_an_earlier_release(bench, cypher, "a", "b", "c", "d", "e")
    cypher("MATCH (p:PyPIPackage {name: 'b'}) SET p.gone_since = p.moment")
    cypher("CREATE (:PyPIPackage {purl: 'pkg:pypi/stub', name: 'stub'})")
    cypher(
        "MATCH (:PyPIPackage {name: 'c'})-[:HAVE]->(v) WHERE v.name <> '1' "
        "SET v.requirements_digest = $format + v.requirements_digest",
        format=FORMAT,
    )
    survey = bench.resources.facts_survey()
    redis = bench.state.redis

    assert not (await facts.surveyed(redis, ["pypi"]))["pypi"]
    assert await survey.advance(0) == 1
    assert not (await facts.surveyed(redis, ["pypi"]))["pypi"]
    assert await survey.advance() == 3

    assert left(cypher) == {"a": 25, "b": None, "c": 1, "d": 25, "e": 25, "stub": None}
    assert set((await facts.surveyed(redis, ["pypi", "npm"])).values()) == {True}
    assert await survey.advance() == 0
    await redis.hset(facts.key("pypi"), "format", "01")
    assert await survey.advance() == 4, "another format has other facts"
    counts = await GraphViews(bench.resources.driver, timeout=10).counts({"pypi": "PyPIPackage"})
    assert counts["pypi"].versions_without_facts == 76


async def test_status_says_whether_all_was_counted(bench: Bench) -> None:
    """A provisional number must not look final."""
    state = bench.state
    services: dict[str, Any] = {
        "queues": state.queues,
        "jobs": state.jobs,
        "runs": state.runs,
        "claims": state.claims,
        "dead_letters": state.dead_letters,
        "redis": state.redis,
        "pauses": {},
        "streams": state.standings,
    }
    assert set((await read_work(**services)).facts_surveyed.values()) == {False}
    await bench.resources.facts_survey().advance()
    assert set((await read_work(**services)).facts_surveyed.values()) == {True}


async def test_a_package_of_one_document_is_filled_by_one_reading(
    bench: Bench, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any reading fills it: once without the validator, then with it."""
    monkeypatch.setattr(Scripted, "reads_each_version", False)
    fetch = Scripted.fetch

    async def whole(self: Scripted, request: Any) -> Any:
        object.__setattr__(request, "known", ())
        return await fetch(self, request)

    monkeypatch.setattr(Scripted, "fetch", whole)
    await filled_by_an_earlier_release(bench, cypher, "a")
    bench.content.versions["a"] = VERSIONS[1:]
    await bench.resources.facts_survey().advance()

    await read(bench, "a")
    assert bench.content.asked.pop("a") == VERSIONS[1:]
    assert left(cypher) == {"a": None}
    found = formats(cypher, "a")
    assert found.pop("1") == CLOSED, "its registry has it no more"
    assert set(found.values()) == {FORMAT}
    await read(bench, "a")
    assert bench.content.asked == {}, "not modified"


async def test_versions_with_documents_of_their_own_are_filled_by_staleness_runs(
    bench: Bench, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest versions of each package in turn, within the budget.

    An update does not fill them.
    """
    monkeypatch.setattr(staleness, "VERSIONS_TO_FILL", 10)
    await filled_by_an_earlier_release(bench, cypher, "a", "b", "c")
    await bench.resources.facts_survey().advance()
    await read(bench, "a")
    assert bench.content.asked == {}, "an update does not read them again"

    per_package = 1 + staleness.VERSIONS_TO_FILL
    budget = int(2 * per_package / staleness.SHARE_OF_FACTS)
    await swept(bench, budget)
    assert bench.content.asked == {"a": VERSIONS[15:], "b": VERSIONS[15:]}
    assert left(cypher) == {"a": 15, "b": 15, "c": 25}
    bench.content.asked.clear()
    await swept(bench, budget)
    assert bench.content.asked == {"c": VERSIONS[15:], "a": VERSIONS[5:15]}
    for _ in range(4):
        await swept(bench, budget)
    assert left(cypher) == dict.fromkeys("abc")
    assert {f for name in "abc" for f in formats(cypher, name).values()} == {FORMAT}
    bench.content.fetched.clear()
    await swept(bench, budget)
    assert bench.content.fetched == []


async def test_what_cannot_be_read_again_stays_and_is_not_asked_for_again(
    bench: Bench, cypher: Cypher
) -> None:
    """A version that cannot be read again keeps its requirements.

    Its facts stay unknown, and no other reading is scheduled.
    """
    await filled_by_an_earlier_release(bench, cypher, "a")
    bench.content.unknown.add("a")

    await read(bench, "a", versions_to_fill=2)

    found = formats(cypher, "a")
    assert {name for name, digits in found.items() if digits == CLOSED} == {"24", "25"}
    assert left(cypher) == {"a": 23}
    unknown = "MATCH (v:Version) WHERE v.requirements_unknown RETURN count(v) AS n"
    assert cypher(unknown) == [{"n": 0}]
    assert await bench.state.redis.keys("unknown:*") == []


async def test_somebody_who_asks_by_name_gets_the_newest_filled(
    bench: Bench, cypher: Cypher
) -> None:
    """A request by name fills the newest versions at once, regardless of staleness runs."""
    await filled_by_an_earlier_release(bench, cypher, "a")
    await read(bench, "a", queue="pypi.urgent")
    assert bench.content.asked["a"] == VERSIONS
    assert left(cypher) == {"a": None}
