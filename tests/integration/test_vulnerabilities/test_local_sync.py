"""Syncs from a local folder or zip file."""

from pathlib import Path

from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.sources import LocalCopy
from ssc_ingest.vulnerabilities.store import open_store
from tests.integration.test_vulnerabilities.conftest import LocalRecords, Syncing, advisory


async def test_real_advisories_arrive(syncing: Syncing, advisories: Path) -> None:
    """Every record of the dumps becomes a document in the form for readers."""
    syncing.source = LocalCopy(advisories)
    for name, records in (("pypi", 2074), ("maven", 264), ("cargo", 773)):
        report = await syncing.sync(name)
        assert (report.by, report.new, report.unreadable) == ("dump", records, 0)
    documents = syncing.store._advisories
    assert await documents.count_documents({}) == 2074 + 264 + 773
    async for document in documents.find():
        assert isinstance(document["details"], str)
        assert isinstance(document["severity"], list)
        assert document["cwes"] == [c for c in document["cwes"] if c.startswith("CWE-")]
        assert document["exploits"] == []
        assert "affected_artefacts" not in document
        assert not document.keys() & {"digest", "packages", "sources", "kind"}
        v3 = [entry for entry in document["severity"] if entry["type"] == "CVSS_V3"]
        assert v3 == document["severity"][: len(v3)]
        assert len(v3) <= 1
        assert all(isinstance(entry["base_score"], float) for entry in v3)
    state = await syncing.store.syncs.get("cargo")
    assert (state.counts.notices, state.counts.malware, state.counts.withdrawn) == (324, 1, 6)
    assert "django" in await syncing.queued("pypi")


async def test_the_same_dump_is_recognised(syncing: Syncing, local: LocalRecords) -> None:
    """An unchanged dump is not read again."""
    local.write([advisory("PYSEC-1", "a"), advisory("PYSEC-2", "B_b", "c")])
    first = await syncing.sync()
    assert (first.by, first.new, first.packages) == ("dump", 2, 3)
    assert await syncing.queued() == ["a", "b-b", "c"]
    again = await syncing.sync()
    assert (again.by, again.new, again.updated) == ("nothing", 0, 0)
    assert (await syncing.sync(full=True)).by == "dump"
    assert await syncing.queued() == []


async def test_reading_all_records_may_take_longer_than_a_query(
    syncing: Syncing, local: LocalRecords, vulnerabilities_uri: str, settings: Settings
) -> None:
    """Reads of a whole folder have a time limit of their own: it may have 500,000 records."""
    local.write([advisory(f"PYSEC-{n}", f"p{n}") for n in range(50)])
    await syncing.sync()
    impatient = settings.model_copy(update={"db_default_query_timeout_ms": 1})
    async with open_store(vulnerabilities_uri, impatient) as store:
        assert (await store.bookkeeping.count("PyPI")).records == 50
        assert len([row async for row in store.bookkeeping.scan("PyPI")]) == 50
