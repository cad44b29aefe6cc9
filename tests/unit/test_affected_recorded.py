"""Ranges of recorded advisories compared with their lists of versions."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.vulnerabilities.advisory import Advisory, Affected, read_affected
from ssc_ingest.vulnerabilities.affected import VersionLine, evaluate

NEWER = "the range has no end; the list ends with the versions of its day"
CANDIDATES = "the list lacks prereleases that the range contains"
BACKPORT = "the list lacks a version that was released later on an older line"
OUTSIDE = "the list has versions outside the range"
TIES = "one version is both 'introduced' and 'fixed', and 'fixed' wins"
SERVICE_PACK = "for Maven, 2.12.0 precedes 2.12.0.sp3; the list's author had the reverse"

EXPLAINED = {
    "PYSEC-2020-220": NEWER,
    "PYSEC-2022-159": BACKPORT,
    "PYSEC-2022-257": BACKPORT,
    "PYSEC-2024-16": CANDIDATES,
    "PYSEC-2021-114": OUTSIDE,
    "PYSEC-2023-61": OUTSIDE,
    "PYSEC-2022-236": TIES,
    "PYSEC-2023-72": TIES,
    "GHSA-w4jq-qh47-hvjq": SERVICE_PACK,
} | {
    f"PYSEC-2021-{number}": CANDIDATES
    for number in (*range(389, 403), *range(404, 412), *range(413, 421), 842, 843)
}
"""Why a list is not what its ranges contain; ``docs/vulnerabilities.md`` has the same."""


def recorded(folder: Path) -> Iterable[dict[str, Any]]:
    """The OSV records among recorded files, JSON and YAML."""
    for path in sorted(folder.glob("aboutcode-org__vulnerablecode/**/*.json")):
        found = json.loads(path.read_text())
        yield from found if isinstance(found, list) else [found]
    for path in sorted(folder.glob("**/*.yaml")):
        yield yaml.safe_load(path.read_text())


def disagreements(records: Iterable[dict[str, Any]]) -> tuple[int, set[str]]:
    """The number of pairs of record and package with both ranges and a list, and those that differ.

    Ranges are evaluated over all versions that any record lists for the package.
    """
    by_osv_name = {cls.identity.osv_name: cls for cls in ecosystems().values()}
    known: dict[tuple[str, str], set[str]] = {}
    wanted: list[tuple[str, tuple[str, str], tuple[Affected, ...]]] = []
    for record in records:
        entries: dict[tuple[str, str], list[Affected]] = {}
        for found in read_affected(record.get("affected")):
            if cls := by_osv_name.get(found.ecosystem):
                key = found.ecosystem, cls.advisory_name(found.name)
                known.setdefault(key, set()).update(found.versions)
                entries.setdefault(key, []).append(found)
        if not record.get("withdrawn"):
            wanted += [(record["id"], key, tuple(found)) for key, found in entries.items()]
    count, wrong = 0, set()
    for record_id, key, those in wanted:
        listed = {version for each in those for version in each.versions}
        if not listed or not any(each.ranges for each in those):
            continue
        count += 1
        line = VersionLine(by_osv_name[key[0]], known[key])
        bare = tuple(replace(each, versions=()) for each in those)
        found_all = evaluate(Advisory(id=record_id, flaw=record_id, affected=bare), key[1], line)
        if {line.names[i] for i in found_all.affected | found_all.noticed} != listed:
            wrong.add(record_id)
    return count, wrong


@pytest.mark.recordings
def test_ranges_give_the_lists(records: dict[str, dict[str, Any]]) -> None:
    """Ranges alone give the explicit lists of all real records, except for the explained ones."""
    found, wrong = disagreements(r for r in records.values() if r["id"].startswith("PYSEC-"))
    assert (found, len(wrong)) == (2037, 40)
    elsewhere, more = disagreements(r for r in records.values() if r["id"].startswith("GHSA-"))
    assert (elsewhere, len(more)) == (394, 1)
    assert wrong | more == EXPLAINED.keys()


@pytest.mark.recordings
def test_ranges_give_the_recorded_lists(recordings: Path) -> None:
    """The ranges of the recordings give their lists; one recording was shortened."""
    found, wrong = disagreements(recorded(recordings))
    assert (found, wrong) == (193, {"PYSEC-2021-114", "PYSEC-2023-61", "PYSEC-2024-26"})
