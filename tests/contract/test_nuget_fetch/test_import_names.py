"""The namespaces of a release, read from the source's packages."""

from random import Random

import pytest

from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.errors import MalformedArchive, PackageNotFound, RegistryUnavailable
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.models import VersionName
from tests.assemblies import PUBLIC, assembly
from tests.contract.loopback import Loopback
from tests.unit.archives import zipped

PACKAGE = "/v3/content/demo.core/2.0.0-rc/demo.core.2.0.0-rc.nupkg"


def library(*namespaces: str) -> bytes:
    """An assembly with these public namespaces."""
    return assembly([(PUBLIC, namespace, "Api") for namespace in namespaces])


async def names(nuget: NuGet, version: str = "2.0.0-RC") -> frozenset[str]:
    """The import names of one release."""
    return await nuget.read_import_names(nuget.ref("Demo.Core"), VersionName(version))


async def test_a_large_package(nuget: NuGet, registry: Loopback) -> None:
    """Two requests: for the end with the directory, and for all assemblies together."""
    random = Random(11)
    libraries = {f"lib/net8.0/Demo.{n}.dll": library(f"Demo.N{n}") for n in range(30)}
    native = {f"runtimes/{n}/native/demo.so": random.randbytes(50_000) for n in range(20)}
    content = zipped(libraries | native)
    registry.serve(PACKAGE, content, ranges=True)
    with request_scope(RequestScope()) as scope:
        assert await names(nuget) == {f"Demo.N{n}" for n in range(30)}
    assert scope.requests == registry.asked[PACKAGE] == 2


async def test_a_source_without_ranges(nuget: NuGet, registry: Loopback) -> None:
    """The first response of a source without ranges is the whole package."""
    registry.serve(PACKAGE, zipped({"lib/net48/Demo.dll": library("Demo.Core")}))
    assert await names(nuget) == {"Demo.Core"}
    assert registry.asked[PACKAGE] == 1


async def test_packages_that_cannot_be_read(nuget: NuGet, registry: Loopback) -> None:
    """A missing or damaged package, and a source that fails, are typed errors."""
    with pytest.raises(PackageNotFound):
        await names(nuget)
    with pytest.raises(PackageNotFound):
        await names(nuget, "../../index")
    registry.serve(PACKAGE, "<html>blocked</html>")
    with pytest.raises(MalformedArchive):
        await names(nuget)
    registry.serve(PACKAGE, b"", status=500)
    with pytest.raises(RegistryUnavailable):
        await names(nuget)
