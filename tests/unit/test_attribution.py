"""Attribution of advisories to versions: ids, means, malware and notices."""

import json
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.models import VersionName
from ssc_ingest.vulnerabilities.advisory import Advisory, read_affected
from ssc_ingest.vulnerabilities.attribution import Attribution, attribute, means

PYPI = ecosystem("pypi")


def advisory(
    record: str,
    *versions: str,
    flaw: str | None = None,
    score: float | None = None,
    malware: bool = False,
    notice: bool = False,
) -> Advisory:
    """An advisory that lists some versions of ``p``."""
    entry = {
        "package": {"ecosystem": "PyPI", "name": "p"},
        "versions": list(versions),
        "database_specific": {"informational": "unsound" if notice else None},
    }
    return Advisory(
        id=record,
        affected=read_affected([entry]),
        flaw=flaw or record,
        score=score,
        is_malware=malware,
    )


def said(advisories: Iterable[Advisory], version: str = "1.0") -> Attribution:
    """The attribution of one version of ``p``, which has three."""
    names = [VersionName(name) for name in ("1.0", "1.1", "2.0")]
    return attribute(PYPI, "p", names, advisories).versions[VersionName(version)]


def test_nothing_is_an_empty_list() -> None:
    """An empty value is never null, and absent for properties that only few versions have."""
    found = said([])
    assert found.row() == {
        "vulnerabilities": [],
        "mean": 0.0,
        "weighted_mean": 0.0,
        "malicious": None,
        "notices": None,
    }
    assert not found.scored


def test_ids_are_sorted_and_means_weighted() -> None:
    """The means are ``sum(s)/n`` and ``sum(s^2)/sum(s)`` of that version's scores only."""
    advisories = [
        advisory("B-2", "1.0", score=9.8),
        advisory("A-1", "1.0", score=5.0),
        advisory("C-3", "1.0"),
        advisory("D-4", "2.0", score=1.0),
    ]
    found = said(advisories)
    assert found.vulnerabilities == ("A-1", "B-2", "C-3")
    assert (found.mean, found.weighted_mean) == (7.4, 8.18)
    assert said(advisories, "1.1") == Attribution()


def test_one_flaw_counts_once() -> None:
    """All ids stay; the means use the score of the group."""
    found = said(
        [
            advisory("GHSA-1", "1.0", flaw="CVE-1", score=8.0),
            advisory("PYSEC-1", "1.0", flaw="CVE-1", score=8.0),
            advisory("GHSA-2", "1.0", score=4.0),
        ]
    )
    assert found.vulnerabilities == ("GHSA-1", "GHSA-2", "PYSEC-1")
    assert (found.mean, found.weighted_mean) == (6.0, 6.67)


def test_no_score_is_not_zero() -> None:
    """Ids without scores give means of 0.0 and ``scored`` false; 0.0 is a score."""
    assert said([advisory("A-1", "1.0")]).scored is False
    zero = said([advisory("A-1", "1.0", score=0.0)])
    assert (zero.mean, zero.weighted_mean, zero.scored) == (0.0, 0.0, True)
    assert said([advisory("A-1", "1.0", score=0.0), advisory("B", "1.0", score=4.0)]).mean == 2.0


def test_malware_counts_ten() -> None:
    """Malware counts as 10.0 without a score, or else as its score."""
    found = said([advisory("MAL-1", "1.0", malware=True), advisory("A-1", "1.0", score=5.0)])
    assert (found.malicious, found.mean) == (True, 7.5)
    assert found.row()["malicious"] is True
    assert said([advisory("MAL-1", "1.0", malware=True, score=7.0)]).mean == 7.0
    assert said([advisory("MAL-1", "1.1", malware=True)]).malicious is False


def test_notices_are_no_vulnerabilities() -> None:
    """Notices do not change the means."""
    found = said([advisory("RUSTSEC-1", "1.0", notice=True, score=9.0), advisory("A-1", "1.0")])
    assert (found.vulnerabilities, found.notices, found.mean) == (("A-1",), ("RUSTSEC-1",), 0.0)
    assert found.row()["notices"] == ["RUSTSEC-1"]


def test_what_cannot_be_evaluated_is_told_by_id() -> None:
    """The other advisories count."""
    broken = [{"type": "ECOSYSTEM", "events": [{"introduced": "eval()"}]}]
    entry = {"package": {"ecosystem": "PyPI", "name": "p"}, "ranges": broken}
    unusable = Advisory(id="X-1", flaw="X-1", affected=read_affected([entry]))
    found = attribute(PYPI, "p", [VersionName("1.0")], [unusable, advisory("A-1", "1.0")])
    assert found.versions[VersionName("1.0")].vulnerabilities == ("A-1",)
    assert list(found.unusable) == ["X-1"]


@given(
    advisories=st.lists(
        st.builds(
            lambda number, versions, flaw, score, malware: advisory(
                f"A-{number}", *versions, flaw=flaw, score=score, malware=malware
            ),
            st.integers(0, 50),
            st.lists(st.sampled_from(["1.0", "1.1", "2.0"]), unique=True),
            st.sampled_from([None, "F-1", "F-2"]),
            st.none() | st.integers(0, 100).map(lambda tenths: tenths / 10),
            st.booleans(),
        ),
        max_size=8,
        unique_by=lambda each: each.id,
    ),
    data=st.data(),
)
def test_the_order_of_work_makes_no_difference(
    advisories: list[Advisory], data: st.DataObject
) -> None:
    """The attribution is the same for any order of advisories and versions, also one by one."""
    names = [VersionName(name) for name in ("1.0", "1.1", "2.0")]
    whole = attribute(PYPI, "p", names, advisories).versions
    shuffled = data.draw(st.permutations(advisories))
    assert attribute(PYPI, "p", data.draw(st.permutations(names)), shuffled).versions == whole
    for name in names:
        assert attribute(PYPI, "p", [name], shuffled).versions == {name: whole[name]}


@given(scores=st.dictionaries(st.text(max_size=2), st.floats(0, 10)))
def test_means_lie_between_the_scores(scores: dict[str, float]) -> None:
    """The weighted mean is not less than the mean; both are rounded."""
    mean, weighted = means(scores)
    assert 0.0 <= mean <= weighted + 0.01 <= 10.01
    if any(scores.values()):
        assert weighted <= max(scores.values()) + 0.01


@pytest.mark.recordings
def test_real_records(advisories: Path) -> None:
    """Records affect Django 3.2's first candidates and a Maven package with several entries."""
    with ZipFile(advisories / "PyPI" / "all.zip") as archive:
        records = [json.loads(archive.read(name)) for name in archive.namelist()]
    found = [
        Advisory(id=r["id"], flaw=r["id"], affected=read_affected(r["affected"])) for r in records
    ]
    versions = [VersionName(name) for name in ("3.2rc1", "3.2", "4.2.1", "5.1.2")]
    django = attribute(PYPI, "Django", versions, found).versions
    assert "PYSEC-2023-61" in django[VersionName("3.2rc1")].vulnerabilities
    assert "PYSEC-2023-61" not in django[VersionName("4.2.1")].vulnerabilities
    assert django[VersionName("5.1.2")].vulnerabilities == ()
