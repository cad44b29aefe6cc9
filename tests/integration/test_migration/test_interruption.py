"""A migration that is killed, rejected half-way or taken over has the same result."""

import asyncio
import re
from typing import Any

import pytest
from neo4j import AsyncDriver

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.migration import SupersededMigration, packages, requirements
from ssc_ingest.migration import versions as versions_module
from ssc_ingest.migration.journal import Journal
from tests.conftest import Cypher
from tests.integration.test_migration.migrating import (
    LABELS,
    assert_contract,
    content,
    drop_schema,
    run,
)
from tests.reference_graph import ReferenceGraph, build_reference_graph


class Killed(BaseException):
    """The process was killed."""


def use_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use many pages and transactions for a small graph."""
    monkeypatch.setattr(packages, "NAMES_PER_PAGE", 2)
    monkeypatch.setattr(packages, "EDGES_PER_TRANSACTION", 1)
    monkeypatch.setattr(versions_module, "PACKAGES_PER_PAGE", 3)
    monkeypatch.setattr(versions_module, "VERSIONS_PER_TRANSACTION", 2)
    monkeypatch.setattr(requirements, "EDGES_PER_TRANSACTION", 1)


async def killed_after(writes: int, driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A migration that is killed after this number of transactions."""
    original = Journal.write
    left = writes

    async def write(self: Journal, *arguments: Any, **keywords: Any) -> Any:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return await original(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", write)
        return await run(driver)


def without_numbers(found: tuple[list[str], list[str]]) -> list[set[str]]:
    """The contents without the node whose name is its element id."""
    return [{line for line in part if not re.search(r"(\?|%3F)\d", line)} for part in found]


async def test_workers_are_refused_before_and_after_half_of_it(
    old: ReferenceGraph, driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy in the error works."""
    with pytest.raises(ConfigurationError, match="ssc-ingest migrate"):
        await ensure_schema(driver, LABELS)
    with pytest.raises(Killed):
        await killed_after(20, driver, monkeypatch)
    with pytest.raises(ConfigurationError, match="ssc-ingest migrate` again"):
        await ensure_schema(driver, LABELS)

    await run(driver)

    await assert_contract(driver)


async def test_a_killed_migration_continues_to_the_same_result(
    old: ReferenceGraph,
    driver: AsyncDriver,
    cypher: Cypher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after every few transactions, with small pages, it ends like an uninterrupted one."""
    total = await run(driver)
    expected = content(cypher)
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)
    build_reference_graph(cypher)
    use_small_pages(monkeypatch)

    kills = 0
    counts = None
    while counts is None:
        try:
            counts = await killed_after(5 + kills % 3, driver, monkeypatch)
        except Killed:
            kills += 1

    assert kills > 10
    for found, wanted in zip(
        without_numbers(content(cypher)), without_numbers(expected), strict=True
    ):
        assert found ^ wanted == set()
    assert counts == total
    await assert_contract(driver)


async def test_the_later_migration_takes_over(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """With two at once, the first stops at its next transaction."""
    first, second = Journal(driver), Journal(driver)
    await first.open()
    await second.open()
    with pytest.raises(SupersededMigration):
        await first.write()
    await second.close()

    results = await asyncio.gather(run(driver), run(driver), return_exceptions=True)

    assert sum(isinstance(result, SupersededMigration) for result in results) <= 1
    await run(driver)
    await assert_contract(driver)
