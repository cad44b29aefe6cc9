"""The command in the container's image: its output and its failures."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ssc_ingest.ecosystems.maven.index_container import build_context
from tests.simulator.maven.index_format import index_file
from tests.unit.test_maven_index.reading import SMALL


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The files that the Dockerfile copies into the image."""
    with tarfile.open(fileobj=io.BytesIO(build_context())) as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "reader"


def run_reader(image: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the image's entry point with only the standard library."""
    module = ("-m", "ssc_ingest.ecosystems.maven.index")
    # -S: no site-packages.
    return subprocess.run(
        [sys.executable, "-S", *module, *arguments],
        cwd=image, env={}, check=False, text=True, capture_output=True,
    )  # fmt: skip


def test_the_reader_stands_alone(image: Path, tmp_path: Path) -> None:
    """Standard output has JSON lines, the last with the total; standard error has messages."""
    file = tmp_path / "index.gz"
    file.write_bytes(index_file([*SMALL, {"u": "a|b|1|NA"}]))
    result = run_reader(image, file)
    assert (result.returncode, [json.loads(line) for line in result.stdout.splitlines()]) == (
        0,
        [{"name": "a:b"}, {"name": "org.example:one"}, {"total": 2}],
    )
    assert "7 documents, 2 packages" in result.stderr
    assert "1 documents are unusable" in result.stderr


@pytest.mark.parametrize("content", [index_file(SMALL)[:-3], b"<html>", None])
def test_the_reader_fails_in_words(image: Path, tmp_path: Path, content: bytes | None) -> None:
    """The reader prints no name of a damaged file, and exits with an error code."""
    file = tmp_path / "index.gz"
    if content is not None:
        file.write_bytes(content)
    result = run_reader(image, file)
    assert (result.returncode, result.stdout) == (69, "")
    assert str(file) in result.stderr
    assert "Traceback" not in result.stderr


def test_the_reader_explains_itself(image: Path) -> None:
    """``--help`` describes the output."""
    result = run_reader(image, "--help")
    assert result.returncode == 0
    assert "names of all packages" in result.stdout
