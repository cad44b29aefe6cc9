"""The queries of other services, on documents that a sync wrote.

The aggregation is that of the VEX generator, in MongoDB's language; each test covers a pitfall.
"""

from typing import Any

import bson
import pytest

from ssc_ingest.vulnerabilities.cwe_catalogue import PAGE
from ssc_ingest.vulnerabilities.mongo import CWES, EXPLOITS
from tests.integration.test_vulnerabilities.conftest import LocalRecords, Syncing, advisory

V3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"

XSS = {
    "id": "CWE-79",
    "@Abstraction": "Base",
    "Description": "Cross-site scripting.",
    "ExternalReference": PAGE.format(79),
}


def joined(collection: str) -> dict[str, Any]:
    """A ``$lookup`` of ids by ``id``."""
    lookup = {"from": collection, "localField": collection, "foreignField": "id", "as": collection}
    return {"$lookup": lookup}


FIRST_V3 = {"$filter": {"input": "$severity", "cond": {"$eq": ["$$this.type", "CVSS_V3"]}}}


async def read(syncing: Syncing, record_id: str) -> dict[str, Any]:
    """The advisory as the VEX generator reads it; a missing one has no ``id`` and ``details``."""
    stages: list[dict[str, Any]] = [
        {"$match": {"id": record_id}},
        joined("exploits"),
        joined("cwes"),
        {"$set": {"v3": {"$arrayElemAt": [FIRST_V3, 0]}}},
        {
            "$addFields": {
                "vuln_impact": {"$ifNull": ["$v3.base_score", 0.0]},
                "attack_vector": {"$ifNull": ["$v3.score", ""]},
            }
        },
    ]
    cursor = await syncing.store._advisories.aggregate(stages)
    found: list[dict[str, Any]] = await cursor.to_list()
    return found[0] if found else {"vuln_impact": 0.0, "attack_vector": ""}


async def test_an_advisory_with_all_that_readers_show(
    syncing: Syncing, local: LocalRecords
) -> None:
    """Impact and vector of the first version 3 entry; weaknesses and exploits joined by id."""
    severity = [{"type": "CVSS_V4", "score": V4}, {"type": "CVSS_V3", "score": V3}]
    cwes = {"cwe_ids": ["CWE-79", "CWE-1000000"]}
    local.write([advisory("GHSA-1", "a", severity=severity, database_specific=cwes)])
    await syncing.store.weaknesses.write([XSS])
    await syncing.sync()
    database = syncing.store.database
    await database[EXPLOITS].insert_one({"id": "EDB-1", "type": "exploitdb", "href": "https://x"})
    await syncing.store._advisories.update_one({"id": "GHSA-1"}, {"$set": {"exploits": ["EDB-1"]}})

    found = await read(syncing, "GHSA-1")

    assert (found["vuln_impact"], found["attack_vector"]) == (9.8, V3)
    assert type(found["vuln_impact"]) is float
    assert [weakness["@Abstraction"] for weakness in found["cwes"]] == ["Base"]
    assert [exploit["href"] for exploit in found["exploits"]] == ["https://x"]
    assert found["details"] == "About GHSA-1."
    assert "affected_artefacts" not in found
    back = [row["id"] async for row in database[CWES].find({"cvelist": {"$in": ["GHSA-1"]}})]
    assert back == ["CWE-79"]
    named = syncing.store._advisories.find({"cwes": {"$in": ["CWE-79"]}})
    assert [row["id"] async for row in named] == ["GHSA-1"]


@pytest.mark.parametrize(
    "fields",
    [{}, {"database_specific": {"cwe_ids": []}}, {"database_specific": {"cwe_ids": None}}],
)
async def test_an_advisory_without_weaknesses_joins_none(
    syncing: Syncing, local: LocalRecords, fields: dict[str, Any]
) -> None:
    """Both arrays of the advisory exist, and every weakness has an id.

    An empty array cannot match an id.
    """
    local.write([advisory("PYSEC-1", "a", **fields)])
    await syncing.sync()
    await syncing.store.weaknesses.write([XSS])
    found = await read(syncing, "PYSEC-1")
    assert (found["cwes"], found["exploits"]) == ([], [])
    assert (found["vuln_impact"], found["attack_vector"]) == (0.0, "")


@pytest.mark.parametrize(
    "severity",
    [
        [],
        None,
        [{"type": "CVSS_V4", "score": V4}],
        [{"type": "CVSS_V3", "score": "not a vector"}],
        [{"type": "CVSS_V3", "score": "not a vector"}, {"type": "CVSS_V2", "score": "x"}],
    ],
)
async def test_an_advisory_without_score(
    syncing: Syncing, local: LocalRecords, severity: Any
) -> None:
    """An advisory without score has no version 3 entry without ``base_score``, and no impact."""
    local.write([advisory("PYSEC-1", "a", severity=severity)])
    await syncing.sync()
    found = await read(syncing, "PYSEC-1")
    assert found["vuln_impact"] == 0.0
    assert found["attack_vector"] == ""
    assert isinstance(found["severity"], list)
    assert (await syncing.store.syncs.get("pypi")).counts.unscored == 1


