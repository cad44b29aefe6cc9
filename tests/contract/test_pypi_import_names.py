"""Reads the import names of PyPI's releases over HTTP."""

import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.ecosystems.pypi.simple_index import MEDIA_TYPE
from ssc_ingest.errors import DigestMismatch, MalformedArchive, PackageNotFound
from ssc_ingest.models import VersionName
from ssc_ingest.settings import Settings
from tests.contract.loopback import Loopback, loopback, reading
from tests.unit.archives import tarred, zipped

VERSION = VersionName("1.0")
PURE, LINUX, LINUX_OLD, WINDOWS, SDIST = (
    "demo-1.0-py3-none-any.whl",
    "demo-1.0-cp313-cp313-manylinux_2_28_x86_64.whl",
    "demo-1.0-cp39-cp39-manylinux_2_28_x86_64.whl",
    "demo-1.0-cp313-cp313-win_amd64.whl",
    "demo-1.0.tar.gz",
)


def wheel(*paths: str) -> bytes:
    """A wheel with these empty files."""
    return zipped(dict.fromkeys(paths, b""))


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    """An index without projects."""
    async with loopback() as server:
        yield server


@pytest.fixture
async def pypi(
    server: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[PyPI]:
    """The ecosystem, reading that index."""
    paths = {"index": "simple", "json": "pypi", "files": "files"}
    urls = {endpoint: f"{server.url}/{path}" for endpoint, path in paths.items()}
    async with reading(PyPI, settings, redis_url, **urls) as pypi:
        yield pypi


def serve(server: Loopback, **changes: str) -> None:
    """Let the index have the files that are served, in one release."""
    files = [
        {
            "filename": path.removeprefix("/files/"),
            "url": f"{server.url}{path}",
            "hashes": {"sha256": changes.get("sha256", hashlib.sha256(answer.body).hexdigest())},
        }
        for path, answer in server.answers.items()
        if path.startswith("/files/")
    ]
    page = {"name": "demo", "versions": ["0.9", "1.0", "2.0"], "files": files}
    server.serve("/simple/demo/", json.dumps(page), media_type=MEDIA_TYPE)


async def names(pypi: PyPI) -> set[str]:
    """The import names of the release."""
    return set(await pypi.read_import_names(pypi.ref("demo"), VERSION))


async def test_the_best_wheels_are_read(pypi: PyPI, server: Loopback) -> None:
    """A pure one and the newest one for Linux; no others, and no source distribution."""
    server.serve(f"/files/{PURE}", wheel("google/demo/__init__.py"))
    server.serve(f"/files/{LINUX}", wheel("google/demo/__init__.py", "google/_upb/_m.abi3.so"))
    for name in (LINUX_OLD, WINDOWS, SDIST):
        server.serve(f"/files/{name}", b"not read")
    serve(server)
    assert await names(pypi) == {"google.demo", "google._upb", "google._upb._m"}
    assert {path for path in server.asked if path.startswith("/files/")} == {
        f"/files/{PURE}",
        f"/files/{LINUX}",
    }


async def test_only_a_source_distribution(pypi: PyPI, server: Loopback) -> None:
    """The version comes first, then its file, even if an older version has a wheel."""
    server.serve("/files/demo-0.9-py3-none-any.whl", wheel("old/__init__.py"))
    server.serve(f"/files/{SDIST}", tarred({"demo-1.0/src/new/__init__.py": b""}))
    serve(server)
    assert await names(pypi) == {"new"}


async def test_other_files_stand_in_for_damaged_ones(pypi: PyPI, server: Loopback) -> None:
    """One readable wheel is enough; without any, the source distribution is read."""
    server.serve(f"/files/{PURE}", b"damaged")
    server.serve(f"/files/{LINUX}", wheel("demo/__init__.py"))
    server.serve(f"/files/{SDIST}", tarred({"demo-1.0/setup.py": b"", "demo-1.0/other.py": b""}))
    serve(server)
    assert await names(pypi) == {"demo"}
    server.serve(f"/files/{LINUX}", b"damaged, too")
    serve(server)
    assert await names(pypi) == {"other"}


async def test_a_release_without_a_readable_file(pypi: PyPI, server: Loopback) -> None:
    """The error is that of the best file."""
    server.serve(f"/files/{PURE}", b"damaged")
    serve(server)
    with pytest.raises(MalformedArchive):
        await names(pypi)
    server.serve(f"/files/{PURE}", wheel("demo.py"))
    serve(server, sha256="0" * 64)
    with pytest.raises(DigestMismatch):
        await names(pypi)
    server.answers.pop(f"/files/{PURE}")
    with pytest.raises(PackageNotFound):
        await names(pypi)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
async def test_a_release_without_files(pypi: PyPI, server: Loopback, version: str) -> None:
    """A release without files is absent: unknown is not "nothing to import"."""
    server.serve(f"/files/{PURE}", wheel("demo.py"))
    serve(server)
    with pytest.raises(PackageNotFound):
        await pypi.read_import_names(pypi.ref("demo"), VersionName(version))
    with pytest.raises(PackageNotFound):
        await pypi.read_import_names(pypi.ref("missing"), VERSION)
