"""The output of ``vulnerabilities attribute``, ``audit``, ``show PURL`` and ``affected``."""

import json
from pathlib import Path

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.changed import ChangedPackages
from ssc_ingest.vulnerabilities.sources import LocalCopy
from ssc_ingest.vulnerabilities.store import VulnerabilityStore
from ssc_ingest.vulnerabilities.sync import sync_ecosystem
from tests.acceptance.test_cli.running import Run, tables_fit
from tests.conftest import Cypher
from tests.integration.test_vulnerabilities.conftest import LocalRecords, advisory

VECTOR = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]


@pytest.fixture
async def synced(
    graph: None, store: VulnerabilityStore, state: State, settings: Settings, tmp_path: Path
) -> None:
    """Advisories of the package ``example``: one with a range, one for malware, one unreadable."""
    local = LocalRecords(tmp_path / "osv")
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "1.2"}, {"fixed": "1.5"}]}]
    package = {"ecosystem": "PyPI", "name": "Example"}
    broken = [{"type": "ECOSYSTEM", "events": [{"introduced": "eval()"}]}]
    local.write(
        [
            advisory("PYSEC-1", severity=VECTOR, affected=[{"package": package, "ranges": ranges}]),
            advisory("MAL-1", affected=[{"package": package, "versions": ["1.4"]}]),
            advisory("PYSEC-2", affected=[{"package": package, "versions": ["1.11"]}]),
            advisory("PYSEC-3", affected=[{"package": package, "ranges": broken}]),
        ]
    )
    changed = ChangedPackages(state.redis, state.queues)
    identity = ecosystems()["pypi"].identity
    await sync_ecosystem(store, changed, LocalCopy(local.path), identity, settings)


def test_unknown_is_not_none(graph: None, store: VulnerabilityStore, run: Run) -> None:
    """Without a sync, vulnerabilities are unknown."""
    shown = run("vulnerabilities", "show", "pkg:pypi/example")
    assert shown.returncode == 0
    assert "not synced" in shown.stdout
    assert "No version" not in shown.stdout


def test_attribute_show_and_audit(synced: None, run: Run, cypher: Cypher) -> None:
    """Versions get advisories and nearest releases.

    The audit finds differences, and they are repaired.
    """
    early = run("vulnerabilities", "show", "pkg:pypi/example")
    assert "4 versions of the package in the graph do not match" in early.stdout
    assert "No version" not in early.stdout
    early = run("show", "pkg:pypi/example")
    assert "4 versions not attributed yet" in early.stdout
    early = run("vulnerabilities", "affected", "PYSEC-1")
    assert "versions may be missing: pkg:pypi/example" in early.stdout

    done = run("vulnerabilities", "attribute", "pypi", "Example")
    assert "1 package, 12 versions: 4 affected, 4 changed" in done.stdout
    assert "PYSEC-3 could not be evaluated fully" in done.stdout

    shown = run("vulnerabilities", "show", "pkg:pypi/example")
    assert "4 advisories in force" in shown.stdout
    assert "MALICIOUS" in shown.stdout
    assert "no score" in shown.stdout
    narrow = run("vulnerabilities", "show", "pkg:pypi/example", COLUMNS="60").stdout
    assert tables_fit(narrow.rpartition("\nPYSEC-3 could")[0], 60)
    found = json.loads(run("vulnerabilities", "show", "pkg:pypi/example", "--json").stdout)
    assert [each["version"] for each in found["versions"]] == ["1.11", "1.4", "1.3", "1.2"]
    newest, malicious, *_ = found["versions"]
    assert (newest["vulnerabilities"], newest["mean"]) == (["PYSEC-2"], None)
    assert (newest["same_major"], newest["overall"]) == ("1.10", "1.10")
    assert (malicious["vulnerabilities"], malicious["mean"]) == (["MAL-1", "PYSEC-1"], 9.9)
    assert (malicious["malicious"], malicious["same_major"]) == (True, "1.5")
    assert list(found["unusable"]) == ["PYSEC-3"]
    assert found["unattributed"] == 0
    broken = run("vulnerabilities", "affected", "PYSEC-3")
    assert "It could not be evaluated fully" in broken.stdout
    one = json.loads(run("vulnerabilities", "show", "pkg:pypi/example@1.3", "--json").stdout)
    assert [each["version"] for each in one["versions"]] == ["1.3"]

    assert "attribution: never audited" in run("check", "--offline").stdout
    audit = run("vulnerabilities", "audit", "10")
    assert audit.returncode == 0
    assert "0 of 1 package (12 versions) differ" in audit.stdout
    assert "attribution: none of 1 package differed" in run("check", "--offline").stdout
    cypher("MATCH (v:Version {name: '1.3'}) SET v.vulnerabilities = []")
    audit = run("vulnerabilities", "audit", "10", "--json")
    assert audit.returncode == 1
    assert json.loads(audit.stdout)["examples"] == ["pkg:pypi/example"]
    assert "1 of 1 package differed" in run("status").stdout
    assert "attribution: 1 of 1 packages differed" in run("check", "--offline").stdout

    every = run("vulnerabilities", "attribute", "pypi", "--all")
    assert "1 package, 12 versions: 4 affected, 1 changed" in every.stdout
    assert json.loads(run("vulnerabilities", "attribute", "pypi", "--all", "--json").stdout) == {
        "packages": 1,
        "versions": 12,
        "affected": 4,
        "changed": 0,
        "unusable": {"PYSEC-3": ["a range cannot be used: 'eval()' is not a version"]},
    }


def test_affected(synced: None, run: Run) -> None:
    """The command shows the versions with the id, as spans of serial numbers."""
    run("vulnerabilities", "attribute", "pypi", "example")
    shown = run("vulnerabilities", "affected", "PYSEC-1", "--dependents", "--depth", "3")
    assert "affected: 3 versions of 1 package in the graph" in shown.stdout
    assert "1.2 to 1.4" in shown.stdout
    found = json.loads(run("vulnerabilities", "affected", "PYSEC-1", "--json").stdout)
    assert found["levels"] == [
        {
            "depth": 0,
            "versions": 3,
            "packages": [
                {
                    "purl": "pkg:pypi/example",
                    "versions": 3,
                    "spans": [{"first": "1.2", "last": "1.4", "serial_numbers": [2, 4]}],
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("attribute", "pypi"), 2, "--all"),
        (("attribute", "pypi", "example", "--all"), 2, "--all"),
        (("attribute", "go", "example"), 2, "unknown ecosystem"),
        (("attribute", "pypi", "absent"), 1, "extract pkg:pypi/absent"),
        (("affected", "CVE-1"), 1, "no advisory CVE-1"),
        (("show", "pkg:pypi/absent"), 1, "extract pkg:pypi/absent"),
        (("show", "pkg:pypi/example@9"), 1, "not in the graph"),
        (("show", "pkg:nothing"), 2, "package URL"),
    ],
)
def test_mistakes(synced: None, run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Each message suggests a remedy."""
    done = run("vulnerabilities", *arguments)
    assert done.returncode == code
    assert said in done.stderr
