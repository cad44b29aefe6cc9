"""A few small projects, read from PyPI itself."""

from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import PackageNotFound, RegistryUnavailable
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.models import Package
from ssc_ingest.resources import State
from ssc_ingest.settings import Settings

pytestmark = pytest.mark.live


@pytest.fixture
async def pypi(state: State, settings: Settings) -> AsyncIterator[PyPI]:
    """The ecosystem, reading PyPI within its rate limit."""
    endpoints = load_endpoints("pypi", PyPI.identity.endpoints, None)
    async with open_transport(settings, host_names([endpoints])) as transport:
        yield PyPI(RegistryClient(transport, state.limiter, endpoints.hosts), endpoints)


async def fetch(pypi: PyPI, name: str) -> Package:
    """Read a project; skips without a network."""
    try:
        package = await pypi.fetch(FetchRequest(pypi.ref(name)))
    except RegistryUnavailable as error:
        if error.status is None:
            pytest.skip(f"PyPI cannot be reached: {error}")
        raise
    assert isinstance(package, Package)
    return package


async def test_a_project_with_dots_in_its_name(pypi: PyPI) -> None:
    """The project's own spelling is read for the normalised one."""
    package = await fetch(pypi, "ruamel-yaml-jinja2")
    assert package.ref.name == package.ref.registry_name == "ruamel.yaml.jinja2"
    assert package.ref.purl == "pkg:pypi/ruamel-yaml-jinja2"
    assert package.versions[0].name == "0.1.1"
    assert package.versions[-1].name == package.latest


async def test_a_project_with_a_requirement_and_a_repository(pypi: PyPI) -> None:
    """Order, dates, requirements, vendor and repository of a small project are found."""
    package = await fetch(pypi, "exceptiongroup")
    assert (package.vendor, package.repository_url) == (
        "agronholm",
        "https://github.com/agronholm/exceptiongroup",
    )
    names = [str(version.name) for version in package.versions]
    assert names.index("1.0.0rc9") < names.index("1.0.0") < names.index("1.2.0")
    released = next(v for v in package.versions if v.name == "1.3.0")
    assert released.release_date is not None
    assert released.release_date.date().isoformat() == "2025-05-10"
    assert [(r.package.purl, r.constraints) for r in released.requirements or ()] == [
        ("pkg:pypi/typing-extensions", ">= 4.6.0")
    ]


async def test_a_project_that_does_not_exist(pypi: PyPI) -> None:
    """PyPI's 404 is a typed error."""
    with pytest.raises(PackageNotFound):
        await fetch(pypi, "ssc-ingest-no-such-project")
