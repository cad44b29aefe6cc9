"""Stubs of requirement files are found within a minute, and extracted."""

from datetime import datetime, timedelta

import pytest

from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.models import Purl
from ssc_ingest.on_demand import requirement_files
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.on_demand.requirement_files import Look
from ssc_ingest.work.arguments import ExtractPackage
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench

MOMENT = datetime(2026, 5, 1, 12)  # noqa: DTZ001 - the other service's clock

CREATE = """
CREATE (file:RequirementFile {name: 'requirements.txt', manager: 'PyPI', moment: $moment})
WITH file UNWIND $names AS name
MERGE (p:PyPIPackage {purl: 'pkg:pypi/' + name}) ON CREATE SET p.name = name
CREATE (file)-[:REQUIRE {constraints: '>= 1'}]->(p)
"""


@pytest.fixture(autouse=True)
async def _schema(bench: Bench) -> None:
    await ensure_schema(bench.resources.driver, ["PyPIPackage"])


async def look(bench: Bench) -> Look:
    """One check of requirement files."""
    return await bench.resources.requirement_files().fill_stubs()


def file(cypher: Cypher, *names: str, seconds: float = 0) -> None:
    """A file that requires some packages, written this long after the first moment."""
    cypher(CREATE, moment=MOMENT + timedelta(seconds=seconds), names=list(names))


async def asked(bench: Bench) -> list[str]:
    """Take the urgent messages; returns their packages."""
    messages = await bench.messages()
    assert {m.queue for m in messages} <= {"pypi.urgent"}
    assert {m.kwargs["dependencies"] for m in messages} <= {"all"}
    return sorted(str(m.kwargs["name"]) for m in messages)


async def test_a_stub_is_filled(bench: Bench, cypher: Cypher) -> None:
    """A stub's versions are added to the graph, on the same node; the edge does not change."""
    bench.content.names = ["a"]
    file(cypher, "a")
    (before,) = cypher("MATCH (f)-[e:REQUIRE]->(p) RETURN elementId(e) AS e, elementId(p) AS p")
    assert await look(bench) == Look(files=2, packages=1)
    await bench.work()
    (after,) = cypher(
        "MATCH (:RequirementFile)-[e:REQUIRE]->(p)-[:HAVE]->(v) "
        "RETURN elementId(e) AS e, elementId(p) AS p, v.name AS name, e.constraints AS c"
    )
    assert after == {**before, "name": "1", "c": ">= 1"}
    assert (await look(bench)).packages == 0
    (job_id,) = await bench.state.jobs.ids()
    job = await bench.state.jobs.get(job_id)
    assert job
    assert (job.finished, job.dependencies, job.counts["extracted"]) == (True, "all", 1)


async def test_it_is_asked_for_once(bench: Bench, cypher: Cypher) -> None:
    """A stub of several files is submitted once, also while queued; again if it stays a stub."""
    file(cypher, "a", "b")
    file(cypher, "a", seconds=1)
    await look(bench)
    await look(bench)
    assert await asked(bench) == ["a", "b"]
    mark = "filling:pkg:pypi/b"
    assert 0 < await bench.state.redis.ttl(mark) <= requirement_files.ASKED_FOR
    await bench.state.redis.delete(mark)
    await look(bench)
    assert await asked(bench) == ["b"]


async def test_what_is_read_or_known_to_be_missing_is_left_alone(
    bench: Bench, cypher: Cypher
) -> None:
    """Packages that were read or are missing are left alone.

    So is a package in a cooldown, and one of an unsupported ecosystem.
    """
    file(cypher, "read", "missing", "failing", "stub")
    cypher("MATCH (p:PyPIPackage {name: 'read'}) SET p.moment = localdatetime()")
    cypher("MATCH (f:RequirementFile) CREATE (f)-[:REQUIRE]->(:OtherPackage {purl: 'pkg:x/y'})")
    cypher("MATCH (f:RequirementFile) CREATE (f)-[:REQUIRE]->(:OldPackage {name: 'no purl'})")
    await bench.state.not_found.add(Purl("pkg:pypi/missing"))
    await bench.state.cooldowns.start(Purl("pkg:pypi/failing"))
    await look(bench)
    assert await asked(bench) == ["stub"]


