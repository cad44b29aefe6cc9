"""Names of PyPI's files, and the versions in them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.pypi.distributions import VersionIndex, wheel_rank


@pytest.mark.parametrize(
    ("project", "filename", "version"),
    [
        ("demo", "demo-1.0.tar.gz", "1.0"),
        ("demo", "DEMO-1.0.ZIP", "1.0"),
        ("demo", "demo-1.0-1-py3-none-any.whl", "1.0"),
        ("demo", "demo-1.0.win-amd64-py3.3.exe", "1.0"),
        ("demo", "demo-1.0-1.noarch.rpm", "1.0"),
        ("demo", "demo-1.0.linux-x86_64.tar.gz", "1.0"),
        ("demo", "demo-1.0.0.tar.gz", "1.0"),
        ("demo", "demo-v1.0.tar.gz", "1.0"),
        ("demo", "demo-2.0-beta1.tar.gz", "2.0-beta1"),
        ("demo", "demo-2.0b1-py3-none-any.whl", "2.0-beta1"),
        ("demo", "demo-2.0_beta1-py2.7.egg", "2.0-beta1"),
        ("demo", "demo-0.12.01.tar.gz", "0.12.01"),
        ("demo", "demo-0.12.1.tar.gz", "0.12.1"),
        ("demo", "demo-1!3.0.tar.gz", "1!3.0"),
        ("demo", "demo-final-cut.tar.gz", "final-cut"),
        ("demo", "demo-4.0.tar.gz", None),
        ("demo", "demolition-1.0.tar.gz", None),
        ("demo", "demo", None),
        ("my-demo.pkg", "my_demo_pkg-1.0-py3-none-any.whl", "1.0"),
        ("my-demo.pkg", "My.Demo-pkg-1.0.tar.gz", "1.0"),
        ("my-demo.pkg", "my-demo-1.0.tar.gz", None),
    ],
)
def test_version_of_a_file(project: str, filename: str, version: str | None) -> None:
    """Names of all periods are parsed; the version is in the registry's spelling."""
    versions = ["0.12.1", "0.12.01", "1.0", "2.0-beta1", "1!3.0", "final-cut"]
    assert VersionIndex(project, versions).version_of(filename) == version


def recorded_releases(recordings: Path) -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
    """Projects with their files by version, from the JSON API."""
    for path in sorted(recordings.glob("*/**/pypi/*.json")):
        document = json.loads(path.read_bytes())
        if releases := document.get("releases"):
            yield document["info"]["name"], releases


@pytest.mark.recordings
def test_versions_of_recorded_files(recordings: Path) -> None:
    """For 1,500 files of real projects, some from 2005, the version is correct."""
    seen = 0
    for project, releases in recorded_releases(recordings):
        index = VersionIndex(project, releases)
        for version, files in releases.items():
            for entry in files:
                assert index.version_of(entry["filename"]) == version
                seen += 1
    assert seen > 1500


@given(st.text(max_size=20), st.text(max_size=30))
def test_any_file_name_is_read_or_passed_over(version: str, filename: str) -> None:
    """No file name raises."""
    index = VersionIndex("demo", [version])
    assert index.version_of(f"demo-{filename}") in {version, None}
    VersionIndex("demo", []).derive(f"demo-{filename}")
    wheel_rank(filename)
