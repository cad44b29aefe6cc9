"""The audit compares the graph with the advisories, and the sweep repairs what differs."""

import random

import pytest

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.graph.attributions import AttributionReader
from ssc_ingest.models import Purl
from ssc_ingest.monitoring.advisories import audit_problem
from ssc_ingest.resources import Resources
from ssc_ingest.vulnerabilities import audit as audits
from ssc_ingest.vulnerabilities.audit import Auditor, last_audit
from tests.conftest import Cypher
from tests.integration.scripted import package_of
from tests.integration.test_vulnerabilities.conftest import LocalRecords, Syncing, advisory


async def test_an_audit_finds_seeded_corruption(
    resources: Resources,
    synced: Syncing,
    local: LocalRecords,
    cypher: Cypher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing id, a stale id and a wrong mean; the sweep repairs them."""
    monkeypatch.setattr(audits, "SETTLING_TIME", 0.0)
    local.write([advisory("PYSEC-1", *(f"p{number}" for number in range(10)))])
    await synced.sync()
    for number in range(20):
        await resources.writer.write(
            package_of(PyPI.ref(f"p{number}"), ["1.0", "2.0"]), order=PyPI.order
        )
    purls = [Purl(f"pkg:pypi/p{number}") for number in range(20)]
    done = await resources.attributor.attribute("pypi", purls)
    assert (done.packages, done.affected, done.changed) == (20, 10, 10)
    auditor = Auditor(
        {"pypi": PyPI},
        AttributionReader(resources.driver),
        resources.attributor,
        resources.state.unattributed,
        resources.state.redis,
        syncs=resources.vulnerabilities.syncs,
    )
    assert await last_audit(resources.state.redis) is None
    clean = await auditor.audit(100)
    assert (clean.examined, clean.versions, clean.differing, clean.bound) == (20, 40, 0, 0.0)
    part = await auditor.audit(5, random.Random(1))
    assert (part.examined, part.packages) == (5, 20)
    assert part.bound == pytest.approx(1 - 0.05 ** (1 / 5), abs=1e-6)

    for purl, change in {
        "pkg:pypi/p1@1.0": "v.vulnerabilities = []",
        "pkg:pypi/p2@2.0": "v.vulnerabilities = ['PYSEC-1']",
        "pkg:pypi/p3@1.0": "v.mean = 3.0",
        "pkg:pypi/p15@1.0": "v.malicious = true",
    }.items():
        cypher(f"MATCH (v:Version {{purl: $purl}}) SET {change}", purl=purl)
    found = await auditor.audit(100)
    assert found.differing == 4
    assert found.examples == tuple(f"pkg:pypi/p{number}" for number in (1, 15, 2, 3))
    assert found.bound == 0.2
    assert await last_audit(resources.state.redis) == found

    assert await resources.attributor.attribute_waiting() == 4
    assert (await auditor.audit(100)).differing == 0


async def test_an_audit_before_a_sync_says_that_it_compared_nothing(
    resources: Resources, synced: Syncing, local: LocalRecords
) -> None:
    """Without advisories no package can differ from them, so the audit compares nothing."""
    await resources.writer.write(package_of(PyPI.ref("p1"), ["1.0", "2.0"]), order=PyPI.order)
    report = await resources.auditor().audit(100)
    assert (report.examined, report.packages, report.unsynced) == (0, 0, ("pypi",))
    problem = audit_problem(report, now=report.at)
    assert problem is not None
    assert "pypi" in problem.finding
    local.write([advisory("PYSEC-1", "p1")])
    await synced.sync()
    report = await resources.auditor().audit(100)
    assert (report.examined, report.packages, report.unsynced) == (1, 1, ())