async def test_what_the_registry_lacks_is_no_dead_letter(bench: Bench, cypher: Cypher) -> None:
    """Many files name private packages; these are stored as missing for a week."""
    file(cypher, "private")
    await look(bench)
    await bench.work()
    assert await bench.state.dead_letters.count() == 0
    assert await bench.state.not_found.contains(Purl("pkg:pypi/private"))
    await bench.state.redis.delete("filling:pkg:pypi/private")
    assert (await look(bench)).packages == 0
    await bench.state.not_found.forget(Purl("pkg:pypi/private"))
    assert (await look(bench)).packages == 1


@pytest.fixture
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files per read, and two reads per check."""
    monkeypatch.setattr(requirement_files, "BATCH_SIZE", 2)
    monkeypatch.setattr(requirement_files, "MAX_READS", 2)


async def test_many_files_take_several_looks(
    bench: Bench, cypher: Cypher, small_reads: None
) -> None:
    """Each check continues after the last file, also among files of the same time."""
    names = [f"p{n}" for n in range(13)]
    for name in names:
        file(cypher, name)
    found: list[str] = []
    for _ in range(4):
        await look(bench)
        found += await asked(bench)
    assert sorted(found) == sorted(names)


async def test_no_more_is_asked_for_than_there_is_room(bench: Bench, cypher: Cypher) -> None:
    """While urgent work waits, files wait too; none is skipped."""
    bench.set(run_high_water=3)
    names = [f"p{n}" for n in range(7)]
    file(cypher, *names[:4])
    file(cypher, *names[4:], seconds=1)
    assert (await look(bench)).packages == 3
    assert (await look(bench)).packages == 0
    found = await asked(bench)
    for _ in range(3):
        await look(bench)
        found += await asked(bench)
    assert sorted(found) == names


async def test_edges_that_come_late_are_found(
    bench: Bench, cypher: Cypher, small_reads: None
) -> None:
    """The file's moment was set before its last edge was written."""
    file(cypher, "a")
    file(cypher, "b", seconds=600)
    await look(bench)
    assert await asked(bench) == ["a", "b"]
    for n in range(6):
        file(cypher, f"old{n}", seconds=-7200 - n)
    await look(bench)
    await asked(bench)
    cypher(
        "MATCH (f:RequirementFile {moment: $m}) CREATE (f)-[:REQUIRE]->"
        "(:PyPIPackage {purl: 'pkg:pypi/late', name: 'late'})",
        m=MOMENT,
    )
    await look(bench)
    assert "late" in await asked(bench)


async def test_old_files_are_looked_at_in_turn(
    bench: Bench, cypher: Cypher, small_reads: None
) -> None:
    """An edge that was added long after its file is found by the rotation."""
    for n in range(5):
        file(cypher, f"p{n}", seconds=7200 * n)
    for _ in range(2):
        await look(bench)
    await asked(bench)
    for turn in range(2):
        name = f"late{turn}"
        cypher(
            "MATCH (f:RequirementFile {moment: $m}) CREATE (f)-[:REQUIRE]->"
            "(:PyPIPackage {purl: 'pkg:pypi/' + $name, name: $name})",
            m=MOMENT,
            name=name,
        )
        found: list[str] = []
        for _ in range(5):
            await look(bench)
            found += await asked(bench)
        assert found == [name]


async def test_a_claimed_stub_is_filled_once(bench: Bench, cypher: Cypher) -> None:
    """Another caller requests the same package: one reading serves both."""
    bench.content.names = ["a"]
    file(cypher, "a")
    await look(bench)
    request = ExtractPackage(ecosystem="pypi", name="a", job_id="other")
    await bench.state.queues.publish([job_message(Purl("pkg:pypi/a"), request)])
    await bench.work()
    assert bench.content.fetched == ["a"]
