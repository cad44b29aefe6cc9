"""The changes of a second reading, and the data that it keeps."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ssc_ingest.errors import GraphRefused
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import ANY_VERSION, Package
from tests.conftest import Cypher
from tests.integration.test_graph.packages import FETCHED, order, package, ref

LATER = FETCHED + timedelta(days=1)
MUCH_LATER = FETCHED + timedelta(days=2)


def serials(cypher: Cypher, purl: str) -> dict[str, int]:
    """Serial numbers by version name, in their order."""
    rows = cypher(
        "MATCH ({purl: $purl})-[:HAVE]->(v) RETURN v.name AS name, v.serial_number AS n ORDER BY n",
        purl=purl,
    )
    return {row["name"]: row["n"] for row in rows}


def edges(cypher: Cypher) -> list[tuple[str, str, str, str]]:
    """All requirements of versions: (edge id, version, package, constraints)."""
    rows = cypher(
        "MATCH (v:Version)-[r:REQUIRE]->(d) "
        "RETURN elementId(r) AS id, v.name AS v, d.name AS d, r.constraints AS c ORDER BY v, d"
    )
    return [(row["id"], row["v"], row["d"], row["c"]) for row in rows]


async def test_a_version_in_the_middle_renumbers_what_is_behind_it(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Serial numbers have no gaps and are in order; the nodes stay the same."""
    ids = "MATCH (v:Version) RETURN v.name AS name, elementId(v) AS id"
    await writer.write(package("web", ["1.0", "2.0", "3.0"]), order=order)
    before = {row["name"]: row["id"] for row in cypher(ids)}

    outcome = await writer.write(
        package("web", ["1.0", "1.5", "2.0", "3.0"], fetched_at=LATER), order=order
    )

    assert (outcome.new_versions, outcome.total_versions) == (1, 4)
    assert serials(cypher, "pkg:pypi/web") == {"1.0": 0, "1.5": 1, "2.0": 2, "3.0": 3}
    after = {row["name"]: row["id"] for row in cypher(ids)}
    assert {name: after[name] for name in before} == before


