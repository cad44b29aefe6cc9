"""Compares the blast radius with a brute-force evaluation of each pair of versions by univers."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.graph.dependents import DependentsReader
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package, Purl, Requirement, Version, VersionName
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.blast_radius import BlastRadius, Level
from tests.conftest import Cypher
from tests.simulator.registries import open_registry
from tests.simulator.truth import PackageTruth, truth_of

PACKAGES = 45


def truths(name: str) -> list[PackageTruth]:
    """The correct data of some packages of the simulator."""
    registry = open_registry(name, packages=PACKAGES)
    return [truth_of(found) for found in map(registry.package, range(PACKAGES)) if found]


def package(name: str, truth: PackageTruth, names: dict[str, str]) -> Package:
    """The package as read by its registry's module; every seventh edge is optional."""
    cls = ecosystem(name)
    ref = cls.ref(truth.registry_name)
    return Package(
        ref=ref,
        vendor="n/a",
        repository_url="n/a",
        versions=tuple(
            Version(
                name=VersionName(version.name),
                purl=Purl(version.purl),
                release_date=version.release_date,
                requirements=tuple(
                    Requirement(cls.ref(names[purl]), constraints, optional=number % 7 == 6)
                    for number, (purl, constraints) in enumerate(version.requirements.items())
                    if purl in names
                ),
            )
            for version in truth.versions
        ),
        latest=None,
        fetched_at=datetime.now(UTC),
    )


def brute_force(
    name: str, rows: Iterable[dict[str, Any]], names: dict[str, list[str]], *, optional: bool
) -> list[set[tuple[str, int]]]:
    """Level by level, one evaluation by univers for each edge and each version on the level."""
    kind: Any = ecosystem(name).range_class
    edges = [row for row in rows if optional or not row["optional"]]

    @cache
    def parsed(purl: str) -> list[Any]:
        return [kind.version_class(each) for each in names[purl]]

    @cache
    def admits(constraints: str, purl: str, serial: int) -> bool:
        if constraints == "any":
            return True
        try:
            return parsed(purl)[serial] in kind.from_native(constraints)
        except Exception:  # noqa: BLE001 - as the readers
            return True

    by_required: dict[str, list[dict[str, Any]]] = {}
    for row in edges:
        by_required.setdefault(row["required"], []).append(row)
    level = {(row["purl"], row["serial"]) for row in rows if row["affected"]}
    seen, levels = set(level), [level]
    while level:
        level = {
            (row["purl"], row["serial"])
            for purl, serial in level
            for row in by_required.get(purl, ())
            if admits(row["constraints"], purl, serial)
        } - seen
        seen |= level
        levels.append(level)
    return levels[:-1]


def versions_of(level: Level) -> set[tuple[str, int]]:
    """The versions of a level, one by one."""
    return {
        (each.purl, serial)
        for each in level.packages
        for first, last in each.spans
        for serial in range(first, last + 1)
    }


@pytest.fixture
async def driver(clean_graph: None, servers: Servers, settings: Settings) -> Any:
    """The program's driver, on an empty graph."""
    async with open_driver(servers, settings) as driver:
        yield driver


@pytest.mark.parametrize("name", ["pypi", "npm", "maven", "cargo", "rubygems", "nuget"])
async def test_equal_to_brute_force(name: str, driver: AsyncDriver, cypher: Cypher) -> None:
    """Both results are equal for the simulator's packages, at every depth."""
    cls = ecosystem(name)
    label = cls.identity.label
    await ensure_schema(driver, [label])
    found = truths(name)
    names = {truth.purl: truth.registry_name for truth in found}
    async with GraphWriter(driver) as writer:
        for truth in found:
            await writer.write(package(name, truth, names), order=cls.order)
    required = cypher(
        f"MATCH (p:{label})<-[:REQUIRE]-(:Version) WITH p, count(*) AS edges "
        "ORDER BY edges DESC, p.purl LIMIT 3 RETURN p.purl AS purl"
    )
    purls = [Purl(row["purl"]) for row in required]
    chance = random.Random(name)
    versions = cypher(
        f"MATCH (p:{label})-[:HAVE]->(v) WHERE p.purl IN $purls RETURN v.purl AS purl", purls=purls
    )
    hit = [row["purl"] for row in versions if chance.random() < 0.4]
    cypher("MATCH (v:Version) WHERE v.purl IN $hit SET v.vulnerabilities = ['X-1']", hit=hit)
    rows = cypher(
        f"MATCH (p:{label})-[:HAVE]->(v) OPTIONAL MATCH (v)-[r:REQUIRE]->(q) "
        "RETURN p.purl AS purl, v.serial_number AS serial, v.name AS name, q.purl AS required, "
        "r.constraints AS constraints, coalesce(r.optional, false) AS optional, "
        "'X-1' IN v.vulnerabilities AS affected"
    )
    lines: dict[str, dict[int, str]] = {}
    for row in rows:
        lines.setdefault(row["purl"], {})[row["serial"]] = row["name"]
    in_order = {purl: [line[i] for i in range(len(line))] for purl, line in lines.items()}
    edges = [row for row in rows if row["required"] or row["affected"]]

    reader = DependentsReader(driver, label, timeout=30)
    for optional in (False, True):
        expected = brute_force(name, edges, in_order, optional=optional)
        radius = BlastRadius(cls, reader, optional=optional)
        levels = await radius.levels("X-1", purls, depth=100)
        assert [versions_of(level) for level in levels] == expected
        assert [level.depth for level in levels] == list(range(len(expected)))
        assert levels[0].versions == len(expected[0]) > 0
        assert len(expected) > 1
        assert await radius.levels("X-1", purls, depth=1) == levels[:2]
        assert [level.packages for level in await radius.levels("Y-1", purls, depth=3)] == [()]
        first, serial = next(iter(expected[0]))
        called = await reader.names({Purl(first): {serial}})
        assert called == {(first, serial): in_order[first][serial]}
