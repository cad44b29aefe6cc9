"""The setup of a clone on minimal machines."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = (ROOT / "scripts/uv.txt").read_text().partition("==")[2].split()[0]
NO_NETWORK = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}


def run(
    *command: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as a person; both outputs are in ``stdout``."""
    # Not with the variables of the make that may run these tests.
    environment = environment or {"PATH": os.environ["PATH"]}
    return subprocess.run(
        command, cwd=cwd, env=environment, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files for the setup, in a folder with a space in its name."""
    folder = tmp_path / "a clone"
    (folder / "scripts").mkdir(parents=True)
    for name in ("uv.lock", "pyproject.toml", "Makefile", "scripts/setup", "scripts/uv.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def interpreter(tmp_path: Path, prelude: str) -> Path:
    """A Python that executes a few lines first."""
    path = tmp_path / "some python"
    code = f"import sys; sys._base_executable = '{path}'; {prelude}"
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = -c ] || exec \'{sys.executable}\' "$@"\n'
        f"exec '{sys.executable}' -c \"{code}\n$2\"\n"
    )
    path.chmod(0o755)
    return path


def poor_environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    """The environment of a new machine."""
    return {"PATH": os.defpath, "HOME": str(tmp_path), **variables}


def test_setup_refuses_an_old_python(clone: Path, tmp_path: Path) -> None:
    """The message names the supported versions, the found one, and the remedy."""
    old = interpreter(tmp_path, "sys.version_info = (3, 9, 2)")
    result = run("make", "setup", f"PYTHON={old}", cwd=clone)
    assert result.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed, but this is Python 3.9" in result.stdout
    assert "make setup PYTHON=" in result.stdout
    assert not (clone / ".venv").exists()


def test_setup_names_a_missing_python(clone: Path, tmp_path: Path) -> None:
    """The message distinguishes a missing PYTHON from one that is too old."""
    result = run(clone / "scripts/setup", environment=poor_environment(tmp_path, PYTHON="/no/such"))
    assert result.returncode == 1
    assert "/no/such does not start" in result.stdout


def test_setup_without_venv_says_what_to_install(clone: Path, tmp_path: Path) -> None:
    """Debian's python3 lacks it; the message has the command."""
    bare = interpreter(tmp_path, "sys.modules['ensurepip'] = None")
    environment = poor_environment(tmp_path, PYTHON=str(bare))
    result = run(clone / "scripts/setup", environment=environment)
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert result.returncode == 1
    assert f"apt-get install -y python{minor}-venv" in result.stdout
    assert "Traceback" not in result.stdout


def test_setup_without_a_network_says_so(clone: Path, tmp_path: Path) -> None:
    """The message has no traceback."""
    environment = poor_environment(tmp_path, PYTHON=sys.executable, **NO_NETWORK)
    result = run(clone / "scripts/setup", environment=environment)
    assert result.returncode == 1
    assert "is there a network?" in result.stdout
    assert "Traceback" not in result.stdout
    assert not list((clone / ".tools").glob("uv-*"))


def test_second_setup_does_nothing(clone: Path, tmp_path: Path) -> None:
    """A complete setup for this lock and folder is not repeated, without output."""
    binaries = clone / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    shutil.copy("/bin/true", binaries / "ssc-ingest")
    stamp = run(
        "sh", "-c",
        'printf "%s, %s/.venv, %s" "$("$1" -V)" "$PWD" '
        '"$(cat uv.lock pyproject.toml scripts/setup scripts/uv.txt | cksum)"',
        "sh", sys.executable, cwd=clone,
    ).stdout  # fmt: skip
    (clone / ".venv/.complete").write_text(stamp)
    environment = poor_environment(tmp_path, **NO_NETWORK)
    assert run(clone / "scripts/setup", environment=environment).stdout == ""
    (clone / "pyproject.toml").write_text("changed")
    tool = clone / ".tools" / f"uv-{UV}" / "bin/uv"
    tool.parent.mkdir(parents=True)
    shutil.copy("/bin/false", tool)
    again = run(clone / "scripts/setup", environment=environment)
    assert f"setup 2/4: uv {UV} is in .tools/uv-{UV}" in again.stdout
    assert again.returncode == 1
