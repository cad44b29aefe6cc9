"""The judge of PyPI: the modules that Python's own finders find in the installed distribution.

pip installs the release, without its requirements, into an empty virtual environment. There, a
script walks the search path and asks ``PathFinder`` for every candidate. By the program's rules,
``__main__`` and folders for tests, documentation and examples are no names, and neither are the
namespaces below; a shared object without the function of an extension module is none by CPython's.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from benchmarks.import_names_truth.clients import stored
from benchmarks.import_names_truth.judged import Judged
from benchmarks.import_names_truth.live import reading
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.ecosystems.pypi.simple_index import MEDIA_TYPE, Release, parse_project_page
from ssc_ingest.models import VersionName

PROJECTS = (
    "requests", "numpy", "google-auth", "PyYAML", "python-dateutil", "attrs", "protobuf",
    "setuptools", "Pillow", "beautifulsoup4",
)  # fmt: skip

SHARED = {"google"}
"""Namespaces at the top that many projects share, among these projects."""

WALK = """
import json, os, sys
from importlib.machinery import PathFinder

def is_extension(spec):
    if not spec.origin or not spec.origin.endswith((".so", ".pyd")):
        return True
    with open(spec.origin, "rb") as file:
        return b"PyInit_" + spec.name.encode() in file.read()

def walk(paths, prefix, found):
    candidates = {
        entry.partition(".")[0] for path in paths if os.path.isdir(path)
        for entry in os.listdir(path) if entry != "__pycache__"
    }
    for name in filter(str.isidentifier, candidates):
        spec = PathFinder.find_spec(name, paths)  # the last part is enough
        if spec is None or name in ("__main__", "__init__") or not is_extension(spec):
            continue
        children = set()
        below = spec.submodule_search_locations
        if below is not None and name in ("test", "tests", "docs", "example", "examples"):
            continue
        if below is not None:
            # Iterating over a namespace's path would compute it again.
            walk(list(getattr(below, "_path", below)), prefix + name + ".", children)
        if children or (spec.loader is not None and spec.origin):
            found |= children | {prefix + name}

found = set()
walk([path for path in sys.path if path.startswith(sys.prefix)], "", found)
print(json.dumps(sorted(found)))
"""


async def judge() -> AsyncIterator[Judged]:
    """Compare each project's latest release for the newest installed Python."""
    with tempfile.TemporaryDirectory() as folder:
        python = _newest_python()
        pip = Path(folder, "pip")
        await asyncio.to_thread(_create_venv, python, pip)
        async with reading(PyPI) as (pypi, traffic):
            for name in PROJECTS:
                release = await _latest(pypi, name, python.rpartition("python")[2])
                traffic.clear()
                ours = await pypi.read_import_names(pypi.ref(name), release.name)
                sizes = {file.url: file.size or 0 for file in release.files}
                truth = await asyncio.to_thread(
                    _installed, pip, Path(folder, name), name, release.name
                )
                yield Judged(
                    package=name,
                    version=release.name,
                    ours=ours,
                    stored=stored(ours, pypi.fallback_import_name(pypi.ref(name))),
                    truth=frozenset(truth) - SHARED,
                    transferred=sum(traffic.sizes.get(url, 0) for url in sizes),
                    file_size=sum(sizes[url] for url in traffic.sizes if url in sizes),
                    requests=traffic.requests,
                )


def _newest_python() -> str:
    """The newest CPython on the path: older ones have other wheels."""
    names = (f"python3.{minor}" for minor in range(30, 10, -1))
    return next(found for name in names if (found := shutil.which(name)))


def _create_venv(python: str, folder: Path, *options: str) -> None:
    subprocess.run([python, "-m", "venv", *options, folder], check=True)


async def _latest(pypi: PyPI, name: str, python: str) -> Release:
    url = pypi.endpoints.url("index", name.lower(), "")
    answer = await pypi.client.get(url, max_bytes=10**8, accept=MEDIA_TYPE)
    releases = {
        each.name: each
        for each in parse_project_page(answer.body, answer.url, name).releases
        if pypi.sort_key(each.name) and not pypi.is_prerelease(each.name) and not each.yanked
        if SpecifierSet(each.requires_python or "").contains(python)
    }
    return releases[max(releases, key=Version)]


def _installed(pip: Path, folder: Path, name: str, version: VersionName) -> list[str]:
    """The modules of the installed release."""
    installer = str(pip / "bin" / "python")
    _create_venv(installer, folder, "--without-pip")
    python = str(folder / "bin" / "python")
    run = [installer, "-m", "pip", "--python", python, "install"]
    run += ["--no-deps", "--no-compile", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*run, f"{name}=={version}"], check=True, stdout=sys.stderr)
    walked = subprocess.run([python, "-c", WALK], check=True, stdout=subprocess.PIPE)
    found: list[str] = json.loads(walked.stdout)
    return found
