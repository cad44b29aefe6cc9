"""Facts of requirements and versions: sparse, changed, removed, and kept if not read."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ssc_ingest.graph.digests import CLOSED, FORMAT
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package, Requirement, VersionName
from tests.conftest import Cypher
from tests.integration.test_graph.packages import FETCHED, order, package, ref

LATER = FETCHED + timedelta(days=1)
MUCH_LATER = FETCHED + timedelta(days=2)

FEATURES = json.dumps({"default": ["std"], "std": []})
DECLARED = '[{"features":["derive"],"target":"cfg(unix)"}]'
VERSION_FACTS: dict[str, Any] = {
    "requires_python": ">=3.9",
    "engines": '{"node":">=18"}',
    "os": ("linux", "!win32"),
    "cpu": ("x64",),
    "license": "MIT OR Apache-2.0",
    "license_spdx": "MIT OR Apache-2.0",
    "deprecated": "use core",
    "features": FEATURES,
    "extra_requirements": '{"test":["pytest"]}',
    "peer_requirements": '{"react":{"range":"^18"}}',
    "frameworks": '["net8.0","any"]',
    "builds": '{"java":{"requirements":{"jar":"~> 1"}}}',
}
TABLES = "MATCH (t:RequirementTable) RETURN t.digest AS digest, t.table AS table ORDER BY digest"
DIGESTS = (
    "MATCH (p {name: 'web'})-[:HAVE]->(v) "
    "RETURN v.name AS name, v.requirements_digest AS digest ORDER BY v.serial_number"
)


def crate(
    versions: Mapping[str, tuple[Requirement, ...] | None],
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    fetched_at: datetime = FETCHED,
    dist_tags: str | None = None,
) -> Package:
    """A package ``web`` whose versions have these requirements and facts."""
    base = package("web", list(versions), fetched_at=fetched_at, dist_tags=dist_tags)
    made = tuple(
        replace(version, requirements=versions[version.name], **(facts or {}).get(version.name, {}))
        for version in base.versions
    )
    return replace(base, versions=made)


def edges(cypher: Cypher) -> dict[str, dict[str, Any]]:
    """All properties of the edges of ``web`` 1.0, by the name of the required package."""
    rows = cypher(
        "MATCH (:Version {name: '1.0'})-[r:REQUIRE]->(d) RETURN d.name AS name, properties(r) AS r"
    )
    return {row["name"]: row["r"] for row in rows}


def version(cypher: Cypher, name: str = "1.0") -> dict[str, Any]:
    """All properties of a version."""
    query = (
        "MATCH (:PyPIPackage {name: 'web'})-[:HAVE]->(v {name: $name}) RETURN properties(v) AS v"
    )
    (row,) = cypher(query, name=name)
    found: dict[str, Any] = row["v"]
    return found


def facts_of(cypher: Cypher, name: str = "1.0") -> dict[str, Any]:
    """The properties of a version that are facts; tables as text."""
    tables = {row["digest"]: row["table"] for row in cypher(TABLES)}
    found = {key: value for key, value in version(cypher, name).items() if key in VERSION_FACTS}
    return {
        key: tuple(value) if isinstance(value, list) else tables.get(value, value)
        for key, value in found.items()
    }


def plain(name: str = "core", constraints: str = "any") -> Requirement:
    """A requirement without special facts."""
    return Requirement(ref(name), constraints)


async def test_facts_are_written_changed_and_removed(writer: GraphWriter, cypher: Cypher) -> None:
    """An edge has only properties with values, and outdated ones are removed."""
    rich = Requirement(ref("rich"), ">= 1", kind="build", optional=True, declared=DECLARED)
    expected = {"constraints": ">= 1", "parent_version_name": "pkg:pypi/web"}
    await writer.write(crate({"1.0": (rich, plain())}), order=order)
    assert edges(cypher) == {
        "rich": {**expected, "kind": "build", "optional": True, "declared": DECLARED},
        "core": {"constraints": "any", "parent_version_name": "pkg:pypi/web"},
    }

    other = replace(rich, kind=None, declared="[]")
    outcome = await writer.write(crate({"1.0": (other, plain())}, fetched_at=LATER), order=order)
    assert outcome.requirements_written == 1
    assert edges(cypher)["rich"] == {**expected, "optional": True, "declared": "[]"}

    last = crate({"1.0": (plain("rich", ">= 1"), plain())}, fetched_at=MUCH_LATER)
    await writer.write(last, order=order)
    assert edges(cypher)["rich"] == expected


async def test_facts_of_versions_follow_their_documents(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Versions that were not read keep their facts; others follow the new document."""
    both = {"1.0": VERSION_FACTS, "2.0": VERSION_FACTS}
    await writer.write(crate({"1.0": (), "2.0": ()}, both), order=order)
    assert facts_of(cypher) == VERSION_FACTS

    await writer.write(crate({"1.0": None, "2.0": ()}, fetched_at=LATER), order=order)

    assert facts_of(cypher) == VERSION_FACTS
    licence = {"license", "license_spdx"}
    assert facts_of(cypher, "2.0").keys() == licence, "a licence that was not read stays"
    changed = {"2.0": {"license": "see LICENSE", "requires_python": ">=3.12"}}
    await writer.write(crate({"1.0": None, "2.0": ()}, changed, fetched_at=MUCH_LATER), order=order)
    assert facts_of(cypher, "2.0") == changed["2.0"], "the expression was that of the other licence"


