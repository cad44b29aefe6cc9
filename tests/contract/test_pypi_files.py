"""Reads PyPI's metadata and files from a server that the test fills."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.ecosystems.pypi.archive_metadata import MAX_METADATA
from ssc_ingest.ecosystems.pypi.simple_index import MEDIA_TYPE
from ssc_ingest.errors import (
    RegistryUnavailable,
)
from ssc_ingest.settings import Settings
from tests.contract.fetching import read
from tests.contract.loopback import Loopback, loopback, packed, reading
from tests.unit.archives import tarred, zipped

METADATA, RELEASE = "/files/demo-1.0-py3-none-any.whl.metadata", "/pypi/demo/1.0/json"


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    """An index with one project of two releases, which announces metadata without digests."""
    async with loopback() as server:
        names = [f"demo-{version}-py3-none-any.whl" for version in ("1.0", "2.0")]
        files = [
            {"filename": name, "url": f"{server.url}/files/{name}", "core-metadata": True}
            for name in names
        ]
        page = {"name": "demo", "versions": ["1.0", "2.0"], "files": files}
        server.serve("/simple/demo/", json.dumps(page), media_type=MEDIA_TYPE)
        for name in names:
            server.serve(f"/files/{name}.metadata", "Name: demo\nRequires-Dist: idna>=2\n")
        info = {"name": "demo", "version": "1.0", "requires_dist": ["six"]}
        server.serve(RELEASE, json.dumps({"info": info}))
        yield server


@pytest.fixture
async def demo(
    server: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[PyPI]:
    """The ecosystem, reading that index."""
    paths = {"index": "simple", "json": "pypi", "files": "files"}
    urls = {endpoint: f"{server.url}/{path}" for endpoint, path in paths.items()}
    async with reading(PyPI, settings, redis_url, **urls) as pypi:
        yield pypi


BAD_METADATA: dict[str, dict[str, Any]] = {
    "large": {"body": "Name: demo\n\n" + "x" * MAX_METADATA},
    "bomb": {"body": packed(3), "headers": {"Content-Encoding": "gzip"}},
    "html": {"body": "<html>Not here</html>", "media_type": "text/html"},
    "nameless": {"body": "Requires-Dist: idna\n"},
    "empty": {"body": ""},
}


@pytest.mark.parametrize("answer", BAD_METADATA.values(), ids=BAD_METADATA)
@pytest.mark.parametrize(
    ("release", "found"),
    [(None, "six"), ({"status": 404}, ""), ({"body": "{}"}, ""), ({"body": "<html>"}, "")],
    ids=["JSON", "none", "wrong", "broken"],
)
async def test_metadata_that_cannot_be_read(  # noqa: PLR0917
    demo: PyPI,
    server: Loopback,
    capsys: pytest.CaptureFixture[str],
    answer: dict[str, Any],
    release: dict[str, Any] | None,
    found: str,
) -> None:
    """The JSON API is used; without it, the requirements are unknown.

    The package's other releases are not affected.
    """
    server.serve(METADATA, **answer)
    if release is not None:
        server.serve(RELEASE, **{"body": "", **release})
    package = (await read(demo, "demo")).package
    unknown = [version.requirements_unknown for version in package.versions]
    assert unknown == [version.requirements is None for version in package.versions]
    assert unknown == [not found, False]
    requirements = [[r.package.name for r in v.requirements or ()] for v in package.versions]
    assert requirements == [[found] if found else [], ["idna"]]
    assert ("release_metadata_missing" in capsys.readouterr().out) == (not found)


OTHER_WHEEL = "demo-1.0-cp311-cp311-win_amd64.whl"
SDIST = "demo-1.0.tar.gz"
STATIC = b"Metadata-Version: 2.2\nName: demo\nRequires-Dist: static\n"
OLD = b"Metadata-Version: 1.2\nName: demo\nLicense: ISC\n"
REQUIRES = {"demo-1.0/PKG-INFO": OLD, "demo-1.0/demo.egg-info/requires.txt": b"taken>=1\n"}

FILES: dict[str, tuple[dict[str, bytes], tuple[list[str] | None, bool]]] = {
    "another wheel's metadata": (
        {
            f"{OTHER_WHEEL}.metadata": b"Name: demo\nRequires-Dist: other\n",
            "demo-1.0-py3-none-any.whl": zipped({"demo-1.0.dist-info/METADATA": b"Name: demo"}),
        },
        (["other"], False),
    ),
    "a wheel": (
        {
            "demo-1.0-py3-none-any.whl": zipped(
                {"demo-1.0.dist-info/METADATA": b"Name: demo\nRequires-Dist: inside\n"}
            ),
            SDIST: tarred({"demo-1.0/PKG-INFO": STATIC}),
        },
        (["inside"], False),
    ),
    "another wheel": (
        {
            "demo-1.0-py3-none-any.whl": b"no wheel",
            OTHER_WHEEL: zipped({"demo-1.0.dist-info/METADATA": b"Name: demo"}),
        },
        ([], False),
    ),
    "an sdist that is final": (
        {SDIST: tarred(REQUIRES | {"demo-1.0/PKG-INFO": STATIC})},
        (["static"], False),
    ),
    "an sdist that is not": ({SDIST: tarred(REQUIRES)}, (["taken"], True)),
    "an sdist of distutils": ({SDIST: tarred({"demo-1.0/PKG-INFO": OLD})}, (None, True)),
    "nothing": ({}, (None, True)),
    "rubbish": (
        dict.fromkeys(("demo-1.0-py3-none-any.whl", OTHER_WHEEL, SDIST), b"rubbish"),
        (None, True),
    ),
}


@pytest.mark.parametrize(("files", "found"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("release", [{"requires_dist": None}, None], ids=["null", "no JSON"])
async def test_requirements_from_files_of_the_release(
    demo: PyPI,
    server: Loopback,
    release: dict[str, Any] | None,
    files: dict[str, bytes],
    found: tuple[list[str] | None, bool],
) -> None:
    """Files are tried in order if no document has the requirements.

    What is not certain stays unknown. The server has no parts of files: they are read as a whole.
    """
    names = ["demo-1.0-py3-none-any.whl", OTHER_WHEEL, SDIST]
    entries = [
        {
            "filename": name,
            "url": f"{server.url}/files/{name}",
            "hashes": {},
            "core-metadata": name.endswith(".whl"),
        }
        for name in names
    ]
    page = {"name": "demo", "versions": ["1.0"], "files": entries}
    server.serve("/simple/demo/", json.dumps(page), media_type=MEDIA_TYPE)
    del server.answers[METADATA], server.answers[RELEASE]
    if release is not None:
        info = {"name": "demo", "version": "1.0", "license": "MIT", **release}
        server.serve(RELEASE, json.dumps({"info": info}))
    for name, content in files.items():
        server.serve(f"/files/{name}", content)
    (version,) = (await read(demo, "demo")).package.versions
    requirements = version.requirements
    taken = None if requirements is None else [r.package.name for r in requirements]
    assert (taken, version.requirements_unknown) == found
    read_json = release is not None and f"{OTHER_WHEEL}.metadata" not in files
    assert not read_json or version.license == "MIT"


async def test_a_file_says_more_than_the_document_of_the_project(
    demo: PyPI, server: Loopback
) -> None:
    """An index without documents of releases may mix two releases in that of the project."""
    name = "demo-1.0-py3-none-any.whl"
    entry = {"filename": name, "url": f"{server.url}/files/{name}", "hashes": {}}
    page = {"name": "demo", "versions": ["1.0"], "files": [entry]}
    server.serve("/simple/demo/", json.dumps(page), media_type=MEDIA_TYPE)
    del server.answers[METADATA], server.answers[RELEASE]
    info = {"name": "demo", "version": "1.0", "requires_dist": ["earlier"]}
    server.serve("/pypi/demo/json", json.dumps({"info": info}))
    inside = b"Name: demo\nRequires-Dist: installed\n"
    server.serve(f"/files/{name}", zipped({"demo-1.0.dist-info/METADATA": inside}))
    (version,) = (await read(demo, "demo")).package.versions
    assert [r.package.name for r in version.requirements or ()] == ["installed"]
    assert not version.requirements_unknown


@pytest.mark.parametrize("sha256", [hashlib.sha256(b"another").hexdigest(), 7])
async def test_a_file_that_is_not_the_announced_one(
    demo: PyPI, server: Loopback, sha256: Any
) -> None:
    """Nothing is taken of it: the whole was read, and its digest is another one."""
    name = "demo-1.0-py3-none-any.whl"
    entry = {"filename": name, "url": f"{server.url}/files/{name}", "hashes": {"sha256": sha256}}
    page = {"name": "demo", "versions": ["1.0"], "files": [entry | {"core-metadata": False}]}
    server.serve("/simple/demo/", json.dumps(page), media_type=MEDIA_TYPE)
    del server.answers[RELEASE]
    server.serve(f"/files/{name}", zipped({"demo-1.0.dist-info/METADATA": b"Name: demo"}))
    (version,) = (await read(demo, "demo")).package.versions
    assert (version.requirements, version.requirements_unknown) == (None, True)


async def test_metadata_that_cannot_be_read_now(demo: PyPI, server: Loopback) -> None:
    """A failing registry is retried, a broken document is unknown: neither is "none"."""
    server.serve(METADATA, "")
    server.serve(RELEASE, "", status=500)
    with pytest.raises(RegistryUnavailable):
        await read(demo, "demo")
    del server.answers[METADATA]
    server.serve(RELEASE, "<html>")
    package = (await read(demo, "demo")).package
    assert [v.requirements_unknown for v in package.versions] == [True, False]
