"""Reads the import names of npm's packages over HTTP."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.errors import DigestMismatch, MalformedArchive, MalformedMetadata, PackageNotFound
from ssc_ingest.models import Package, VersionName
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.contract.loopback import Loopback, loopback, reading
from tests.simulator.client import Simulator
from tests.simulator.npm_archives import SUBPATHS
from tests.unit.archives import tarred

VERSION = VersionName("1.0.0")


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    """A registry without packages."""
    async with loopback() as server:
        yield server


@pytest.fixture
async def npm(
    server: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Npm]:
    """The ecosystem, reading that registry."""
    async with reading(Npm, settings, redis_url, registry=server.url) as npm:
        yield npm


def serve(server: Loopback, archive: bytes | None = None, **fields: Any) -> None:
    """Let the registry have a version of a package."""
    dist: dict[str, Any] = {"tarball": f"{server.url}/demo/-/demo-1.0.0.tgz"}
    if archive is not None:
        digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        dist["integrity"] = f"sha1-unknown sha512-{digest}"
        server.serve("/demo/-/demo-1.0.0.tgz", archive, media_type="application/octet-stream")
    manifest = {"name": "demo", "dist": dist} | fields
    packument = {
        "name": "demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}
    }  # fmt: skip
    server.serve("/demo/1.0.0", json.dumps(manifest))
    server.serve("/demo", json.dumps(packument))


async def names(npm: Npm) -> set[str]:
    """The import names of the version."""
    return set(await npm.read_import_names(npm.ref("demo"), VERSION))


async def fetched(npm: Npm) -> tuple[str, ...]:
    """The import names in the package that a fetch returns."""
    package = await npm.fetch(FetchRequest(npm.ref("demo")))
    assert isinstance(package, Package)
    return package.import_names


async def test_exports_without_patterns(npm: Npm, server: Loopback) -> None:
    """The names are in the document; the archive is not read."""
    serve(server, exports={".": "./a.js", "./b": {"browser": "./b.js"}, "./c": None})
    assert await fetched(npm) == ("demo", "demo/b")
    assert await names(npm) == {"demo", "demo/b"}
    assert dict(server.asked) == {"/demo": 1, "/demo/1.0.0": 1}


async def test_exports_with_patterns(npm: Npm, server: Loopback) -> None:
    """The files in the archive determine the names that the patterns match."""
    files = {f"any/{path}": b"" for path in ("lib/a.js", "lib/b/c.js", "lib/test/d.js", "x.js")}
    serve(server, tarred(files), exports={"./*": "./lib/*.js"})
    assert await fetched(npm) == ()
    assert await names(npm) == {"demo/a", "demo/b/c"}
    assert server.asked["/demo/-/demo-1.0.0.tgz"] == 1


async def test_no_exports(npm: Npm, server: Loopback) -> None:
    """The names are those of the files."""
    serve(server, tarred({"package/a.js": b"", "package/package.json": b"{}"}), main="a")
    assert await fetched(npm) == ()
    assert await names(npm) == {"demo", "demo/a", "demo/a.js"}


async def test_types_without_modules(npm: Npm, server: Loopback) -> None:
    """Global declarations are those of the package that they describe."""
    archive = tarred({"mocha/index.d.ts": b"declare var it: any;\n"})
    serve(server, archive)
    server.answers["/@types%2Fmocha/1.0.0"] = server.answers["/demo/1.0.0"]
    assert await npm.read_import_names(npm.ref("@types/mocha"), VERSION) == {"mocha"}


async def test_damaged_archives(npm: Npm, server: Loopback) -> None:
    """Each ends in a typed error, never in fewer names."""
    serve(server, b"damaged")
    with pytest.raises(MalformedArchive):
        await names(npm)
    serve(server, tarred({"package/a.js": b""}))
    server.serve("/demo/-/demo-1.0.0.tgz", tarred({"package/b.js": b""}))
    with pytest.raises(DigestMismatch):
        await names(npm)
    server.answers.pop("/demo/-/demo-1.0.0.tgz")
    with pytest.raises(PackageNotFound):
        await names(npm)
    serve(server, dist=None)
    with pytest.raises(MalformedMetadata):
        await names(npm)
    with pytest.raises(PackageNotFound):
        await npm.read_import_names(npm.ref("demo"), VersionName("2.0.0"))


async def test_simulated_packages(settings: Settings, redis_url: str, clean_redis: None) -> None:
    """Scoped and other packages of the simulated registry have the names of their files."""
    with Simulator.start(packages=100, versions="1-3") as simulator:
        async with opened(Npm, simulator, settings, redis_url) as npm:
            for trait in ("scoped", "prerelease"):
                (found,) = simulator.packages("npm", 1, traits=(trait,))
                version = VersionName(simulator.truth("npm", found.name).versions[-1].name)
                read = await npm.read_import_names(npm.ref(found.name), version)
                assert read == {found.name + subpath for subpath in SUBPATHS}
