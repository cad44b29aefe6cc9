"""Tasks of an ingestion rely on the comparison of its run with the graph."""

import asyncio
from typing import Any

import pytest

from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.models import Outcome, PackageRef
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench

NAMES = [f"package-{number:02}" for number in range(25)]

READ = "MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN count(p) AS n"


async def test_no_task_reads_what_the_run_has_compared(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, cypher: Cypher
) -> None:
    """The packages are in the graph without a look at it."""

    async def refuse(self: GraphReader, ref: PackageRef) -> Any:
        raise AssertionError(ref)

    bench.content.names = NAMES
    with monkeypatch.context() as patch:
        patch.setattr(GraphReader, "package_state", refuse)
        run = await bench.carry_out(await bench.start("ingestion"))
    assert run.metrics()["new_packages_ingested"] == 25
    assert cypher(READ) == [{"n": 25}]
    assert bench.resources.writer.statistics.statements < 25


async def test_a_package_that_was_read_in_the_meantime(bench: Bench, cypher: Cypher) -> None:
    """Another task was faster: the package is counted once, as present."""
    bench.content.names = NAMES[:3]
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pending == 3)
    by_name = TaskMessage(
        task=EXTRACT,
        kwargs={"ecosystem": "pypi", "name": "package-01", "dependencies": "none"},
        queue="pypi.urgent",
    )
    await bench.handle(by_name)
    run = await bench.work_until(engine)
    assert (run.counts[Outcome.EXTRACTED], run.counts[Outcome.PRESENT]) == (2, 1)
    assert run.metrics()["new_packages_ingested"] == 3
    assert sorted(bench.content.fetched) == ["package-00", "package-01", "package-01", "package-02"]
    (row,) = cypher("MATCH (v:Version) RETURN count(v) AS n")
    assert row == {"n": 3}
