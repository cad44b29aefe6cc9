"""Import names of crates and gems over HTTP: the requested files, their digests, and errors."""

import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.rubygems import RubyGems
from ssc_ingest.ecosystems.rubygems.gem_file import MAX_GEM
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedArchive,
    PackageNotFound,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.models import VersionName
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.contract.loopback import Loopback, loopback, packed, reading
from tests.simulator.client import Simulator
from tests.simulator.gem_files import gem_file
from tests.unit.archives import tarred

pytest_plugins = ("tests.simulator.fixtures",)

ONE = VersionName("1.0.0")
CRATE = tarred(
    {
        "demo-x-1.0.0/Cargo.toml": b'[package]\nname = "demo-x"\n[lib]\nname = "demo"\n',
        "demo-x-1.0.0/src/lib.rs": b"pub struct A;",
    }
)
GEM = gem_file("demo-x", "1.0.0", "java")


@pytest.fixture
async def registry() -> AsyncIterator[Loopback]:
    """A registry with one crate and one gem, both named ``demo-x``."""
    async with loopback() as server:
        _serve_index(server, CRATE, GEM)
        server.serve("/demo-x/demo-x-1.0.0.crate", CRATE, media_type="application/gzip")
        server.serve("/demo-x-1.0.0-java.gem", GEM, media_type="application/octet-stream")
        yield server


def _serve_index(server: Loopback, crate: bytes, gem: bytes) -> None:
    digest = hashlib.sha256(crate).hexdigest()
    lines = [
        {"name": "demo-x", "vers": vers, "deps": [], "cksum": cksum, "features": {}}
        for vers, cksum in (("0.1.0", "0" * 64), ("1.0.0", digest))
    ]
    server.serve("/de/mo/demo-x", "".join(json.dumps(line) + "\n" for line in lines))
    digest = hashlib.sha256(gem).hexdigest()
    body = f"---\n0.1.0 |checksum:{'0' * 64}\n1.0.0-java |checksum:{digest}\n"
    server.serve("/info/demo-x", body, media_type="text/plain; charset=utf-8")


@pytest.fixture(params=[Crates, RubyGems])
async def ecosystem(
    request: pytest.FixtureRequest,
    registry: Loopback,
    settings: Settings,
    redis_url: str,
    clean_redis: None,
) -> AsyncIterator[Ecosystem]:
    """Each ecosystem, reading that registry."""
    cls = request.param
    urls = {endpoint.key: registry.url for endpoint in cls.identity.endpoints}
    async with reading(cls, settings, redis_url, **urls) as reader:
        yield reader


async def test_names(ecosystem: Ecosystem, registry: Loopback) -> None:
    """Two requests: the index and the file, of the platform that exists."""
    found = await ecosystem.read_import_names(ecosystem.ref("demo-x"), ONE)
    expected = {"demo", "demo::A"} if isinstance(ecosystem, Crates) else {"demo-x", "Simulated"}
    assert found == expected
    assert registry.asked.total() == 2


async def test_other_content(ecosystem: Ecosystem, registry: Loopback) -> None:
    """A file without the digest of the index is not read."""
    _serve_index(registry, CRATE + b"\0", GEM + b"\0")
    with pytest.raises(DigestMismatch):
        await ecosystem.read_import_names(ecosystem.ref("demo-x"), ONE)


async def test_a_page_instead_of_the_file(ecosystem: Ecosystem, registry: Loopback) -> None:
    """A page with the announced digest is still no archive; the error names the address."""
    page = b"<html>maintenance</html>"
    _serve_index(registry, page, page)
    for path in ("/demo-x/demo-x-1.0.0.crate", "/demo-x-1.0.0-java.gem"):
        registry.serve(path, page, media_type="text/html")
    with pytest.raises(MalformedArchive) as caught:
        await ecosystem.read_import_names(ecosystem.ref("demo-x"), ONE)
    assert str(caught.value.url).startswith(registry.url)


@pytest.mark.parametrize(
    ("name", "version"), [("demo-x", "0.1.0"), ("demo-x", "2.0.0"), ("other", "1.0.0")]
)
async def test_missing(ecosystem: Ecosystem, name: str, version: str) -> None:
    """A missing file, version or package is missing."""
    with pytest.raises(PackageNotFound):
        await ecosystem.read_import_names(ecosystem.ref(name), VersionName(version))


async def test_broken_transfers(ecosystem: Ecosystem, registry: Loopback) -> None:
    """A cut transfer is no short file, and an announced excess ends the request."""
    for path, body in (("/demo-x/demo-x-1.0.0.crate", CRATE), ("/demo-x-1.0.0-java.gem", GEM)):
        registry.serve(path, body[:100], promised=len(body))
    with pytest.raises(RegistryUnavailable):
        await ecosystem.read_import_names(ecosystem.ref("demo-x"), ONE)
    for path in ("/demo-x/demo-x-1.0.0.crate", "/demo-x-1.0.0-java.gem"):
        registry.serve(path, b"x", promised=2**40)
    with pytest.raises(ResponseTooLarge):
        await ecosystem.read_import_names(ecosystem.ref("demo-x"), ONE)


@pytest.mark.parametrize("is_announced", [True, False])
async def test_files_above_the_limit(
    ecosystem: Ecosystem, registry: Loopback, *, is_announced: bool
) -> None:
    """A file of more than 128 MB is refused by its announced size, or by what arrives.

    The error names the address. The limit of crates is lower.
    """
    body, fields = b"x", dict[str, object](promised=MAX_GEM + 1)
    if not is_announced:  # few bytes in the network
        body = packed(MAX_GEM // 2**20 + 1)
        fields = {"headers": {"Content-Encoding": "gzip"}}
    for path in ("/demo-x/demo-x-1.0.0.crate", "/demo-x-1.0.0-java.gem"):
        registry.serve(path, body, media_type="application/octet-stream", **fields)
    with pytest.raises(ResponseTooLarge) as caught:
        await ecosystem.read_import_names(ecosystem.ref("demo-x"), ONE)
    assert str(caught.value.url).startswith(registry.url)
    assert registry.asked.total() == 2


@pytest.mark.parametrize("cls", [Crates, RubyGems])
async def test_simulated_packages(
    cls: type[Crates | RubyGems],
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
    clean_redis: None,
) -> None:
    """The simulated registries serve files with the digests of their index."""
    async with opened(cls, simulator, settings, redis_url) as reader:
        for package in simulator.packages(cls.identity.name, 12):
            truth = simulator.truth(cls.identity.name, package.name)
            offered = [version.name for version in truth.versions if not version.yanked]
            ref = reader.ref(package.name)
            for version in offered[-1:]:
                found = await reader.read_import_names(ref, VersionName(version))
                expected = {reader.fallback_import_name(ref)}
                expected |= {f"{min(expected)}::version"} if cls is Crates else {"Simulated"}
                assert found == expected