async def test_a_fact_of_the_package_document_needs_no_other(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """PyPI's page has the Python versions of releases whose metadata is not read."""
    await writer.write(crate({"1.0": None}), order=order)
    facts = {"1.0": {"requires_python": ">=3.8"}}
    await writer.write(crate({"1.0": None}, facts, fetched_at=LATER), order=order)

    assert facts_of(cypher) == facts["1.0"]


async def test_what_is_default_has_no_property(writer: GraphWriter, cypher: Cypher) -> None:
    """Versions without facts have the same properties as before."""
    await writer.write(crate({"1.0": (plain(),)}), order=order)

    assert version(cypher).keys() == {
        *("purl", "name", "serial_number", "release_date", "yanked", "requirements_digest"),
        *("vulnerabilities", "mean", "weighted_mean"),
    }
    (row,) = cypher("MATCH (p {name: 'web'}) RETURN properties(p) AS p")
    assert not row["p"].keys() & {"dist_tags", "versions_without_facts"}


async def test_dist_tags_are_the_registrys(writer: GraphWriter, cypher: Cypher) -> None:
    """Tags move between versions, and are removed."""
    query = "MATCH (p {name: 'web'}) RETURN p.dist_tags AS tags"
    tags = '{"latest":"1.0"}'
    await writer.write(crate({"1.0": ()}, dist_tags=tags), order=order)
    assert cypher(query) == [{"tags": tags}]

    await writer.write(crate({"1.0": ()}, fetched_at=LATER), order=order)
    assert cypher(query) == [{"tags": None}]


async def test_tables_are_shared_by_their_content(writer: GraphWriter, cypher: Cypher) -> None:
    """Equal tables are one node without relationships; a version names one or none."""
    feature = {"features": FEATURES}
    web = crate({"1.0": (), "2.0": ()}, {"1.0": feature, "2.0": feature})
    await writer.write(web, order=order)
    (table,) = cypher(TABLES)
    assert table["table"] == FEATURES
    assert version(cypher)["features"] == version(cypher, "2.0")["features"] == table["digest"]

    outcome = await writer.write(replace(web, fetched_at=LATER), order=order)
    assert outcome.statements == 3, "what is equal is not looked up"
    changed = {"1.0": feature, "2.0": {"features": "{}"}}
    await writer.write(crate({"1.0": (), "2.0": ()}, changed, MUCH_LATER), order=order)

    assert facts_of(cypher, "2.0") == {"features": "{}"}
    assert len(cypher(TABLES)) == 2
    assert cypher("MATCH (t:RequirementTable)--() RETURN count(*) AS n") == [{"n": 0}]


def older(cypher: Cypher) -> None:
    """Convert the graph to an earlier release: no facts, and digests without a format."""
    cypher(
        "MATCH (v:Version) SET v.requirements_digest = right(v.requirements_digest, 16) "
        "REMOVE v.features, v.license, v.license_spdx, v.requires_python, v.engines, v.os, v.cpu, "
        "v.deprecated, v.extra_requirements, v.peer_requirements, v.frameworks, v.builds"
    )
    cypher("MATCH (:Version)-[r:REQUIRE]->() REMOVE r.kind, r.optional, r.declared")
    cypher("MATCH (t:RequirementTable) DELETE t")


def digests(cypher: Cypher) -> dict[str, str]:
    """Formats of digests by version."""
    return {row["name"]: row["digest"][:-16] for row in cypher(DIGESTS)}


async def test_a_graph_of_an_earlier_release_is_filled_by_one_reading(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Missing facts appear, and digests get their format; nothing else changes."""
    rich = Requirement(ref("rich"), ">= 1", kind="build", optional=True, declared=DECLARED)
    web = crate({"1.0": (rich, plain()), "2.0": (plain(),)}, {"2.0": VERSION_FACTS})
    await writer.write(replace(web, versions=(*web.versions,)), order=order)
    before = edges(cypher), facts_of(cypher, "2.0")
    ids = "MATCH (n) WHERE NOT n:RequirementTable RETURN elementId(n) AS id ORDER BY id"
    nodes = cypher(ids)
    plain_digest = version(cypher, "2.0")["requirements_digest"]
    older(cypher)
    # What is special made other digits: an earlier release had those of the plain requirements.
    cypher("MATCH (v:Version {name: '1.0'}) SET v.requirements_digest = '0123456789abcdef'")
    assert edges(cypher)["rich"].keys() == {"constraints", "parent_version_name"}

    outcome = await writer.write(replace(web, fetched_at=LATER), order=order)

    assert (edges(cypher), facts_of(cypher, "2.0")) == before
    assert outcome.requirements_written == 1
    assert digests(cypher) == {"1.0": FORMAT, "2.0": FORMAT}
    assert version(cypher, "2.0")["requirements_digest"] == plain_digest
    assert cypher(ids) == nodes
    again = await writer.write(replace(web, fetched_at=MUCH_LATER), order=order)
    assert again.statements == 3, "filled once"


async def test_what_was_not_asked_for_stays_to_be_filled(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A version without a readable document is marked and not requested again."""
    left = "MATCH (p {name: 'web'}) RETURN p.versions_without_facts AS n"
    names = ["1.0", "2.0", "3.0", "4.0"]
    await writer.write(crate({name: (plain(),) for name in names}), order=order)
    older(cypher)

    part = crate({"1.0": None, "2.0": None, "3.0": None, "4.0": (plain(),)}, fetched_at=LATER)
    await writer.write(part, order=order, unasked=[VersionName("1.0"), VersionName("2.0")])

    assert digests(cypher) == {"1.0": "", "2.0": "", "3.0": CLOSED, "4.0": FORMAT}
    assert cypher(left) == [{"n": 2}]
    gone = crate({"2.0": (plain(),)}, fetched_at=MUCH_LATER)
    await writer.write(gone, order=order)
    assert digests(cypher) == {"1.0": CLOSED, "2.0": FORMAT, "3.0": CLOSED, "4.0": FORMAT}
    assert cypher(left) == [{"n": None}]
    assert len(edges(cypher)) == 1, "what was known stays"


async def test_a_fact_said_to_be_none_is_removed_from_versions_that_were_not_read(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """PyPI's page has the status of the project, which may be withdrawn: it is of all versions."""
    archived = {"1.0": {"deprecated": "archived"}}
    await writer.write(crate({"1.0": ()}, archived), order=order)
    assert facts_of(cypher) == archived["1.0"]

    active = {"1.0": {"deprecated": ""}, "2.0": {"deprecated": ""}}
    await writer.write(crate({"1.0": None, "2.0": ()}, active, fetched_at=LATER), order=order)

    assert (facts_of(cypher), facts_of(cypher, "2.0")) == ({}, {})