async def test_the_given_order_of_versions_does_not_matter(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Serial numbers follow the ecosystem's order, for any order of the document."""
    await writer.write(package("web", ["1.10", "1.9", "1.0rc1", "1.0"]), order=order)

    assert list(serials(cypher, "pkg:pypi/web")) == ["1.0rc1", "1.0", "1.9", "1.10"]


async def test_versions_that_cannot_be_parsed_come_first(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Unparsable names have the lowest serial numbers, even if they are newer."""
    await writer.write(package("web", ["1.0"]), order=order)
    await writer.write(package("web", ["1.0", "final", "2004?"], fetched_at=LATER), order=order)

    assert serials(cypher, "pkg:pypi/web") == {"final": 0, "2004?": 1, "1.0": 2}


async def test_versions_that_left_the_registry_stay(writer: GraphWriter, cypher: Cypher) -> None:
    """Versions of registry and graph are numbered together; deleted ones keep requirements."""
    await writer.write(package("web", {"1.0": {"core": "any"}, "2.0": {}, "3.0": {}}), order=order)

    outcome = await writer.write(package("web", ["2.5", "3.0"], fetched_at=LATER), order=order)

    assert outcome.total_versions == 4
    assert serials(cypher, "pkg:pypi/web") == {"1.0": 0, "2.0": 1, "2.5": 2, "3.0": 3}
    assert [edge[1:] for edge in edges(cypher)] == [("1.0", "core", "any")]


async def test_a_known_release_date_is_not_forgotten(writer: GraphWriter, cypher: Cypher) -> None:
    """A registry without a date does not remove a known one."""
    dated = package("web", ["1.0"])
    undated = package("web", ["1.0"], fetched_at=LATER)
    await writer.write(dated, order=order)
    for version in undated.versions:
        object.__setattr__(version, "release_date", None)
    await writer.write(undated, order=order)

    query = "MATCH (v:Version) RETURN v.release_date AS date"
    assert cypher(query) == [{"date": "2020-01-01T00:00:00.000Z"}]


async def test_a_yank_and_its_withdrawal_are_followed(writer: GraphWriter, cypher: Cypher) -> None:
    """``yanked`` is the registry's current value."""
    query = "MATCH (v:Version) RETURN v.yanked AS yanked"
    await writer.write(package("web", ["1.0"]), order=order)
    await writer.write(package("web", ["1.0"], yanked=["1.0"], fetched_at=LATER), order=order)
    assert cypher(query) == [{"yanked": True}]

    await writer.write(package("web", ["1.0"], fetched_at=MUCH_LATER), order=order)
    assert cypher(query) == [{"yanked": False}]


async def test_edges_become_equal_to_the_requirements(writer: GraphWriter, cypher: Cypher) -> None:
    """New edges are added, changed ones updated, missing ones removed, others stay."""
    await writer.write(
        package("web", {"1.0": {"same": "any", "changed": ">= 1", "gone": "any"}}), order=order
    )
    before = {edge[2]: edge[0] for edge in edges(cypher)}

    outcome = await writer.write(
        package(
            "web",
            {"1.0": {"same": "any", "changed": ">= 2", "added": "any"}},
            fetched_at=LATER,
        ),
        order=order,
    )

    assert (outcome.requirements_written, outcome.requirements_removed) == (2, 1)
    found = edges(cypher)
    assert [edge[1:] for edge in found] == [
        ("1.0", "added", "any"),
        ("1.0", "changed", ">= 2"),
        ("1.0", "same", "any"),
    ]
    after = {edge[2]: edge[0] for edge in found}
    assert (after["same"], after["changed"]) == (before["same"], before["changed"])
    assert cypher("MATCH (p {name: 'gone'}) RETURN count(p) AS n") == [{"n": 1}]


async def test_requirements_that_were_not_read_stay(writer: GraphWriter, cypher: Cypher) -> None:
    """``None`` means unchanged, also beside new versions; an empty tuple means none."""
    await writer.write(
        package("web", {"1.0": {"core": "any"}, "2.0": {"core": "any"}}), order=order
    )

    await writer.write(
        package("web", {"1.0": None, "2.0": {}, "3.0": {"core": ">= 3"}}, fetched_at=LATER),
        order=order,
    )

    assert [edge[1:] for edge in edges(cypher)] == [
        ("1.0", "core", "any"),
        ("3.0", "core", ">= 3"),
    ]


async def test_an_unchanged_package_costs_no_writes_of_versions(writer: GraphWriter) -> None:
    """Lock, compare, set the moment: three statements for any number of versions."""
    many = {f"{n}.0": {"core": f">= {n}"} for n in range(200)}
    await writer.write(package("web", many), order=order)

    outcome = await writer.write(package("web", many, fetched_at=LATER), order=order)

    assert outcome.statements == 3
    assert (outcome.new_versions, outcome.requirements_written) == (0, 0)


async def test_what_vulnerability_attribution_wrote_stays(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A reading changes neither vulnerabilities nor other services' properties."""
    await writer.write(package("web", {"1.0": {"core": "any"}, "2.0": {}}), order=order)
    cypher(
        "MATCH (v:Version {name: '1.0'}) "
        "SET v.vulnerabilities = ['GHSA-1'], v.mean = 7.5, v.weighted_mean = 7.6"
    )

    await writer.write(
        package("web", {"0.9": {}, "1.0": {}, "2.0": {}}, yanked=["1.0"], fetched_at=LATER),
        order=order,
    )

    (row,) = cypher("MATCH (v:Version {name: '1.0'}) RETURN v")
    assert row["v"]["vulnerabilities"] == ["GHSA-1"]
    assert (row["v"]["mean"], row["v"]["weighted_mean"]) == (7.5, 7.6)
    assert (row["v"]["serial_number"], row["v"]["yanked"]) == (1, True)


async def test_not_modified_moves_only_the_moment(writer: GraphWriter, cypher: Cypher) -> None:
    """A 304 counts as a reading at that time, and nothing else changes."""
    everything = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n, r{.*} ORDER BY elementId(n)"
    await writer.write(package("web", {"1.0": {"core": "any"}}, etag="1"), order=order)
    before = cypher(everything)

    moved = await writer.touch(ref("web"), LATER)
    late = await writer.touch(ref("web"), FETCHED)

    assert (moved.stale, late.stale) == (False, True)
    after = cypher(everything)
    for rows in (before, after):
        for row in rows:
            if moment := row["n"].pop("moment", None):
                row["n"]["read"] = moment is not None
    assert after == before
    (row,) = cypher("MATCH (p {name: 'web'}) RETURN p.moment AS moment")
    assert row["moment"].to_native() == LATER.replace(tzinfo=None)


@pytest.mark.parametrize("name", ["core", "unheard-of"])
async def test_what_was_never_read_cannot_be_touched(
    writer: GraphWriter, cypher: Cypher, name: str
) -> None:
    """A 304 does not turn a stub or a missing package into a read one."""
    await writer.write(package("web", {"1.0": {"core": "any"}}), order=order)

    with pytest.raises(GraphRefused, match="has not been read"):
        await writer.touch(ref(name), LATER)

    assert cypher("MATCH (p:PyPIPackage) WHERE p.moment IS NULL RETURN p.name AS name") == [
        {"name": "core"}
    ]


async def test_edges_of_another_writer_are_put_right(writer: GraphWriter, cypher: Cypher) -> None:
    """Versions without digest (from another writer) are compared edge by edge."""
    await writer.write(package("web", {"1.0": {"core": "any", "more": ">= 1"}}), order=order)
    cypher(
        "MATCH (v:Version {name: '1.0'})-[r:REQUIRE]->(d {name: 'core'}) "
        "REMOVE v.requirements_digest SET r.parent_version_name = 'web' "
        "CREATE (v)-[:REQUIRE {constraints: '>= 7'}]->(d)"
    )

    await writer.write(
        package("web", {"1.0": {"core": "any", "more": ">= 1"}}, fetched_at=LATER), order=order
    )

    found: list[dict[str, Any]] = cypher(
        "MATCH (:Version)-[r:REQUIRE]->(d) "
        "RETURN d.name AS d, r.constraints AS c, r.parent_version_name AS p ORDER BY d"
    )
    assert found == [
        {"d": "core", "c": "any", "p": "pkg:pypi/web"},
        {"d": "more", "c": ">= 1", "p": "pkg:pypi/web"},
    ]


async def test_a_package_that_is_gone_says_since_when(writer: GraphWriter, cypher: Cypher) -> None:
    """The mark keeps its first time, and the next successful reading removes it."""
    state = "MATCH (p:PyPIPackage {name: 'web'}) RETURN p.moment AS moment, p.gone_since AS since"
    await writer.write(package("web", ["1.0"]), order=order)
    outcome = await writer.mark_gone(ref("web"), LATER)
    assert outcome.total_versions == 1
    await writer.mark_gone(ref("web"), MUCH_LATER)
    (row,) = cypher(state)
    assert row["since"].to_native() == LATER.replace(tzinfo=None)
    assert row["moment"].to_native() == MUCH_LATER.replace(tzinfo=None)
    # An answer that was on its way before does not bring it back.
    await writer.touch(ref("web"), LATER)
    assert cypher(state) == [row]
    await writer.touch(ref("web"), MUCH_LATER + timedelta(days=1))
    assert cypher(state)[0]["since"] is None
    assert list(serials(cypher, "pkg:pypi/web")) == ["1.0"]


async def test_what_was_never_read_cannot_be_gone(writer: GraphWriter, cypher: Cypher) -> None:
    """No node is created."""
    with pytest.raises(GraphRefused):
        await writer.mark_gone(ref("web"), LATER)
    assert cypher("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


async def test_unknown_requirements_are_marked_until_they_are_known(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """The mark is absent if they are known, and known ones are never replaced."""

    def state() -> dict[str, Any]:
        (row,) = cypher(
            "MATCH (v:Version) RETURN v.requirements_unknown AS unknown, "
            "v.requirements_digest IS NOT NULL AS known, COUNT { (v)-[:REQUIRE]->() } AS edges"
        )
        return row

    def seen(day: int, *, unknown: bool) -> Package:
        found = package("web", {"1.0": {"core": ANY_VERSION}})
        (version,) = found.versions
        if unknown:
            version = replace(version, requirements=None, requirements_unknown=True)
        read_at = found.fetched_at + timedelta(days=day)
        return replace(found, versions=(version,), fetched_at=read_at)

    await writer.write(seen(0, unknown=True), order=order)
    assert state() == {"unknown": True, "known": False, "edges": 0}
    await writer.write(seen(1, unknown=True), order=order)
    assert state() == {"unknown": True, "known": False, "edges": 0}
    await writer.write(seen(2, unknown=False), order=order)
    assert state() == {"unknown": None, "known": True, "edges": 1}
    await writer.write(seen(3, unknown=True), order=order)
    assert state() == {"unknown": None, "known": True, "edges": 1}


async def test_some_requirements_are_better_than_none(
    writer: GraphWriter, reader: GraphReader, cypher: Cypher
) -> None:
    """Incomplete requirements are written and marked. They never replace complete ones."""

    def state() -> tuple[Any, list[str]]:
        (row,) = cypher(
            "MATCH (v:Version) RETURN v.requirements_unknown AS unknown, "
            "COLLECT { MATCH (v)-[:REQUIRE]->(p) RETURN p.name ORDER BY p.name } AS required"
        )
        return row["unknown"], row["required"]

    day = 0

    async def write(*required: str, unknown: bool, read: bool = True) -> None:
        nonlocal day
        day += 1
        found = package("web", {"1.0": dict.fromkeys(required, ANY_VERSION)})
        (version,) = found.versions
        version = replace(
            version,
            requirements=version.requirements if read else None,
            requirements_unknown=unknown,
            extra_requirements=f'{{"x":["{len(required)}"]}}',
        )
        read_at = found.fetched_at + timedelta(days=day)
        await writer.write(replace(found, versions=(version,), fetched_at=read_at), order=order)

    async def known() -> bool:
        found = await reader.package_state(ref("web"))
        assert found
        assert ("1.0" in found.known) != ("1.0" in found.unknown)
        return "1.0" in found.known

    await write("core", unknown=True)
    assert state() == (True, ["core"])
    assert not await known()
    await write("core", "more", unknown=True)
    assert state() == (True, ["core", "more"])
    await write(unknown=True, read=False)
    assert state() == (True, ["core", "more"])
    await write("core", "more", unknown=False)
    assert state() == (None, ["core", "more"])
    assert await known()
    table = "MATCH (v:Version), (t {digest: v.extra_requirements}) RETURN t.table AS t"
    assert cypher(table) == [{"t": '{"x":["2"]}'}]
    await write("core", unknown=True)
    assert state() == (None, ["core", "more"])
    assert cypher(table) == [{"t": '{"x":["2"]}'}]


@pytest.mark.parametrize("first", ["O_o", "O_O"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_one_of_case_twins_has_the_lower_case_name(
    writer: GraphWriter,
    cypher: Cypher,
    first: str,
    at_once: bool,  # noqa: FBT001
) -> None:
    """Always the same one, in any order of reading; the other has its own spelling."""
    second = "O_O" if first == "O_o" else "O_o"
    twins = [package(name, ["1.0"], ecosystem="gem") for name in (first, second)]
    if at_once:
        await asyncio.gather(*(writer.write(twin, order=order) for twin in twins))
    else:
        for twin in twins:
            await writer.write(twin, order=order)
    names = "MATCH (p:RubyGemsPackage) RETURN p.purl AS purl, p.name AS name ORDER BY purl"
    found = [
        {"purl": "pkg:gem/O_O", "name": "o_o"},
        {"purl": "pkg:gem/O_o", "name": "O_o"},
    ]
    assert cypher(names) == found
    again = replace(twins[0], fetched_at=LATER)
    await writer.write(again, order=order)
    assert cypher(names) == found
