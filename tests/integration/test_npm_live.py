"""A few small packages, read from the npm registry itself."""

from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.errors import PackageNotFound, RegistryUnavailable
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.models import Package
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings

pytestmark = pytest.mark.live


@pytest.fixture
async def npm(state: State, settings: Settings) -> AsyncIterator[Npm]:
    """The ecosystem, reading the registry within its rate limit."""
    endpoints = load_endpoints("npm", Npm.identity.endpoints, None)
    async with open_transport(settings, host_names([endpoints])) as transport:
        yield Npm(RegistryClient(transport, state.limiter, endpoints.hosts), endpoints)


async def fetch(npm: Npm, name: str) -> Package:
    """Read a package; skips without a network."""
    try:
        package = await npm.fetch(FetchRequest(npm.ref(name)))
    except RegistryUnavailable as error:
        if error.status is None:
            pytest.skip(f"the npm registry cannot be reached: {error}")
        raise
    assert isinstance(package, Package)
    return package


async def test_a_small_package(npm: Npm) -> None:
    """Order, dates, requirements, vendor and repository are found."""
    package = await fetch(npm, "is-odd")
    assert package.repository_url == "https://github.com/jonschlinkert/is-odd"
    assert (package.vendor, package.ref.purl) == ("jonschlinkert", "pkg:npm/is-odd")
    names = [str(version.name) for version in package.versions]
    assert names.index("0.1.0") < names.index("1.0.0") < names.index("3.0.1")
    assert all(version.release_date for version in package.versions)
    (requirement,) = next(v for v in package.versions if v.name == "3.0.1").requirements or ()
    assert (requirement.package.purl, requirement.constraints) == ("pkg:npm/is-number", "^6.0.0")
    if package.etag:
        answer = await npm.fetch(FetchRequest(package.ref, etag=package.etag))
        assert isinstance(answer, NotModified)


async def test_a_scoped_package(npm: Npm) -> None:
    """A scope is read by its path form and kept in the package URL."""
    package = await fetch(npm, "@sindresorhus/is")
    assert package.ref.purl == "pkg:npm/%40sindresorhus/is"
    assert package.repository_url == "https://github.com/sindresorhus/is"
    assert len(package.versions) >= 50


async def test_a_package_with_capitals_and_a_twin(npm: Npm) -> None:
    """``JSONStream`` is another package than ``jsonstream``, which owns the lower-case name."""
    package = await fetch(npm, "JSONStream")
    assert (package.ref.name, package.ref.purl) == ("JSONStream", "pkg:npm/JSONStream")
    wanted = {r.package.name: r.constraints for r in package.versions[-1].requirements or ()}
    assert wanted == {"jsonparse": "^1.2.0", "through": ">=2.2.7 <3"}


async def test_a_package_that_does_not_exist(npm: Npm) -> None:
    """The registry's 404 is a typed error."""
    with pytest.raises(PackageNotFound):
        await fetch(npm, "ssc-ingest-no-such-package")