async def test_weaknesses_without_id_are_noticed(syncing: Syncing, local: LocalRecords) -> None:
    """Readers would show such a document for every advisory without weaknesses."""
    local.write([advisory("PYSEC-1", "a")])
    await syncing.sync()
    assert await syncing.store.without_id() == {CWES: 0, EXPLOITS: 0}
    await syncing.store.database[CWES].insert_one({"@ID": "1"})
    assert [weakness.get("@ID") for weakness in (await read(syncing, "PYSEC-1"))["cwes"]] == ["1"]
    assert await syncing.store.without_id() == {CWES: 1, EXPLOITS: 0}


async def test_an_id_without_document_would_end_the_reader(syncing: Syncing) -> None:
    """An id without document would end the reader.

    This is why documents are written before ids, and removed after them.
    """
    assert "details" not in await read(syncing, "PYSEC-1")


async def test_a_refresh_keeps_what_others_wrote(syncing: Syncing, local: LocalRecords) -> None:
    """Weaknesses are added and never removed; fields that are no longer in OSV are removed."""
    record = advisory("GHSA-1", "a", summary="Old.", database_specific={"cwe_ids": ["CWE-79"]})
    local.write([record])
    await syncing.sync()
    documents = syncing.store._advisories
    theirs = {
        "exploits": ["EDB-1"],
        "affected_artefacts": {"a": ["b"]},
        "note": "ours",
        "cwes": ["CWE-79", "CWE-1"],
    }
    await documents.update_one({"id": "GHSA-1"}, {"$set": theirs})
    key = (await documents.find_one({"id": "GHSA-1"}) or {})["_id"]
    del record["summary"]
    changed = {**record, "details": "$details", "database_specific": {"cwe_ids": ["CWE-89"]}}
    local.write([changed])
    assert (await syncing.sync()).updated == 1
    found = await documents.find_one({"id": "GHSA-1"}) or {}
    assert found == {
        **theirs,
        **{name: found[name] for name in ("affected", "severity", "schema_version", "modified")},
        "_id": key,
        "id": "GHSA-1",
        "details": "$details",
        "database_specific": {"cwe_ids": ["CWE-89"]},
        "cwes": ["CWE-79", "CWE-1", "CWE-89"],
    }


@pytest.mark.parametrize("before", [{}, {"cwes": None, "exploits": None}, {"cwes": "CWE-1"}])
async def test_documents_of_the_reference_implementation_are_taken_over(
    syncing: Syncing, local: LocalRecords, before: dict[str, Any]
) -> None:
    """A seeded database has documents without a row of this program."""
    documents = syncing.store._advisories
    await documents.insert_one({"id": "PYSEC-1", "details": None, "severity": None, **before})
    local.write([advisory("PYSEC-1", "a")])
    assert (await syncing.sync()).new == 1
    found = await read(syncing, "PYSEC-1")
    assert (found["details"], found["severity"]) == ("About PYSEC-1.", [])
    assert (found["cwes"], found["exploits"]) == ([], [])
    assert await documents.count_documents({}) == 1


async def test_documents_have_no_types_that_readers_do_not_know(
    syncing: Syncing, local: LocalRecords
) -> None:
    """No Decimal128, no bytes, none of the program's own data.

    One reader returns whole documents.
    """
    local.write([advisory("GHSA-1", "a", severity=[{"type": "CVSS_V2", "score": "AV:N"}])])
    await syncing.sync()
    found = await syncing.store.documents.get("GHSA-1")
    assert found

    def check(value: Any) -> None:
        assert isinstance(value, str | int | float | bool | list | dict | None)
        if isinstance(value, list | dict):
            for inner in value.values() if isinstance(value, dict) else value:
                check(inner)

    check(found)
    assert not found.keys() & {"digest", "packages", "group", "kind", "sources", "listed"}
    assert bson.decode(bson.encode(found)) == found


async def test_look_ups_use_indexes(syncing: Syncing) -> None:
    """The look-ups of readers and of this program use indexes."""
    advisories, rows = syncing.store._advisories, syncing.store.bookkeeping._collection
    for collection, wanted in (
        (advisories, {"id": "GHSA-1"}),
        (advisories, {"cwes": {"$in": ["CWE-79"]}}),
        (advisories, {"exploits": {"$in": ["EDB-1"]}}),
        (syncing.store.database[CWES], {"cvelist": {"$in": ["GHSA-1"]}}),
        (syncing.store.database[EXPLOITS], {"cvelist": {"$in": ["GHSA-1"]}}),
        (rows, {"packages": {"$in": ["PyPI:a"]}}),
        (rows, {"aliases": {"$in": ["CVE-1"]}}),
        (rows, {"sources": "PyPI"}),
    ):
        plan = (await collection.find(wanted).explain())["queryPlanner"]["winningPlan"]
        assert "IXSCAN" in str(plan), (wanted, plan)
