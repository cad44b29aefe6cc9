"""Fixtures of the tests without servers."""

from collections.abc import Iterator

import pytest

from tests.unit.maven_judge import MavenJudge, maven_judge


@pytest.fixture(scope="session")
def maven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MavenJudge]:
    """Maven's own versions, ranges and effective models: one Java process for all tests."""
    with maven_judge(tmp_path_factory.mktemp("maven")) as judge:
        yield judge
