"""Data directories of stacks, and processes that tests kill."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssc_ingest.settings import Settings, load_settings
from tests.integration.test_embedded_stack.stacks import NO_GRAPH, ONLY_VALKEY


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory that does not exist yet, with a space in its path."""
    return tmp_path / "my data" / "ssc ingest"


@pytest.fixture
def small(data_dir: Path) -> Settings:
    """Settings of a stack without Neo4j."""
    return load_settings(None, data_dir=data_dir, **NO_GRAPH)


@pytest.fixture
def smallest(data_dir: Path) -> Settings:
    """Settings of a stack of Valkey alone."""
    return load_settings(None, data_dir=data_dir, **ONLY_VALKEY)


@pytest.fixture
def parents() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that are killed at the end of the test."""
    parents: list[subprocess.Popen[str]] = []
    yield parents
    for parent in parents:
        with parent:
            parent.kill()
