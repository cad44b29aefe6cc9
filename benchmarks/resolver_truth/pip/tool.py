"""The packages that pip itself would install."""

import json
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name, canonicalize_version

from benchmarks.resolver_truth.interface import Pins, Root, Unresolvable


def pip_of(folder: Path, *, upgrade: bool = True) -> Path:
    """A Python of the same version, with the newest pip, in a new environment.

    Without the upgrade, pip is the version bundled with Python.
    """
    python = folder / "environment" / "bin" / "python"
    base = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([base, "-m", "venv", python.parent.parent], check=True)
    if upgrade:
        newest = ["-m", "pip", "--isolated", "install", "--quiet", "--upgrade", "pip"]
        subprocess.run([python, *newest], check=True)
    return python


def lock(root: Root, folder: Path, *arguments: str, python: Path) -> Pins:
    """The packages that pip would install into an empty environment.

    Raises:
        Unresolvable: pip fails.
    """
    report = folder / "report.json"
    run = subprocess.run(
        [python, "-m", "pip", "--isolated", "install", "--dry-run", "--ignore-installed", "--quiet",
         "--no-input", "--report", report, *arguments, f"{root.name}=={root.version}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if run.returncode:
        raise Unresolvable(f"pip: {run.stderr.strip()[-500:]}")
    installed = json.loads(report.read_text())["install"]
    return frozenset(
        pin(entry["metadata"]["name"], entry["metadata"]["version"]) for entry in installed
    )


def pin(name: str, version: str) -> str:
    """A package and its version, both in normal form."""
    return f"{canonicalize_name(name)}=={canonicalize_version(version, strip_trailing_zero=False)}"
