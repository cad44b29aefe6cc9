"""Fixtures of the tests without servers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.unit.maven_judge import MavenJudge, maven_judge


@pytest.fixture(scope="session")
def maven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MavenJudge]:
    """Maven's own versions, ranges and effective models: one Java process for all tests."""
    with maven_judge(tmp_path_factory.mktemp("maven")) as judge:
        yield judge


@pytest.fixture(scope="session")
def records(advisories: Path) -> dict[str, dict[str, Any]]:
    """All real advisories by id."""
    found = {}
    for path in advisories.glob("*/all.zip"):
        with ZipFile(path) as archive:
            for member in archive.namelist():
                record = json.loads(archive.read(member))
                found[record["id"]] = record
    return found
