"""A written package in the graph."""

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import ANY_VERSION, Package, Version
from tests.conftest import Cypher
from tests.graph_truth import snapshot
from tests.integration.test_graph.packages import FETCHED, order, package, ref

WEB = {"1.0": {"core": ">= 1.0"}, "2.0": {"core": ">= 2.0, < 3", "extras": ANY_VERSION}}


def versions_of(cypher: Cypher, purl: str) -> list[dict[str, Any]]:
    """The versions of a package in serial-number order."""
    return [
        row["v"]
        for row in cypher(
            "MATCH ({purl: $purl})-[:HAVE]->(v:Version) RETURN v ORDER BY v.serial_number",
            purl=purl,
        )
    ]


async def test_a_package_has_the_properties_of_the_contract(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Package and versions have the names, types and defaults of the readers."""
    await writer.write(package("Web", WEB, etag='"abc"', yanked=["1.0"]), order=order)

    (row,) = cypher("MATCH (p:PyPIPackage {purl: 'pkg:pypi/Web'}) RETURN p, labels(p) AS labels")
    assert row["labels"] == ["PyPIPackage"]
    moment = row["p"].pop("moment")
    assert moment.to_native() == FETCHED.replace(tzinfo=None)
    assert row["p"] == {
        "name": "web",
        "registry_name": "Web",
        "purl": "pkg:pypi/Web",
        "vendor": "somebody",
        "repository_url": "https://example.org/Web",
        "import_names": ["Web"],
        "import_names_from": "2.0",
        "latest": "2.0",
        "etag": '"abc"',
    }
    first, second = versions_of(cypher, "pkg:pypi/Web")
    assert re.fullmatch(r"02[0-9a-f]{16}", first.pop("requirements_digest"))
    assert first == {
        "name": "1.0",
        "purl": "pkg:pypi/Web@1.0",
        "serial_number": 0,
        "mean": 0.0,
        "weighted_mean": 0.0,
        "vulnerabilities": [],
        "release_date": "2020-01-01T00:00:00.000Z",
        "yanked": True,
    }
    assert (second["serial_number"], second["yanked"]) == (1, False)


async def test_requirements_carry_constraints_and_the_owner_of_their_version(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """An edge has the purl of the package that owns its version."""
    await writer.write(package("web", WEB), order=order)

    edges = cypher(
        "MATCH (v:Version)-[r:REQUIRE]->(d) RETURN v.name AS v, d.name AS d, r{.*} AS r "
        "ORDER BY v, d"
    )
    assert edges == [
        {
            "v": version,
            "d": required,
            "r": {"constraints": constraints, "parent_version_name": "pkg:pypi/web"},
        }
        for version, required, constraints in [
            ("1.0", "core", ">= 1.0"),
            ("2.0", "core", ">= 2.0, < 3"),
            ("2.0", "extras", "any"),
        ]
    ]


async def test_a_required_package_is_a_stub_until_it_is_written(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A stub has provisional properties and no moment; a reading completes the same node."""
    await writer.write(package("web", {"1.0": {"Core": ANY_VERSION}}), order=order)

    stub_query = "MATCH (p:PyPIPackage {purl: 'pkg:pypi/Core'}) RETURN p, elementId(p) AS id"
    (stub,) = cypher(stub_query)
    assert stub["p"] == {
        "name": "core",
        "registry_name": "Core",
        "purl": "pkg:pypi/Core",
        "vendor": "n/a",
        "repository_url": "n/a",
        "import_names": [],
    }

    core = package("Core", ["0.9"])
    core = replace(core, ref=replace(core.ref, name="core!", registry_name="CORE"))
    outcome = await writer.write(core, order=order)

    assert outcome.created
    (read,) = cypher(stub_query)
    assert read["id"] == stub["id"]
    assert (read["p"]["name"], read["p"]["registry_name"]) == ("core!", "CORE")
    assert read["p"]["vendor"] == "somebody"


async def test_the_properties_of_an_ecosystem_are_on_packages_and_stubs(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Further properties of a reference are on the node."""
    coordinates = {"group_id": "org.Example", "artifact_id": "Thing"}
    thing = replace(package("thing", ["1"]), ref=ref("thing", **coordinates))

    await writer.write(thing, order=order)

    query = "MATCH (p {purl: 'pkg:pypi/thing'}) RETURN p.group_id AS g, p.artifact_id AS a"
    assert cypher(query) == [{"g": "org.Example", "a": "Thing"}]


async def test_writing_twice_changes_nothing(writer: GraphWriter, cypher: Cypher) -> None:
    """Counts, identities and edges stay the same after a newer, equal reading."""
    await writer.write(package("web", WEB), order=order)
    before = snapshot(cypher)

    again = await writer.write(package("web", WEB), order=order)
    newer = await writer.write(
        package("web", WEB, fetched_at=FETCHED + timedelta(hours=1)), order=order
    )

    assert snapshot(cypher) == before
    assert again.stale
    assert not newer.stale
    assert (newer.new_versions, newer.requirements_written, newer.requirements_removed) == (0, 0, 0)
    assert newer.total_versions == 2


async def test_something_older_changes_nothing(writer: GraphWriter, cypher: Cypher) -> None:
    """A late result of an earlier fetch does not undo a later one."""
    await writer.write(package("web", WEB, vendor="new"), order=order)
    before = cypher("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n, r{.*} ORDER BY elementId(n)")

    outcome = await writer.write(
        package("web", ["1.0", "3.0"], vendor="old", fetched_at=FETCHED - timedelta(seconds=1)),
        order=order,
    )

    assert outcome.stale
    after = cypher("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n, r{.*} ORDER BY elementId(n)")
    assert after == before


async def test_moments_compare_across_time_zones(writer: GraphWriter, cypher: Cypher) -> None:
    """The moment is stored in UTC without a zone, for fetches in any zone."""
    east = timezone(timedelta(hours=9))
    fetched = datetime(2026, 5, 4, 9, 0, 0, 123456, tzinfo=east)
    await writer.write(package("web", WEB, fetched_at=fetched), order=order)

    (row,) = cypher("MATCH (p {purl: 'pkg:pypi/web'}) RETURN p.moment AS moment")
    assert row["moment"].to_native() == datetime(2026, 5, 4, 0, 0, 0, 123456)  # noqa: DTZ001


async def test_what_was_not_read_stays(writer: GraphWriter, cypher: Cypher) -> None:
    """A fetch without links and import names keeps them, and the registry's name."""
    await writer.write(package("Web", WEB), order=order)
    bare = package("Web", WEB, vendor=None, repository_url=None, import_names=())
    bare = replace(bare, ref=replace(bare.ref, registry_name="wEB"))

    await writer.write(replace(bare, fetched_at=FETCHED + timedelta(1)), order=order)

    (row,) = cypher("MATCH (p {purl: 'pkg:pypi/Web'}) RETURN p")
    assert row["p"]["vendor"] == "somebody"
    assert row["p"]["repository_url"] == "https://example.org/Web"
    assert row["p"]["import_names"] == ["Web"]
    assert row["p"]["registry_name"] == "Web"


async def test_what_the_registry_no_longer_says_goes(writer: GraphWriter, cypher: Cypher) -> None:
    """A withdrawn repository and a missing validator are removed."""
    await writer.write(package("web", WEB, etag="1"), order=order)
    later = FETCHED + timedelta(1)

    await writer.write(
        package("web", WEB, repository_url="n/a", latest=None, fetched_at=later), order=order
    )

    (row,) = cypher("MATCH (p {purl: 'pkg:pypi/web'}) RETURN p")
    assert row["p"]["repository_url"] == "n/a"
    assert "etag" not in row["p"]
    assert "latest" not in row["p"]


async def test_a_package_may_have_no_versions(writer: GraphWriter, cypher: Cypher) -> None:
    """A project without releases is in the graph, and counts as read."""
    outcome = await writer.write(package("empty", []), order=order)

    assert (outcome.created, outcome.total_versions) == (True, 0)
    assert cypher("MATCH (p {purl: 'pkg:pypi/empty'}) RETURN p.moment IS NOT NULL AS read") == [
        {"read": True}
    ]


async def test_a_package_may_require_itself(writer: GraphWriter, cypher: Cypher) -> None:
    """A cycle of length one is an edge like any other."""
    await writer.write(package("ouroboros", {"1.0": {"ouroboros": "< 1"}}), order=order)

    assert cypher("MATCH (p)-[:HAVE]->()-[:REQUIRE]->(p) RETURN p.name AS name") == [
        {"name": "ouroboros"}
    ]


async def test_a_version_or_requirement_listed_twice_is_written_once(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """The first of two rows for one version, or two edges to one package, counts."""
    web = package("web", {"1.0": {"core": ">= 1"}})
    (version,) = web.versions
    assert version.requirements is not None
    (requirement,) = version.requirements
    twice = replace(version, requirements=(requirement, replace(requirement, constraints="any")))

    await writer.write(replace(web, versions=(twice, replace(version, yanked=True))), order=order)

    query = "MATCH (v:Version)-[r:REQUIRE]->() RETURN v.yanked AS yanked, r.constraints AS c"
    assert cypher(query) == [{"yanked": False, "c": ">= 1"}]


async def test_packages_that_differ_in_case_alone_are_two(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """The purl is the identity, so each keeps its own versions."""
    lower, upper = package("json", ["1.0"]), package("JSON", ["9.0"])

    await writer.write(lower, order=order)
    await writer.write(replace(upper, ref=replace(upper.ref, name="JSON")), order=order)

    query = "MATCH (p:PyPIPackage)-[:HAVE]->(v) RETURN p.name AS p, v.name AS v ORDER BY p"
    assert cypher(query) == [{"p": "JSON", "v": "9.0"}, {"p": "json", "v": "1.0"}]


async def test_a_requirement_of_another_ecosystem_is_a_mistake(writer: GraphWriter) -> None:
    """A version requires only packages of its own registry."""
    foreign = package("left-pad", {"1.0": {"right-pad": "any"}}, ecosystem="npm")
    web = package("web", ["1.0"])
    mixed: tuple[Version, ...] = (
        replace(web.versions[0], requirements=foreign.versions[0].requirements),
    )
    mistaken: Package = replace(web, versions=mixed)

    with pytest.raises(ValueError, match="requires pkg:npm/right-pad"):
        await writer.write(mistaken, order=order)


async def test_ecosystems_share_a_transaction(writer: GraphWriter, cypher: Cypher) -> None:
    """A transaction may have packages of several labels."""
    outcomes = await asyncio.gather(
        *(
            writer.write(package(f"p{n}", {"1.0": {"core": "any"}}, ecosystem=e), order=order)
            for n in range(3)
            for e in ("npm", "pypi", "cargo")
        )
    )

    assert {outcome.packages for outcome in outcomes} == {9}
    assert cypher("MATCH (p) WHERE p.moment IS NOT NULL RETURN count(p) AS n") == [{"n": 9}]
    assert cypher("MATCH (p {name: 'core'}) RETURN count(p) AS n") == [{"n": 3}]


async def test_a_very_large_package_takes_several_transactions(
    writer: GraphWriter, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serial numbers never have gaps; the package counts as read after the last one."""
    monkeypatch.setattr("ssc_ingest.graph.transaction.ROWS_PER_PACKAGE", 25)
    many = {f"{n}.0": {f"dep{n % 7}": "any", "core": f">= {n}"} for n in range(40)}

    outcome = await writer.write(package("huge", many), order=order)

    assert (outcome.is_complete, outcome.created) == (True, True)
    assert (outcome.new_versions, outcome.total_versions) == (40, 40)
    assert outcome.requirements_written == 80
    assert writer.statistics.transactions == 5
    found = versions_of(cypher, "pkg:pypi/huge")
    assert [v["name"] for v in found] == list(many)
    assert [v["serial_number"] for v in found] == list(range(40))
    assert cypher("MATCH ()-[r:REQUIRE]->() RETURN count(r) AS n") == [{"n": 80}]
